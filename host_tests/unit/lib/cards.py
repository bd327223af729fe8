"""For the card table's tests: `make` and `key`, and `Model`, what a table must hold after whatever befell it."""

import asyncio
import hashlib

from fakes import FakeLog
from flashes import CuttableFlash
from station.storage.card_table import CardTable
from station.storage.region import Region


def make(flash=None, blocks=24, block_size=4096):
    """(flash, mounted table, log)"""
    flash = flash or CuttableFlash(blocks, block_size)
    log = FakeLog()
    table = CardTable(Region(flash, 0, flash.blocks), log)
    table.mount()
    return flash, table, log


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
