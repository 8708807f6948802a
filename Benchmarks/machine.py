"""Processes that end with the run, and what the kernel says of them."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

CORES = os.cpu_count() or 1


class Failure(Exception):
    """Ends the run, with a sentence that says why."""


class Backend:
    """A process that was started and those that it has started: what is measured as one."""

    def __init__(self, process):
        self.process = process

    def ids(self):
        """proc(5), task/TID/children."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [int(child) for pid in new for child in read(f"/proc/{pid}/task/{pid}/children").split()]
        return found

    def cpu(self):
        """Seconds of CPU, user and system, of all threads: the process clocks of clock_getcpuclockid(3)."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.ids())

    def memory(self):
        """Resident bytes, and those of them that no other process has."""
        resident = private = 0
        for pid in self.ids():
            for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
                name, value, *_ = line.split()
                if name == "Rss:":
                    resident += int(value) * 1024
                elif name.startswith("Private_"):
                    private += int(value) * 1024
        return resident, private


def start(stack, folder, name, *command, **options):
    """Starts a process that ends with `stack`; what it says goes to NAME.log."""
    with open(folder / f"{name}.log", "ab") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, **options)

    def end():
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return Backend(process)


def run(*command, input=None, **options):
    """What a command prints."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(
            command, input=input, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    except subprocess.CalledProcessError as error:
        raise Failure(f"{' '.join(command)} failed:\n{error.stdout}{error.stderr}") from None
    return done.stdout


def popen(*command):
    """A command whose output is read later."""
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def settle(backends):
    """Waits until they have nothing left to do, as the requests of clients that have gone away."""
    deadline = time.monotonic() + 60
    before, quiet = sum(backend.cpu() for backend in backends), 0
    # Three looks, for on a busy machine a process may get no turn between two.
    while quiet < 3:
        if time.monotonic() > deadline:
            raise Failure("Something is still busy a minute after the last request")
        time.sleep(0.02)
        now = sum(backend.cpu() for backend in backends)
        quiet = quiet + 1 if now - before < 0.002 else 0
        before = now


def raise_descriptor_limit():
    """As many descriptors as may be had, up to what 5,000 clients need; the limit that is in force then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20_000
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def read(path):
    return pathlib.Path(path).read_text()


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def end_on_signals():
    """However the run ends, what it started ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
