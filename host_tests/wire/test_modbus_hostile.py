"""The meter driver against a slave that does everything wrong: right numbers or MeterError, in bounded time, never
wrong numbers, and well again afterwards."""

import contextlib
import os
import random

import pytest
from hostile_slave import WORDS, HostileSlave
from line import Driver, Line

THINKS_MS = 150  # enough for a slave on a busy machine
# three tries: silence of up to 250 ms, the slave, twice what bytes without end are listened to; and a busy machine
BOUND_MS = 3 * (250 + 50 + 4 * THINKS_MS) + 1000
# what the driver makes good by itself, in one try
HARMLESS = ("good", "garbage before", "garbage after", "split", "echo", "twice", "foreign first")
# nothing usable comes of these
HOPELESS = tuple(word for word in WORDS if word not in HARMLESS and word != "late")


@contextlib.asynccontextmanager
async def slave_and_driver(script=(), seed=0):
    slave = HostileSlave(script, seed, THINKS_MS)
    line = Line(slave.received)
    slave.write = line.write
    try:
        async with Driver(line.path) as driver:
            yield slave, driver
    finally:
        slave.stop()
        line.close()


async def read(driver):
    answer = await driver.read("SDM630", thinks_ms=THINKS_MS)
    assert answer["ms"] <= BOUND_MS, answer
    return answer


def is_true(answer, slave, since):
    """Do the numbers belong to one request that was sent since then?"""
    return any(answer["numbers"] == slave.numbers(n) for n in range(since, slave.requests + 1))


@pytest.mark.parametrize("word", HARMLESS)
async def test_what_does_no_harm(word):
    async with slave_and_driver([word] * 5, seed=7) as (slave, driver):
        for n in range(1, 6):
            answer = await read(driver)
            assert answer.get("numbers") == slave.numbers(n), f"{word}: {answer}"


@pytest.mark.parametrize("word", HOPELESS)
async def test_what_no_try_makes_good_is_an_error_and_the_next_read_is_well(word):
    async with slave_and_driver([word] * 3, seed=7) as (slave, driver):
        answer = await read(driver)
        assert "3 tries" in answer["error"]
        assert slave.requests == 3
        answer = await read(driver)
        assert answer.get("numbers") == slave.numbers(slave.requests), answer


@pytest.mark.parametrize("word", HOPELESS)
async def test_one_bad_reply_is_made_good_by_the_next_try(word):
    async with slave_and_driver([word], seed=8) as (slave, driver):
        answer = await read(driver)
        assert answer.get("numbers") == slave.numbers(slave.requests), answer
        assert slave.requests == 2


async def test_a_slave_that_is_always_late():
    """Its reply to one try may come during the next: that is its number all the same, and not older than one read."""
    async with slave_and_driver(["late"] * 12, seed=9) as (slave, driver):
        since = 1
        for _ in range(4):
            before = slave.requests
            answer = await read(driver)
            assert "error" in answer or is_true(answer, slave, since), answer
            since = before + 1
        while slave.script:
            await read(driver)
        await read(driver)
        answer = await read(driver)
        assert answer.get("numbers") == slave.numbers(slave.requests), answer


async def test_at_random():
    seed = int(os.environ.get("LADEPUNKT_SEED", random.randrange(10**6)))
    choose = random.Random(seed)
    script = choose.choices(WORDS, k=80)
    good = 0
    async with slave_and_driver(script, seed) as (slave, driver):
        since = 1
        while slave.script:
            before = slave.requests
            answer = await read(driver)
            told = f"LADEPUNKT_SEED={seed}: {answer} after {script[before : slave.requests]}"
            assert "error" in answer or is_true(answer, slave, since), told
            if "error" in answer:
                used = script[before : slave.requests]
                assert len(used) == 3 and not set(used) & set(HARMLESS), told
            else:
                good += 1
            since = before + 1
        answer = await read(driver)
        answer = await read(driver)
        assert answer.get("numbers") == slave.numbers(slave.requests), f"LADEPUNKT_SEED={seed}"
    assert good >= 8, f"LADEPUNKT_SEED={seed}"
