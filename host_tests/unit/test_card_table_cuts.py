"""Card table on flash that loses its power at any program or erase: what is left, against a model."""

import asyncio
import os
import unittest

from cards import BLOCK, BLOCKS, Model, cards, info, key, make, random_from, removals, small, staged, updates
from flashes import HALF, TORN, WAYS, CuttableFlash, PowerCut
from station.storage.card_table import TableFull, UpdateEnded


class TestPowerCut(unittest.TestCase):
    def every_cut(self, scenario, step=1, blocks=BLOCKS):
        """Cut `scenario` at each operation in each way; twice: again while going on with what was left."""
        flash, table, _ = small(blocks=blocks)
        scenario(table, Model())
        total = flash.operations
        self.assertGreater(total, 40)
        points = 0
        for way in WAYS:
            for n in range(1, total + 1, step):
                model = Model()
                flash = CuttableFlash(blocks, BLOCK)
                for cut_at in (n, 1 + n % 11):
                    _, table, _ = make(flash)
                    flash.cut(cut_at, way)
                    try:
                        scenario(table, model)
                    except PowerCut:
                        points += 1
                    flash = flash.after()
                    _, table, log = make(flash)
                    model.check(table, range(0, 150))
                    self.assertEqual(log.at("error"), [])
                model.send(table, -5, cards((3, 77)))
                model.check(make(flash)[1], range(0, 150, 3))
        print("%d cuts in %s of %d operations" % (points, scenario.__name__, total))
        self.assertGreaterEqual(points, len(WAYS) * (total // step))

    def test_updates(self):
        self.every_cut(updates)

    def test_staged(self):
        self.every_cut(staged, step=5, blocks=120)

    def test_many_updates_that_did_not_end(self):
        """More than are remembered one by one, between two merges."""
        flash, table, _ = small()
        model = Model()
        model.send(table, 1, cards(range(60)), full=True)
        cuts = 0
        for turn in range(40):
            flash.cut(3 + turn % 2, (HALF, TORN)[turn // 2 % 2])
            try:
                model.send(table, 2 + turn, removals(range(turn, 60, 3)))
            except PowerCut:
                cuts += 1
            flash = flash.after()
            _, table, _ = make(flash)
            model.check(table, range(70))
        self.assertGreater(cuts, 30)
        model.send(table, 99, removals(range(30)))
        model.check(make(flash)[1], range(70))

    def test_states_fill_their_blocks(self):
        """A state moves on to another block now and then; a cut there must leave the one before."""
        for way in WAYS:
            flash, table, _ = small()
            model = Model()
            model.send(table, 1, cards((100,)), full=True)
            for turn in range(80):
                flash.cut(1 + turn * 7 % 23, way)
                try:
                    for _ in range(12):
                        model.send(table, model.version + 1, cards((turn,)))
                except PowerCut:
                    pass
                flash = flash.after()
                _, table, _ = make(flash)
                model.check(table, range(60))
            self.assertGreater(min(flash.wear[:4]), 1)


class TestRandom(unittest.TestCase):
    def life(self, seed, steps):
        """Updates of all kinds, aborted, cut, failing; restarts; each time against the model."""
        below = random_from(seed)
        flash, table, _ = small()
        model = Model()
        cuts = 0
        for _ in range(steps):
            chance = below(10)
            if chance < 3:
                flash.cut(1 + below(25), WAYS[below(len(WAYS))])
            elif chance < 5:
                flash.fail(1 + below(25), WAYS[below(len(WAYS))])
            elif chance == 5 and below(30) == 0:
                flash.wear_out(below(BLOCKS))
            try:
                if below(4) == 0:
                    model.merge(table)
                else:
                    count = (1, 3, 10, 60)[below(4)]
                    changes = [(below(130), info(below(99)) if below(3) else None) for _ in range(count)]
                    model.send(table, below(1 << 31), changes, full=below(8) == 0)
            except PowerCut:
                cuts += 1
            except (OSError, TableFull):
                model.pending = None  # else it failed, but is there
            if flash.dead or below(5) == 0:
                flash = flash.after()
                _, table, _ = make(flash)
            model.check(table, range(0, 130, 4))
        model.check(table, range(130))
        return cuts

    def test_lives(self):
        fresh = int.from_bytes(os.urandom(3), "little")
        total = 0
        for seed in [1, 2] + [fresh + i for i in range(6)]:
            try:
                total += self.life(seed, 120)
            except Exception:
                print("TestRandom failed with seed %d" % seed)
                raise
        print("seeds from %d, %d cuts" % (fresh, total))
        self.assertGreater(total, 100)

    def test_aborts_between(self):
        flash, table, _ = small()
        model = Model()

        async def aborted(number):
            update = table.begin()
            for card in range(number):
                await update.put(key(card), *info(card + 1))
            task = asyncio.create_task(update.commit_differential(77))
            for _ in range(number % 5):
                await asyncio.sleep_ms(0)
            update.abort()
            with self.assertRaises(UpdateEnded):
                await task

        for number in range(20, 50):
            model.send(table, number, cards((number, number + 40)))
            asyncio.run(aborted(number))
            model.check(table, range(80))
        model.check(make(flash)[1], range(80))
