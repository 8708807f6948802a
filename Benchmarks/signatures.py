"""What it costs to see a JSON Web Token for the first time, beside its signature alone."""

import statistics
from concurrent.futures import ThreadPoolExecutor

import load
import machine
import rounds
import subjects
from load import Load
from machine import CORES

ALGORITHMS = ["HS256", "EdDSA", "ES256"]
CLIENTS = [16, 64]


def measure(scene, goals, round_count, seconds, count):
    """Prints microseconds of CPU of an unseen token beyond those of a Token and of the signature alone; `count` tokens are
    signed beforehand."""
    pools = {algorithm: subjects.signed(scene, algorithm, count, "first") for algorithm in ALGORITHMS}
    length = len(pools["HS256"].path.read_text().splitlines()[0].removeprefix("Bearer ").rpartition(".")[0])
    token = Load("/postern/", scene.credentials["token"], backend=scene.postern)
    costs = {(name, clients): [] for name in ["token", *ALGORITHMS] for clients in CLIENTS}
    alone = {algorithm: [] for algorithm in ALGORITHMS}

    def once(who, is_counted):
        name, clients = who
        one = token if name == "token" else Load("/postern/", pool=pools[name], backend=scene.postern)
        sample = load.measure(scene, one, clients, seconds if is_counted else 1)
        if is_counted:
            costs[who].append(sample.backend)
        if is_counted and who == ("token", CLIENTS[0]):
            # On all cores at once, for under load all are busy too, and what they share slows each of them down.
            with ThreadPoolExecutor(CORES) as pool:
                outputs = list(pool.map(lambda _: machine.run(scene.folder / "alone", "signatures", length), range(CORES)))
            for algorithm, *figures in zip(ALGORITHMS, *(output.split() for output in outputs)):
                alone[algorithm].append(statistics.mean(float(figure) for figure in figures))

    rounds.in_turns(list(costs), round_count, once, "signatures")
    print(f"\nJSON Web Tokens seen for the first time, µs of CPU of the backend a request, medians of {round_count} rounds of "
          f"{seconds} s")
    print(f"  {'':8}{'clients':>8}{'unseen':>8}{'Token':>8}{'signature':>11}{'beyond':>8}")
    for algorithm in ALGORITHMS:
        for clients in CLIENTS:
            unseen, known = costs[algorithm, clients], costs["token", clients]
            beyond = statistics.median(own - its - signature for own, its, signature in zip(unseen, known, alone[algorithm]))
            print(f"  {algorithm:8}{clients:8}{statistics.median(unseen):8.1f}{statistics.median(known):8.1f}"
                  f"{statistics.median(alone[algorithm]):11.1f}{beyond:8.1f}")
            goals.add(f"JWT unseen, {algorithm}, {clients} clients: µs of CPU beyond a token and the signature alone, at most 10",
                      f"{beyond:.1f}", beyond <= 10)
