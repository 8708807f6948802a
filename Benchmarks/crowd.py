"""5,000 clients at once, slow ones among them; and what a connection costs that nobody uses."""

import contextlib
import json
import socket
import statistics

import fastcgi
import machine
import rounds
import stage

CLIENTS, SLOW = 5000, 500
IDLE = 2000


def measure(scene, goals, round_count, seconds):
    """Prints what the clients of postern and of the C responder see."""
    goal = f"{CLIENTS} clients, slow ones among them: no error, p99 to C at most 1.10"
    if scene.descriptors < 2 * CLIENTS + 1000:
        print(f"\nMany connections: left out, for only {scene.descriptors} descriptors may be had (ulimit -Hn)")
        goals.add(goal, "too few descriptors", None)
        return
    reports = {"loops": [], "postern": []}

    def once(name, is_counted):
        if is_counted:
            reports[name].append(ask(scene, f"/{name}/", seconds))
            machine.settle([scene.nginx, scene.postern, *scene.limits.values()])

    rounds.in_turns(list(reports), round_count, once, f"{CLIENTS} clients")
    print(f"\n{CLIENTS} clients, {SLOW} of them slow, medians of {round_count} rounds of {seconds} s")
    print(f"  {'':20}{'requests/s':>11}{'p50 ms':>9}{'p90 ms':>9}{'p99 ms':>9}{'max ms':>9}{'fewest':>8}{'most':>7}"
          f"{'slow':>7}{'failed':>8}{'RSS MB':>8}")
    titles = {"loops": ("C, a loop a core", scene.limits["loops"]), "postern": ("postern, Token", scene.postern)}
    failed = {}
    for name, (title, backend) in titles.items():
        def median(column):
            return statistics.median(report[column] for report in reports[name])
        failed[name] = sum(report["wrong_status"] + report["broken"] for report in reports[name])
        print(f"  {title:20}{median('answers') / seconds:11.0f}{median('p50'):9.1f}{median('p90'):9.1f}{median('p99'):9.1f}"
              f"{median('max'):9.1f}{median('fewest'):8.0f}{median('most'):7.0f}{median('slow_answers'):7.0f}{failed[name]:8}"
              f"{backend.memory()[0] / 2**20:8.1f}")
    ratio = statistics.median(own["p99"] / its["p99"] for own, its in zip(reports["postern"], reports["loops"]))
    goals.add(goal, f"{failed['postern']} errors, {ratio:.2f}", failed["postern"] == 0 and ratio <= 1.1)


def ask(scene, path, seconds):
    field = ": ".join(scene.credentials["token"])
    length = answer_length(scene, path, field)
    return json.loads(machine.run(
        scene.folder / "crowd", scene.port, path, field, length, CLIENTS, SLOW, seconds))


def answer_length(scene, path, field):
    """How many bytes nginx sends, all in all, for a request as crowd.c makes it."""
    with socket.create_connection(("127.0.0.1", scene.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{scene.port}\r\n{field}\r\n\r\n".encode())
        connection.settimeout(0.5)
        received = b""
        while True:
            try:
                received += connection.recv(65536)
            except TimeoutError:
                break
    if not received.startswith(b"HTTP/1.1 200"):
        raise machine.Failure(f"{path} answers {received!r}")
    return len(received)


def measure_idle(scene):
    """Prints the memory of a FastCGI connection that has been used once and is kept, of fresh processes that have no memory
    left over. What the kernel holds is not in it."""
    count = min(IDLE, scene.descriptors - 200)
    request = fastcgi.request(stage.parameters(HTTP_AUTHORIZATION=scene.credentials["token"][1]))
    print(f"\nIdle FastCGI connections, {count} of them, each used once")
    for title, command in stage.responder_commands(scene).items():
        with contextlib.ExitStack() as stack:
            backend, path = stage.start_fresh(scene, stack, command)

            def use():
                connection = stack.enter_context(fastcgi.connect(path))
                connection.sendall(request)
                fastcgi.answer(connection)

            use()
            before = backend.memory()[1]
            for _ in range(count):
                use()
            print(f"  {title:20}{(backend.memory()[1] - before) / count:7.0f} bytes of private memory each")
