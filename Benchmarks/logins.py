"""Logins by password: how many a second, and what they do to those who come with a token meanwhile."""

import json
import statistics

import load
import machine
import rounds
import stage
from load import Load, Pool
from machine import CORES

USERS = 32
# As many as keep the cores busy, and fewer than postern lets wait.
CLIENTS = min(32, 4 * CORES)
TOKEN_CLIENTS = 16
# What postern's own hashing threads have (PasswordHasher.swift).
NICENESS = 5


def measure(scene, goals, round_count, seconds):
    logins = Load("/jwt/", pool=bodies(scene), backend=scene.postern)
    rates = {"hashes": [], "logins": []}

    def once(name, is_counted):
        if name == "hashes":
            rate = float(machine.run(scene.folder / "alone", "hashes", CORES, seconds, NICENESS))
        else:
            rate = load.measure(scene, logins, CLIENTS, seconds).rate
        if is_counted:
            rates[name].append(rate)

    rounds.in_turns(list(rates), round_count, once, "logins", warms_up=False)
    ratio = statistics.median(own / its for own, its in zip(rates["logins"], rates["hashes"]))
    print(f"\nLogins by password, {CLIENTS} clients, medians of {round_count} rounds of {seconds} s")
    print(f"  Argon2id alone, {CORES} threads    {statistics.median(rates['hashes']):7.1f} hashes/s")
    print(f"  postern, jwt.obtain         {statistics.median(rates['logins']):7.1f} logins/s, {ratio:.2f} of that")
    goals.add("logins as ratio to Argon2id alone on all cores, at least 0.95", f"{ratio:.2f}", ratio >= 0.95)
    measure_tokens(scene, goals, logins, round_count, seconds)


def measure_tokens(scene, goals, logins, round_count, seconds):
    field = scene.credentials["token"]
    token = Load("/postern/", field, backend=scene.postern)
    same = Load("/loops/", field, backend=scene.limits["loops"])
    p99s = {name: [] for name in ["C", "C, hashes beside", "token", "token, logins beside"]}

    def once(name, is_counted):
        asked = same if name.startswith("C") else token
        if name == "C, hashes beside":
            beside = machine.popen(scene.folder / "alone", "hashes", CORES, seconds + 1, NICENESS)
        elif name == "token, logins beside":
            beside = load.start_wrk(scene, logins, CLIENTS, seconds + 1)
        else:
            beside = None
        try:
            report = load.wrk(scene, asked, TOKEN_CLIENTS, seconds)
            if name == "token, logins beside":
                load.finish_wrk(beside, logins, seconds)
            elif beside:
                beside.wait()
        finally:
            if beside:
                beside.terminate()
                beside.wait()
        machine.settle([scene.nginx, scene.postern])
        if is_counted:
            p99s[name].append(report["p99"])

    rounds.in_turns(list(p99s), round_count, once, "tokens beside logins", warms_up=False)
    print(f"\nA token check while passwords are hashed, {TOKEN_CLIENTS} clients")
    print(f"  {'':24}{'p99 ms':>8}{'to without':>12}")
    ratios = {}
    for name, values in p99s.items():
        alone = p99s["C" if name.startswith("C") else "token"]
        ratios[name] = statistics.median(own / its for own, its in zip(values, alone))
        print(f"  {name:24}{statistics.median(values):8.2f}{ratios[name]:12.2f}")
    ratio = ratios["token, logins beside"]
    goals.add("p99 of a token check beside logins, as ratio to without, at most 2", f"{ratio:.2f}", ratio <= 2)


def bodies(scene):
    """Of many users, for the logins of one wait for each other."""
    lines = ""
    for number in range(10, 10 + USERS):
        machine.show_progress(f"user {number - 9} of {USERS}")
        scene.postern_command("user", "add", f"user{number}", input=stage.PASSWORD + "\n")
        lines += json.dumps({"username": f"user{number}", "password": stage.PASSWORD}) + "\n"
    path = scene.folder / "logins"
    path.write_text(lines)
    return Pool(path, "body")
