"""Load by wrk, and what it costs the web server and the backend."""

import dataclasses
import http.client
import json
import pathlib

import machine

HERE = pathlib.Path(__file__).resolve().parent
# Of wrk: it shares the machine with what it measures.
THREADS = max(1, machine.CORES // 4)


class Pool:
    """A file of credentials or bodies, one a line, all of one length, from which each request takes the next one.

    Where one run stops the next goes on, so that as many others as there are lines come before a line comes again.
    """

    def __init__(self, path, place="header"):
        self.path, self.place, self.offset = path, place, 0
        with open(path, "rb") as lines:
            self.line = len(lines.readline())
        self.size = path.stat().st_size
        if self.size % self.line:
            raise machine.Failure(f"The lines of {path} are not equally long")

    def arguments(self, threads):
        return [self.path, self.offset, self.size // self.line // threads * self.line, self.place]

    def advance(self, sent):
        self.offset = (self.offset + sent * self.line) % self.size


@dataclasses.dataclass(frozen=True)
class Load:
    """What is asked of whom.

    `path` is the location, `field` the header field that goes with each request, `pool` instead of it where each request
    carries another one; `backend` is who answers behind nginx, None for nginx itself; `prepare` is called before it
    with the seconds that it is going to last.
    """
    path: str
    field: tuple = None
    pool: Pool = None
    backend: machine.Backend = None
    status: int = 200
    prepare: object = None


@dataclasses.dataclass(frozen=True)
class Sample:
    """Of one run: requests a second, latencies in milliseconds, microseconds of CPU a request."""
    rate: float
    p50: float
    p99: float
    max: float
    nginx: float
    backend: float
    requests: int


def measure(scene, load, clients, seconds, port=None):
    """Loads one subject. Raises Failure if a single request fails or is answered otherwise than expected."""
    if load.prepare:
        load.prepare(seconds)
    processes = [scene.nginx] + ([load.backend] if load.backend else [])
    before = [process.cpu() for process in processes]
    count = requests(scene)
    report = wrk(scene, load, clients, seconds, port)
    machine.settle(processes)
    used = [process.cpu() - cpu for process, cpu in zip(processes, before)]
    # wrk leaves when its time is over: what it has begun by then costs CPU and is not in its count, but in nginx's.
    count = requests(scene) - count - 1
    costs = [seconds / count * 1e6 for seconds in used] + [0]
    return Sample(
        report["requests"] / report["seconds"], report["p50"], report["p99"], report["max"], costs[0], costs[1],
        report["requests"])


def wrk(scene, load, clients, seconds, port=None):
    """What wrk reports, once it is certain that all was answered as it should be."""
    return finish_wrk(start_wrk(scene, load, clients, seconds, port), load, seconds)


def start_wrk(scene, load, clients, seconds, port=None):
    threads = min(THREADS, clients)
    command = ["wrk", f"-t{threads}", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", HERE / "load.lua"]
    if load.field:
        command += ["-H", ": ".join(load.field)]
    command.append(f"http://127.0.0.1:{port or scene.port}{load.path}")
    if load.pool:
        command += ["--", *load.pool.arguments(threads)]
    return machine.popen(*command)


def finish_wrk(process, load, seconds):
    try:
        output, _ = process.communicate(timeout=seconds + 60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise machine.Failure(f"wrk failed:\n{output}")
    report = json.loads(output.splitlines()[-1])
    if load.pool:
        load.pool.advance(report["sent"])
    unexpected = report["refused"] if load.status < 400 else report["requests"] - report["refused"]
    if unexpected or report["broken"] or not report["requests"]:
        raise machine.Failure(
            f"{load.path} of {load.backend and load.backend.process.args[0] or 'nginx'} was asked {report['requests']} times: "
            f"{unexpected} answers were not {load.status}, "
            f"{report['broken']} connections failed")
    return report


def requests(scene):
    """How many requests nginx has begun to answer, this one included (ngx_http_stub_status_module)."""
    connection = http.client.HTTPConnection("127.0.0.1", scene.port, timeout=10)
    connection.request("GET", "/status")
    numbers = connection.getresponse().read().decode().splitlines()[2].split()
    connection.close()
    return int(numbers[2])
