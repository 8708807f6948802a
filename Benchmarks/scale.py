"""Does a token check cost the same with ten tokens in the store and with ten million?"""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import load
import machine
import report
import rounds
import stage
from load import Load, Pool

SIZES = [10, 10_000, 1_000_000, 10_000_000]
# As many as keep the cores busy: with fewer, rounds differ by which of nginx's workers got them.
CLIENTS = 64
# So many tokens of each store, or all of them, are asked for in turns.
ASKED = 1000


def sizes(largest):
    return [size for size in SIZES if size < largest] + [largest]


def measure(scene, goals, sizes, round_count, seconds):
    loads, starts, rates, costs = {}, {}, {}, {}
    for size in sizes:
        machine.show_progress(f"a store of {size} tokens")
        loads[size], starts[size] = start(scene, size)
        rates[size], costs[size] = [], []

    def once(size, is_counted):
        sample = load.measure(scene, loads[size], CLIENTS, seconds if is_counted else 1)
        if is_counted:
            rates[size].append(sample.rate)
            costs[size].append(sample.backend)

    rounds.in_turns(list(loads), round_count, once, "tokens in the store")
    print(f"\nTokens in the store, {CLIENTS} clients, medians of {round_count} rounds of {seconds} s")
    print(f"  {'tokens':>10}{'requests/s':>12}{'to 10':>8}{'backend µs':>12}{'start s':>9}{'RSS MB':>9}{'private':>9}{'bytes/token':>13}")
    smallest = SIZES[0]
    ratios = {}
    empty = loads[smallest].backend.memory()[1]
    for size, one in loads.items():
        resident, private = one.backend.memory()
        ratios[size] = statistics.median(own / its for own, its in zip(rates[size], rates[smallest]))
        each = f"{(private - empty) / size:.0f}" if size > smallest else ""
        print(f"  {size:>10}{statistics.median(rates[size]):12.0f}{ratios[size]:8.3f}"
              f"{statistics.median(costs[size]):12.1f}{starts[size]:9.2f}"
              f"{resident / 2**20:9.1f}{private / 2**20:9.1f}{each:>13}")
    goals.add(f"throughput from {sizes[0]} to {sizes[-1]} tokens, within 3 percent", report.each(ratios, 3),
              all(abs(ratio - 1) <= 0.03 for ratio in ratios.values()))


def name(size):
    return f"scale-{size}"


def start(scene, size):
    """A server on a store of so many tokens, the last ones of which are asked for; seconds to its first answer."""
    asked = min(ASKED, size)
    store = scene.disk / name(size)
    filler = scene.binary.parent / "store-benchmark"
    if not filler.exists():
        raise machine.Failure(f"{filler} is missing: make bench builds it")
    machine.run(filler, "fill", store, size - asked)
    first = scene.postern_command("token", "create", "ann", "--expires", "never", store=store).split()[-1]
    began = time.monotonic()
    backend = stage.start_responder(scene, name(size), scene.binary, "serve", "--store", store)
    stage.ask(scene, name(size), HTTP_AUTHORIZATION=f"Token {first}")
    seconds = time.monotonic() - began
    tokens = [first]

    def issue(_):
        status, _, body = stage.get(scene, f"/{name(size)}/tokens/", ("Authorization", f"Token {first}"), body="{}")
        if status != 200:
            raise machine.Failure(f"A token was not issued: {status} {body}")
        return json.loads(body)["token"]

    with ThreadPoolExecutor(16) as threads:
        tokens += threads.map(issue, range(asked - 1))
    path = scene.folder / f"{name(size)}-tokens"
    path.write_text("".join(f"Token {token}\n" for token in tokens))
    return Load(f"/{name(size)}/", pool=Pool(path), backend=backend), seconds
