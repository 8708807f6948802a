"""Everything that is asked: a store, postern, the C responders and the peers, behind one nginx."""

import base64
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import secrets
import shutil
import socket
import sqlite3
import time
from hashlib import sha256
from tempfile import TemporaryDirectory

import fastcgi
import machine
from machine import CORES, Backend, Failure

HERE = pathlib.Path(__file__).resolve().parent
SHIPPED = HERE.parent / "nginx"
PASSWORD = "correct horse battery staple"
MESSAGE = '{"message":"You are authenticated"}'


@dataclasses.dataclass
class Scene:
    folder: pathlib.Path
    # On the disk of the checkout: a temporary folder is often memory, where a sync costs nothing.
    disk: pathlib.Path
    binary: pathlib.Path
    stack: contextlib.ExitStack
    port: int
    gate_port: int
    limit_gate_port: int
    descriptors: int
    nginx: Backend = None
    postern: Backend = None
    # The C responders, by name.
    limits: dict = dataclasses.field(default_factory=dict)
    drf: Backend = None
    php: Backend = None
    # Header fields, by what they are for.
    credentials: dict = dataclasses.field(default_factory=dict)
    # The claims of an access token of ann's.
    claims: dict = None
    python: pathlib.Path = None

    @property
    def store(self):
        return self.disk / "store"

    def socket(self, name):
        return self.folder / f"{name}.sock"

    def postern_command(self, *arguments, store=None, input=None):
        return machine.run(self.binary, *arguments, "--store", store or self.store, input=input)


def build(stack, binary, scale_names):
    """Starts all of it; it ends with `stack`."""
    folder = pathlib.Path(stack.enter_context(TemporaryDirectory(prefix="postern-bench-")))
    (HERE.parent / ".build").mkdir(exist_ok=True)
    disk = pathlib.Path(stack.enter_context(TemporaryDirectory(prefix="bench-", dir=HERE.parent / ".build")))
    scene = Scene(folder, disk, binary, stack, *free_ports(3), machine.raise_descriptor_limit())
    make_store(scene)
    compile_programs(scene)
    configure_nginx(scene, scale_names)
    scene.nginx = machine.start(
        stack, folder, "nginx", "nginx", "-p", folder, "-e", "nginx-error.log", "-c", folder / "nginx.conf")
    scene.postern = start_responder(scene, "postern", binary, "serve", "--store", scene.store)
    log_in(scene)
    start_limits(scene)
    start_drf(scene)
    start_php(scene)
    return scene


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def make_store(scene):
    machine.run(scene.binary, "store", "init", scene.store)
    token = scene.postern_command("user", "add", "ann", "--with-token", input=PASSWORD + "\n").strip()
    # Of each algorithm one key. What is presented we sign ourselves.
    for algorithm in ["EdDSA", "ES256"]:
        scene.postern_command("key", "generate", "--algorithm", algorithm)
    scene.credentials = {
        "token": ("Authorization", f"Token {token}"),
        "basic": ("Authorization", "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode())}


def compile_programs(scene):
    for name, libraries in {"limit": ["fcgi"], "crowd": [], "alone": ["sodium", "crypto"]}.items():
        machine.run(
            "gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-o", scene.folder / name, HERE / f"{name}.c",
            *[f"-l{library}" for library in libraries], "-lpthread")


# MARK: nginx

def configure_nginx(scene, scale_names):
    folder = scene.folder
    upstreams, messages = "", ""
    shipped = (SHIPPED / "postern-fastcgi.conf").read_text()
    for name in ["postern", "loops", "shared", *scale_names]:
        (folder / f"{name}.conf").write_text(shipped.replace("fastcgi_pass postern;", f"fastcgi_pass {name};"))
        messages += location(folder, f"/{name}/", name, view="message", message="You are authenticated",
                             permission="IsAuthenticated")
    for name in scale_names:
        messages += location(folder, f"/{name}/tokens/", name, view="token.login", token_lifetime="never")
    for name in ["loops", "shared", "limit-gate", *scale_names]:
        upstreams += upstream(folder, name)
    own = (SHIPPED / "postern-upstream.conf").read_text()
    own = own[:own.index("upstream postern")] + upstream(folder, "postern") + own[own.index("}\n") + 2:]
    (folder / "postern-upstream.conf").write_text(own)

    gate = (SHIPPED / "postern-gate.conf").read_text()
    (folder / "postern-gate.conf").write_text(gate)
    (folder / "limit-gate.conf").write_text(gate.replace("fastcgi_pass postern;", "fastcgi_pass limit-gate;"))
    shutil.copy(SHIPPED / "postern-guard.conf", folder)
    (folder / "message.json").write_text(MESSAGE)
    # What htpasswd makes unless it is told otherwise.
    digest = machine.run("openssl", "passwd", "-apr1", "-stdin", input=PASSWORD + "\n").strip()
    (folder / "htpasswd").write_text(f"ann:{digest}\n")

    fill_in(HERE / "nginx.conf", folder / "nginx.conf", {
        "FOLDER": folder, "BENCHMARKS": HERE, "PORT": scene.port, "GATE_PORT": scene.gate_port,
        "LIMIT_GATE_PORT": scene.limit_gate_port, "USER": "user root;" if os.geteuid() == 0 else "",
        "DESCRIPTORS": scene.descriptors, "CONNECTIONS": min(12_000, scene.descriptors - 100),
        "UPSTREAMS": upstreams, "MESSAGES": messages})


def upstream(folder, name):
    return f"""
    upstream {name} {{
        server unix:{folder}/{name}.sock;
        keepalive 64;
        keepalive_requests 1000000;
    }}
"""


def location(folder, path, name, **parameters):
    lines = "".join(f'            fastcgi_param POSTERN_{key.upper()} "{value}";\n' for key, value in parameters.items())
    return f"        location = {path} {{\n            include {folder}/{name}.conf;\n{lines}        }}\n"


def fill_in(template, path, values):
    text = template.read_text()
    for word, value in values.items():
        text = text.replace(f"@{word}@", str(value))
    path.write_text(text)


# MARK: Responders

def start_responder(scene, name, *command):
    """Starts a responder on a socket of ours as its descriptor 0, as spawn-fcgi and systemd do."""
    with listen(scene.socket(name)) as listener:
        return machine.start(scene.stack, scene.folder, name, *command, stdin=listener)


def start_fresh(scene, stack, command):
    """Starts one more responder, which ends with `stack`; returns it and where it listens."""
    path = scene.socket("fresh")
    stack.callback(path.unlink)
    with listen(path) as listener:
        return machine.start(stack, scene.folder, "fresh", *command, stdin=listener), path


def responder_commands(scene):
    """How the C responder and postern are started, by title."""
    message = ask(scene, "loops").decode()
    return {
        "C, a loop a core": [scene.folder / "limit", message, "loops", CORES],
        "postern": [scene.binary, "serve", "--store", scene.store]}


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(4096)
    return listener


def parameters(**more):
    """What nginx sends for a request of a message, and what is to be another."""
    return {
        "REQUEST_METHOD": "GET", "REQUEST_URI": "/postern/", "DOCUMENT_URI": "/postern/", "QUERY_STRING": "",
        "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "", "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "50000", "HTTP_HOST": "127.0.0.1",
        "POSTERN_VIEW": "message", "POSTERN_MESSAGE": "You are authenticated", "POSTERN_PERMISSION": "IsAuthenticated",
    } | more


def ask(scene, name, **more):
    """What a responder itself prints."""
    with fastcgi.connect(scene.socket(name)) as connection:
        connection.sendall(fastcgi.request(parameters(**more)))
        return fastcgi.answer(connection)


def start_limits(scene):
    """The C responders, which send the same bytes as postern."""
    token = scene.credentials["token"][1]
    message = ask(scene, "postern", HTTP_AUTHORIZATION=token).decode()
    gate = ask(scene, "postern", HTTP_AUTHORIZATION=token, POSTERN_VIEW="gate").decode()
    if MESSAGE not in message or "X-Postern-User: ann" not in gate:
        raise Failure(f"Postern does not answer as it should:\n{message}\n{gate}")
    for name, answer, kind, threads in [
            ("loops", message, "loops", CORES), ("shared", message, "shared", 2 * CORES), ("limit-gate", gate, "loops", CORES)]:
        scene.limits[name] = start_responder(scene, name, scene.folder / "limit", answer, kind, threads)
    for name in ["loops", "shared"]:
        if get(scene, f"/{name}/", scene.credentials["token"]) != get(scene, "/postern/", scene.credentials["token"]):
            raise Failure(f"{name} does not answer what postern answers")


def log_in(scene):
    """Takes a session, and the claims of an access token."""
    wait_until_answered(scene, "postern", "/postern/", scene.credentials["token"])
    body = json.dumps({"username": "ann", "password": PASSWORD})
    _, _, pair = get(scene, "/jwt/", body=body)
    payload = json.loads(pair)["access"].split(".")[1]
    scene.claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    _, fields, _ = get(scene, "/session/", body=body)
    cookies = [value.partition(";")[0] for name, value in fields if name == "Set-Cookie"]
    scene.credentials["session"] = ("Cookie", "; ".join(cookies))


def start_drf(scene):
    database = scene.folder / "drf.sqlite"
    scene.python = python_environment()
    token, access = machine.run(scene.python, HERE / "peers/drf.py", database).split()
    scene.credentials["drf"] = ("Authorization", f"Token {token}")
    scene.credentials["simplejwt"] = ("Authorization", f"Bearer {access}")
    backlog = min(4096, int(machine.read("/proc/sys/net/core/somaxconn")))
    scene.drf = machine.start(
        scene.stack, scene.folder, "drf", "uwsgi", "--plugin", "python3", "--virtualenv", scene.python.parent.parent,
        "--pythonpath", HERE / "peers", "--module", "drf", "--master", "--processes", CORES, "--need-app",
        "--socket", scene.socket("drf"), "--chmod-socket=660", "--listen", backlog, "--disable-logging", "--die-on-term",
        env={**os.environ, "BENCH_DATABASE": str(database), "PYTHONDONTWRITEBYTECODE": "1"})
    for path, name in {"/drf/token/": "drf", "/drf/jwt/": "simplejwt"}.items():
        wait_until_answered(scene, "drf", path, scene.credentials[name])


def python_environment():
    """A virtual environment of Debian's Python, which is uWSGI's, made once for as long as the requirements stay the same."""
    requirements = (HERE / "peers/requirements.txt").read_text()
    folder = HERE.parent / ".build/bench-peers"
    python, stamp = folder / "bin/python", folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements:
        machine.show_progress("installing Django REST Framework")
        shutil.rmtree(folder, ignore_errors=True)
        machine.run("/usr/bin/python3", "-m", "venv", folder)
        machine.run(
            python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement",
            HERE / "peers/requirements.txt")
        stamp.write_text(requirements)
    return python


def start_php(scene):
    programs = sorted(pathlib.Path("/usr/sbin").glob("php-fpm*"))
    if not programs:
        raise Failure("There is no php-fpm in /usr/sbin")
    token = secrets.token_urlsafe(30)
    with contextlib.closing(sqlite3.connect(scene.folder / "php.sqlite")) as database:
        database.executescript("""
            CREATE TABLE user (id INTEGER PRIMARY KEY, username TEXT UNIQUE, is_active INTEGER);
            CREATE TABLE token (digest BLOB PRIMARY KEY, user INTEGER) WITHOUT ROWID;
            INSERT INTO user VALUES (1, 'ann', 1);""")
        database.execute("INSERT INTO token VALUES (?, 1)", (sha256(token.encode()).digest(),))
        database.commit()
    is_root = os.geteuid() == 0
    fill_in(HERE / "peers/php-fpm.conf", scene.folder / "php-fpm.conf", {
        "FOLDER": scene.folder, "CORES": CORES, "USER": "user = root\ngroup = root" if is_root else ""})
    scene.credentials["php"] = ("Authorization", f"Token {token}")
    scene.php = machine.start(
        scene.stack, scene.folder, "php", programs[-1], "--fpm-config", scene.folder / "php-fpm.conf",
        *(["--allow-to-run-as-root"] if is_root else []))
    wait_until_answered(scene, "php", "/php/", scene.credentials["php"])


# MARK: Asking

def get(scene, path, field=None, port=None, body=None):
    """Status, fields and body of an answer, without the fields that nginx adds; a body makes it a POST of JSON."""
    fields = dict([field] if field else []) | ({"Content-Type": "application/json"} if body else {})
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port or scene.port, timeout=60)) as connection:
        connection.request("POST" if body else "GET", path, body, fields)
        answer = connection.getresponse()
        left = [pair for pair in answer.getheaders() if pair[0] not in ("Server", "Date", "Connection")]
        return answer.status, left, answer.read().decode()


def wait_until_answered(scene, name, path, field=None, port=None, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        answer = "nothing"
        with contextlib.suppress(OSError):
            answer = get(scene, path, field, port)
            if answer[0] == 200:
                return
        if time.monotonic() > deadline:
            log = machine.read(scene.folder / f"{name}.log")[-2000:]
            raise Failure(f"{path} answers {answer} instead of 200. {name} says:\n{log}")
        time.sleep(0.05)


def key_path(scene, algorithm):
    """The file of the store's key of that algorithm."""
    for path in (scene.store / "keys").iterdir():
        if json.loads(path.read_text())["alg"] == algorithm:
            return path
    raise Failure(f"The store has no key for {algorithm}")
