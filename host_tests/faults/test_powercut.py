"""The power-cut proof: the whole firmware, cut at programs and erases of its flash, started again on what is left.

Each scenario (`scenarios/`) is a story on a flash that counts what is programmed and erased. Its power is cut at the
n-th of these, which is then undone, half done, or done; the station boots on what the flash holds, and all that it
owed must come. `make test` cuts at a sample: points spread evenly, and half as many at random, these torn in other ways
too, with more or less in the journal before, and some cut again in the life after. `make powercut` (`--cuts all`)
cuts at every n in all three ways, and at as many points at random as there are n. The end of the run tells how many
there were.

A point that fails shows how it is run alone.
"""

import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MICROPYTHON = Path(sys.executable).with_name("micropython")
COMMAND = ("-X", "heapsize=16M", (HERE / "runner.py").relative_to(ROOT).as_posix())

SCENARIOS = ("sessions", "lists", "settings", "cache", "full_journal", "no_room", "first_boot", "update", "rolled_back")
WAYS = ("undone", "half", "done")
OTHER_WAYS = (*WAYS, "tail", "torn")
AHEAD = 30  # records that may be in the journal before: words of its smallest blocks
AGAIN = 0.3  # of the points at random are followed by a second cut
CHUNK = 40  # points of one process
SHOWN = 3  # failures
LIMIT_S = 3600


def run(scenario, *points):
    """The runner's outcomes, one for each line."""
    words = [MICROPYTHON, *COMMAND, scenario, *points]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=LIMIT_S, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(outcomes) < max(1, len(points)):
        lost = {"failure": f"MicroPython ended with status {done.returncode}", "seen": done.stderr[-4000:]}
        outcomes.append({"point": points[len(outcomes)] if points else "", **lost})
    return outcomes


def choose(operations, after, wanted, seed):
    """The points of a scenario: `wanted` of them, or "all"."""
    lots = random.Random(seed)
    if wanted == "all":
        points = [f"{n}.{way}" for n in range(1, operations + 1) for way in WAYS]
        extra = operations
    else:
        extra = int(wanted) // 3
        even = int(wanted) - extra
        points = [f"{1 + i * operations // even}.{WAYS[i % len(WAYS)]}" for i in range(even)]
    for _ in range(extra):
        point = f"{lots.randint(1, operations)}.{lots.choice(OTHER_WAYS)}@{lots.randrange(AHEAD)}"
        if lots.random() < AGAIN:
            point += f"+{lots.randint(1, after)}.{lots.choice(OTHER_WAYS)}"
        points.append(point)
    return list(dict.fromkeys(points))


class Proof:
    """All scenarios, each in several processes; `outcome(scenario)` waits for one of them."""

    def __init__(self, wanted, seed):
        self.seed = seed
        self._wanted = wanted
        self._pool = ThreadPoolExecutor(os.cpu_count())
        counts = {name: self._pool.submit(run, name) for name in SCENARIOS}
        self._parts = {name: self._start(name, *count.result()) for name, count in counts.items()}

    def _start(self, name, uncut):
        if "failure" in uncut:
            return 0, [], [self._pool.submit(lambda: [uncut])]
        points = choose(uncut["operations"], uncut["after"], self._wanted, self.seed)
        chunks = [points[i : i + CHUNK] for i in range(0, len(points), CHUNK)]
        return uncut["operations"], points, [self._pool.submit(run, name, *chunk) for chunk in chunks]

    def outcome(self, name):
        """(programs and erases, points, outcomes)"""
        operations, points, futures = self._parts[name]
        return operations, points, [row for future in futures for row in future.result()]

    def close(self):
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def proof(request):
    seed = request.config.getoption("--cuts-seed")
    running = Proof(request.config.getoption("--cuts"), random.randrange(1 << 31) if seed is None else seed)
    yield running
    running.close()


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost(name, proof, record_property):
    operations, points, outcomes = proof.outcome(name)
    record_property("power cuts", tell(name, operations, points, proof.seed))
    failures = [row for row in outcomes if "failure" in row]
    if failures:
        pytest.fail(report(name, failures, len(points), proof.seed), pytrace=False)


@pytest.mark.parametrize(
    ("name", "point", "said"),
    [
        ("sessions", "20.done-journal", "message ids of two lives"),
        ("settings", "60.done-filesystem", "not one of"),
        ("lists", "120.done-cards", "version 0, not one of"),
        ("cache", "60.done-cache", "is forgotten"),
    ],
)
def test_a_loss_is_noticed(name, point, said):
    """The firmware's flash is wiped behind its back: the scenarios must be able to fail."""
    (outcome,) = run(name, point)
    assert said in outcome.get("failure", "all was well")


def tell(name, operations, points, seed):
    places = len({point.partition(".")[0] for point in points})
    twice = sum("+" in point for point in points)
    return (
        f"{name}: cut at {len(points)} points, {places} of {operations} programs and erases, "
        f"{twice} of them cut again; seed {seed}"
    )


def report(name, failures, total, seed):
    """The first failures, whole, and how each is run alone."""
    parts = [f"{len(failures)} of {total} power cuts of {name} went wrong, seed {seed}:"]
    parts.append(" ".join(row.get("point") or "without a cut" for row in failures))
    for row in failures[:SHOWN]:
        point = row.get("point", "")
        alone = " ".join(("build/venv/bin/micropython", *COMMAND, name, point))
        parts += [f"\n--- {point or 'without a cut'}: run it alone with\n{alone}", row["seen"], row["failure"]]
    return "\n".join(parts)
