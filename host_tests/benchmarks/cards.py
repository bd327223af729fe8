"""In MicroPython: what the card table costs. Prints one JSON object, for each number of cards

    micropython -X heapsize=256K cards.py FLASH.bin [CARDS …]

put_s, commit_s        a Full list of so many: received into flash, and made the table
lookup_reads, _bytes   from flash for one card, on average, half of them known; and at most
lookup_us              time of one lookup, hashing included
flash_per_card         bytes of flash blocks that hold the list, with the room for changes, a card
tree_per_card          of these, pages programmed for the list itself
growth                 of the heap while the list is received and committed, at most, in bytes
rest                   of the heap for the table once it is mounted
mount_ms               time to mount it
slice_us               the longest that the loop was held by any of this
differential_s, merges the same cards as Differentials of 1,000, on blank flash, and new trees that this made; not of
                       more than 10,000 cards
differential_growth    of the heap meanwhile, at most
differential_bytes     programmed for a Differential of one card

FLASH.bin is made anew for each number, as large as the unix board's region. The heap may be small: the flash is a file.
"""

import asyncio
import gc
import json
import os
import sys
import time

HERE = __file__.rsplit("/", 1)[0]
for path in ("/../unit/lib", "/../../boards/unix", "/../../firmware"):
    sys.path.insert(0, HERE + path)

from fakes import FakeLog  # noqa: E402
from flash import FileFlash  # noqa: E402
from station.storage.card_table import CardTable  # noqa: E402
from station.storage.cards.card_hash import CardHash  # noqa: E402
from station.storage.region import Region  # noqa: E402

_BLOCKS = 2048
_LOOKUPS = 2000
_DIFFERENTIAL = 1000
_MOST_BY_DIFFERENTIALS = 10_000  # more take long; `lists.py` sends them to the whole station
_SAMPLE_TURNS = 97  # of the loop, between two looks at the heap
_STATUS, _EXPIRY = 0, 1_900_000_000

hashes = CardHash(bytes(range(32)))


def card(number):
    return hashes.of("CARD%08d" % number)


def heap():
    gc.collect()
    return gc.mem_alloc()


class Watch:
    """A task beside the work: `growth` of the heap at most, garbage not counted; `slice_us`, the longest that the work
    held the loop."""

    def __init__(self):
        self._least = self._most = heap()
        self.slice_us = 0
        self._task = asyncio.create_task(self._run())

    @property
    def growth(self):
        return self._most - self._least

    async def _run(self):
        while True:
            for _ in range(_SAMPLE_TURNS):
                began = time.ticks_us()
                await asyncio.sleep_ms(0)
                self.slice_us = max(self.slice_us, time.ticks_diff(time.ticks_us(), began))
            self.look()

    def look(self):
        self._most = max(self._most, heap())

    def end(self):
        self._task.cancel()


def fresh(path):
    try:
        os.remove(path)
    except OSError:
        pass
    return FileFlash(path, _BLOCKS)


def mount(flash):
    table = CardTable(Region(flash, 0, _BLOCKS), FakeLog())
    table.mount()
    return table


async def receive(table, count, figures):
    watch = Watch()
    began = time.ticks_ms()
    update = table.begin()
    parent = hashes.parent("FLEET")
    for number in range(count):
        await update.put(card(number), _STATUS, _EXPIRY, parent)
        if number % 16 == 0:
            await asyncio.sleep_ms(0)
    between = time.ticks_ms()
    watch.look()
    await update.commit_full(1)
    ended = time.ticks_ms()
    watch.end()
    figures["put_s"] = time.ticks_diff(between, began) / 1000
    figures["commit_s"] = time.ticks_diff(ended, between) / 1000
    figures["growth"] = watch.growth
    figures["slice_us"] = watch.slice_us


async def differentials(table, count, figures):
    watch = Watch()
    merges = 0
    for first in range(0, count, _DIFFERENTIAL):
        update = table.begin()
        for number in range(first, min(count, first + _DIFFERENTIAL)):
            await update.put(card(number), _STATUS, _EXPIRY)
        generation = table._store.state.generation
        await update.commit_differential(first + 1)
        merges += table._store.state.generation != generation
    watch.end()
    figures["merges"] = merges
    figures["differential_growth"] = watch.growth
    figures["slice_us"] = max(figures["slice_us"], watch.slice_us)


async def one_more(table, number):
    update = table.begin()
    await update.put(card(number), _STATUS, _EXPIRY)
    await update.commit_differential(2)


def lookups(flash, table, count, figures):
    reads, read = flash.reads, flash.bytes_read
    most_reads = most_bytes = 0
    began = time.ticks_us()
    for i in range(_LOOKUPS):
        number = i * 7919 % max(1, count) + (count if i & 1 else 0)
        was, had = flash.reads, flash.bytes_read
        known = table.get(card(number)) is not None
        if known != (number < count):
            raise AssertionError(number)
        most_reads = max(most_reads, flash.reads - was)
        most_bytes = max(most_bytes, flash.bytes_read - had)
    figures["lookup_us"] = time.ticks_diff(time.ticks_us(), began) / _LOOKUPS
    figures["lookup_reads"] = [(flash.reads - reads) / _LOOKUPS, most_reads]
    figures["lookup_bytes"] = [(flash.bytes_read - read) / _LOOKUPS, most_bytes]


def measure(path, count):
    figures = {}
    flash = fresh(path)
    asyncio.run(receive(mount(flash), count, figures))
    before = heap()
    began = time.ticks_us()
    table = mount(flash)
    figures["mount_ms"] = time.ticks_diff(time.ticks_us(), began) / 1000
    figures["rest"] = heap() - before
    lookups(flash, table, count, figures)
    figures["flash_per_card"] = table.flash_bytes / max(1, count)
    figures["tree_per_card"] = tree_bytes(count) / max(1, count)
    programmed = flash.bytes_programmed
    asyncio.run(one_more(table, 3 * count + 1))
    figures["differential_bytes"] = flash.bytes_programmed - programmed
    flash.close()
    if count <= _MOST_BY_DIFFERENTIALS:
        measure_differentials(path, count, figures)
    os.remove(path)
    return figures


def measure_differentials(path, count, figures):
    flash = fresh(path)
    began = time.ticks_ms()
    table = mount(flash)
    asyncio.run(differentials(table, count, figures))
    figures["differential_s"] = time.ticks_diff(time.ticks_ms(), began) / 1000
    if table.count != count:
        raise AssertionError(table.count)
    flash.close()


def tree_bytes(count):
    from station.storage.cards import tree

    return tree.pages(count) * 1024


sizes = [int(word) for word in sys.argv[2:]] or [48, 1000, 10000, 100000]
print(json.dumps({"cards.%d" % size: measure(sys.argv[1], size) for size in sizes}))
