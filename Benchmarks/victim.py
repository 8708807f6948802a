"""A server on a store of its own, and what its token checks take while a crowd is busy with it."""

import contextlib
import json
import multiprocessing
import os
import pathlib
import signal
import statistics
import subprocess
import tempfile
import threading
import time

import fastcgi
import machine

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
PASSWORD = "correct horse battery staple"
# Seconds: of a phase; that a check waits for its answer; of a run, after which no phase is repeated.
QUIET, ABUSED, PATIENCE, RUN = 1, 3, 15, 240
STARTED = time.monotonic()
# Those that a crowd got.
ANSWERS = multiprocessing.RawValue("L")


class Died(Exception):
    """The server has ended."""


class Checks:
    """What token checks took, in milliseconds, and how many of them were answered otherwise than by 200, or not at all.

    They are made one after the other, so one that has to wait holds up the next. Those that others would have begun
    meanwhile, one each millisecond, count as well: else a second of silence were one slow check among a thousand."""

    def __init__(self, times=(), failed=0):
        self.times, self.failed = list(times), failed

    def add(self, took, has_failed):
        self.times += [took - late for late in range(max(1, int(took)))]
        self.failed += has_failed

    @property
    def p99(self):
        return sorted(self.times)[int(len(self.times) * 0.99)]

    def __add__(self, other):
        return Checks(self.times + other.times, self.failed + other.failed)

    def __str__(self):
        failed = f" ({self.failed} fail)" if self.failed else ""
        return f"{statistics.median(self.times):.2f}/{self.p99:.2f}{failed}"


class Server:
    """A server on a store of its own, with a user ann who has a password and a token. It ends with `stack`."""

    def __init__(self, stack, binary, dump=None):
        """With what `dump` says of Django's users and tokens."""
        self.binary = binary
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-abuse-", dir=MEMORY)))
        self.store, self.socket, self.audit = self.folder / "store", self.folder / "socket", self.folder / "audit"
        machine.run(binary, "store", "init", self.store)
        if dump:
            path = self.folder / "dump.json"
            path.write_text(json.dumps(dump))
            self.command("import", "django", path)
        self.token = self.command("user", "add", "ann", "--with-token", input=PASSWORD + "\n").strip()
        self.connection = None
        self.backend = machine.start(
            stack, self.folder, "server", binary, "serve", "--store", self.store, "--listen", self.socket,
            "--audit-file", self.audit)
        for _ in range(1000):
            with contextlib.suppress(OSError):
                self.ask()
                break
            time.sleep(0.01)

    def command(self, *arguments, input=None):
        return machine.run(self.binary, *arguments, "--store", self.store, input=input)

    def request(self, view="whoami", body=None, token=None, method=None, path="/", **more):
        """By ann's token, over TLS, unless it says otherwise; a body is JSON."""
        body = b"" if body is None else json.dumps(body).encode() if not isinstance(body, bytes) else body
        return fastcgi.request({
            "REQUEST_METHOD": method or ("POST" if body else "GET"), "REQUEST_URI": path, "DOCUMENT_URI": path.split("?")[0],
            "QUERY_STRING": path.partition("?")[2], "CONTENT_TYPE": "application/json" if body else "",
            "CONTENT_LENGTH": str(len(body) or ""), "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1", "HTTPS": "on",
            "HTTP_HOST": "localhost", "HTTP_AUTHORIZATION": f"Token {token or self.token}", "POSTERN_VIEW": view,
        } | more, body)

    def connect(self):
        connection = fastcgi.connect(self.socket)
        connection.settimeout(PATIENCE)
        return connection

    def ask(self, *arguments, **more):
        """Status and body of an answer, on a connection that is kept."""
        request = self.request(*arguments, **more)
        for is_last in [False, True]:
            try:
                self.connection = self.connection or self.connect()
                self.connection.sendall(request)
                fields, _, body = fastcgi.answer(self.connection).partition(b"\r\n\r\n")
                return int(fields.split()[1]), body
            except OSError:
                self.connection = None
                self.look()
                if is_last:
                    raise

    def look(self):
        """Throws where the server has ended, or ends now."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self.backend.process.wait(0.3)
            raise Died(signal.Signals(-status).name if status < 0 else f"exit code {status}")

    def resident(self):
        return self.backend.memory()[0]

    def checks(self, seconds):
        request, end, checks = self.request(), time.monotonic() + seconds, Checks()
        while (began := time.monotonic()) < end:
            is_good = False
            try:
                with self.connect() as connection:
                    connection.sendall(request)
                    is_good = fastcgi.answer(connection).startswith(b"Status: 200 ")
            except OSError:
                self.look()
            checks.add((time.monotonic() - began) * 1e3, not is_good)
        return checks


@contextlib.contextmanager
def crowd(count, client):
    """Calls client(number), of so many clients in a process of their own, again and again."""
    def again(number):
        while True:
            try:
                client(number)
            except (OSError, ValueError):
                time.sleep(0.01)

    def run():
        for number in range(count):
            threading.Thread(target=again, args=[number]).start()

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def beside(server, count, client):
    """Token checks without so many clients, and beside them."""
    for _ in range(3):
        before = server.checks(QUIET)
        ANSWERS.value, began = 0, time.monotonic()
        with crowd(count, client):
            time.sleep(0.2)
            abused = server.checks(ABUSED)
            rate = ANSWERS.value / (time.monotonic() - began)
        with contextlib.suppress(machine.Failure, OSError):
            machine.settle([server.backend])
        after = server.checks(QUIET)
        is_steady = max(before.p99, after.p99) <= 3 * min(before.p99, after.p99)
        if is_steady or time.monotonic() > STARTED + RUN:
            break
    return f"{before + after} → {abused} ms" + (f" ({rate:.0f}/s)" if rate else "") + ("" if is_steady else " unsteady")
