"""For the card table's tests: `make` and `small`, `key` and `info`; `Model`, what a table must hold after whatever
befell it; `updates` and `staged`, two scenarios."""

import asyncio
import hashlib

from fakes import FakeLog
from flashes import CuttableFlash
from station.storage.card_table import CardTable
from station.storage.region import Region

BLOCK = 1024  # bytes: of a small flash that is for cuts, one page, so that a table takes many
BLOCKS = 60


def make(flash=None, blocks=24, block_size=4096):
    """(flash, mounted table, log)"""
    flash = flash or CuttableFlash(blocks, block_size)
    log = FakeLog()
    table = CardTable(Region(flash, 0, flash.blocks), log)
    table.mount()
    return flash, table, log


def small(flash=None, blocks=BLOCKS):
    """`make` with blocks of BLOCK bytes."""
    return make(flash, blocks, BLOCK)


def key(number):
    return hashlib.sha256(b"card %d" % number).digest()[:10]


def info(number):
    """What a card may have: every combination of having a parent or not, expiring or not."""
    parent = hashlib.sha256(b"parent %d" % number).digest()[:8] if number % 3 else None
    return number % 5, number * 7919 & 0xFFFFFFFF if number % 2 else 0, parent


async def send(table, version, changes, full):
    """One SendLocalList: `changes` is [(card, info or None)], in their order."""
    update = table.begin()
    for card, what in changes:
        if what is None:
            await update.remove(key(card))
        else:
            await update.put(key(card), *what)
    await (update.commit_full(version) if full else update.commit_differential(version))


class Model:
    """The list and its version, written down as they were sent; `pending` is what may have come to hold instead."""

    def __init__(self):
        self.version = 0
        self.cards = {}
        self.pending = None

    def send(self, table, version, changes, full=False):
        changes = list(changes)
        cards = {} if full else dict(self.cards)
        for card, what in changes:
            if what is None:
                cards.pop(card, None)
            else:
                cards[card] = what
        self.pending = version, cards
        asyncio.run(send(table, version, changes, full))
        self.take_pending()

    def merge(self, table):
        return asyncio.run(table.merge())

    def take_pending(self):
        self.version, self.cards = self.pending
        self.pending = None

    def check(self, table, others=()):
        """Compare with a table, mounted again perhaps; `others` are cards that may have been removed."""
        if self.pending and table.version == self.pending[0]:
            self.take_pending()
        self.pending = None
        assert table.version == self.version, (table.version, self.version)
        assert table.count == len(self.cards), (table.count, len(self.cards))
        for card, what in self.cards.items():
            assert table.get(key(card)) == what, (card, table.get(key(card)), what)
        for card in others:
            if card not in self.cards:
                assert table.get(key(card)) is None, card


def random_from(seed):
    """A function n -> 0 … n-1 that does not depend on the port."""
    state = seed

    def below(limit):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (state >> 33) % limit

    return below


def cards(*ranges):
    return [(number, info(number)) for part in ranges for number in part]


def removals(numbers):
    return [(number, None) for number in numbers]


def updates(table, model):
    """Full and Differential, small and too large for the delta, merged on the way and aside."""
    model.send(table, model.version + 1, cards(range(60)), full=True)
    model.send(table, model.version + 1, [(5, info(50)), (61, info(61)), (7, None)])
    model.send(table, model.version + 1, removals(range(10, 14)))
    model.merge(table)
    model.send(table, model.version + 1, [(5, info(51)), (12, info(12)), (61, None)])
    model.send(table, model.version + 1, cards(range(100, 150)) + removals(range(20, 40)))
    model.send(table, model.version + 1, [], full=True)
    model.send(table, model.version + 1, cards((1, 2)))


def staged(table, model):
    """An update that is larger than RAM."""
    model.send(table, model.version + 1, cards(range(400)) + removals(range(0, 400, 2)), full=True)
    model.send(table, model.version + 1, cards(range(0, 400, 4)) + removals(range(1, 400, 4)) + cards(range(500, 700)))
