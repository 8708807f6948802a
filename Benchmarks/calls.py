"""System calls a request, counted by strace outside of the timed rounds."""

import re
import signal
import time

import load
import machine

CLIENTS = 16


def count(scene, subjects):
    """Of each subject that has a backend, by the name of the call."""
    counts = {}
    for name, subject in subjects.items():
        if subject.load.backend:
            machine.show_progress(f"counting system calls: {subject.title}")
            counts[name] = calls(scene, subject)
    machine.show_progress("")
    return counts


def calls(scene, subject):
    report = scene.folder / "strace"
    if subject.load.prepare:
        subject.load.prepare(10)
    # What happens once is no part of a request. This warms up for the comparison, too.
    load.wrk(scene, subject.load, CLIENTS, 1, subject.port)
    processes = [word for pid in subject.load.backend.ids() for word in ("-p", str(pid))]
    tracer = machine.popen("strace", "-f", "-c", "-U", "calls,name", "-o", report, *processes)
    try:
        time.sleep(0.5)
        before = load.requests(scene)
        load.wrk(scene, subject.load, CLIENTS, 1, subject.port)
        machine.settle([subject.load.backend, scene.nginx])
        requests = load.requests(scene) - before - 1
    finally:
        tracer.send_signal(signal.SIGINT)
        said, _ = tracer.communicate(timeout=30)
    found = re.findall(r"^\s*(\d+)\s+(\w+)\s*$", machine.read(report), re.MULTILINE)
    counts = {name: int(number) / requests for number, name in found if name != "total"}
    if not counts:
        raise machine.Failure(f"strace counts nothing:\n{said}")
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
