"""From nothing to the first answer, and what there is to install."""

import contextlib
import statistics
import time

import fastcgi
import machine
import rounds
import stage

TIMES = 10


def measure(scene, goals):
    request = fastcgi.request(stage.parameters(HTTP_AUTHORIZATION=scene.credentials["token"][1]))
    commands = stage.responder_commands(scene)
    times = {name: [] for name in commands}
    memory = {}

    def once(name, is_counted):
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            backend, path = stage.start_fresh(scene, stack, commands[name])
            with fastcgi.connect(path) as connection:
                connection.sendall(request)
                if b"You are authenticated" not in fastcgi.answer(connection):
                    raise machine.Failure(f"{name} does not answer what it should")
                seconds = time.monotonic() - began
            memory[name] = backend.memory()
        if is_counted:
            times[name].append(seconds * 1e3)

    rounds.in_turns(list(commands), TIMES, once, "starts")
    print(f"\nStart, medians of {TIMES}")
    print(f"  {'':20}{'first answer ms':>16}{'to C':>7}{'RSS MB':>8}{'private':>8}")
    reference = times["C, a loop a core"]
    for name, values in times.items():
        ratio = statistics.median(own / its for own, its in zip(values, reference))
        resident, private = (size / 2**20 for size in memory[name])
        print(f"  {name:20}{statistics.median(values):16.1f}{ratio:7.1f}{resident:8.1f}{private:8.1f}")

    libraries = [line.split()[0].rpartition("/")[2] for line in machine.run("ldd", scene.binary).splitlines()]
    stripped = scene.folder / "stripped"
    machine.run("strip", "-o", stripped, scene.binary)
    whole, bare = (path.stat().st_size / 1e6 for path in (scene.binary, stripped))
    print(f"  the binary has {whole:.1f} MB, {bare:.1f} without its symbols, and loads {', '.join(libraries)}")
    needs_swift = any(library.startswith(("libswift", "libFoundation", "lib_Foundation")) for library in libraries)
    first = statistics.median(times["postern"])
    goals.add("start to the first answer, at most 100 ms", f"{first:.0f} ms", first <= 100)
    goals.add("the binary does without Swift's runtime", "no" if needs_swift else "yes", not needs_swift)
