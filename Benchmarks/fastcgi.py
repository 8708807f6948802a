"""A FastCGI client: as little of it as one request needs (FastCGI 1.0, sections 3 to 5)."""

import socket
import struct

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
RESPONDER, KEEP_CONNECTION = 1, 1


def request(parameters, body=b""):
    """The records of a request, after which the connection stays open. A body has at most 65,535 bytes."""
    pairs = b"".join(length(name) + length(value) + name + value for name, value in (
        (name.encode(), value.encode()) for name, value in parameters.items()))
    begin = struct.pack(">HB5x", RESPONDER, KEEP_CONNECTION)
    content = record(STDIN, body) if body else b""
    return record(BEGIN_REQUEST, begin) + record(PARAMS, pairs) + record(PARAMS, b"") + content + record(STDIN, b"")


def length(text):
    return bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)


def record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def answer(connection):
    """What the responder prints in answer to a request: fields, an empty line, the body."""
    output = b""
    while True:
        _, kind, _, count, padding, _ = struct.unpack(">BBHHBB", receive(connection, 8))
        content = receive(connection, count + padding)[:count]
        if kind == STDOUT:
            output += content
        elif kind == END_REQUEST:
            return output


def receive(connection, count):
    received = b""
    while len(received) < count:
        more = connection.recv(count - len(received))
        if not more:
            raise ConnectionError("The responder has closed the connection")
        received += more
    return received


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(600)
    connection.connect(str(path))
    return connection
