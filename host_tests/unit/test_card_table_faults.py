"""Card table on flash that fails, wears out, or forgets a bit: what is left, against a model."""

import os
import unittest

from cards import BLOCK, BLOCKS, Model, cards, info, key, make, random_from, removals, small, updates
from flashes import HALF, WAYS


class TestFailingFlash(unittest.TestCase):
    def test_each_operation_once(self):
        """An operation that fails either is made good elsewhere, or the update fails and the old table stays."""
        flash, table, _ = small()
        updates(table, Model())
        for way in WAYS:
            for n in range(1, flash.operations + 1):
                fresh, table, log = small()
                model = Model()
                fresh.fail(n, way)
                updates(table, model)
                model.check(table, range(150))
                self.assertTrue(log.at("error") or log.at("warning"))
                model.check(make(fresh)[1], range(150))

    def test_worn_blocks(self):
        noticed = 0
        for worn in range(BLOCKS):
            flash, table, log = small()
            flash.wear_out(worn)
            model = Model()
            for _ in range(4):
                updates(table, model)
                model.check(table, range(150))
            again = make(flash)[1]
            model.check(again, range(150))
            updates(again, model)
            model.check(make(flash)[1], range(150))
            noticed += bool(log.at("error"))
        self.assertGreater(noticed, BLOCKS // 2)

    def test_block_wears_out_when_it_is_half_full(self):
        """The pages that it holds go to another block with the rest."""
        for n in range(1, 14):
            flash, table, log = make()
            model = Model()
            flash.fail(n, HALF)
            model.send(table, 1, cards(range(600)), full=True)
            model.check(table)
            model.check(make(flash)[1])
            self.assertTrue(log.at("error"))

    def test_too_many_bad_blocks(self):
        flash, table, _ = small()
        model = Model()
        model.send(table, 1, cards(range(60)), full=True)
        bad = [block for block in range(4, BLOCKS) if flash.wear[block] == 0]
        for block in bad:
            flash.wear_out(block)
        with self.assertRaises(OSError):
            model.send(table, 2, cards(range(10)), full=True)
        model.check(table, range(60, 70))
        model.send(table, 2, cards(range(58, 65)))
        model.check(make(flash)[1], range(70))
        self.assertFalse(flash.erases > 100)

    def test_no_state_can_be_written(self):
        flash, table, _ = small()
        model = Model()
        model.send(table, 1, cards(range(60)), full=True)
        for block in range(4):
            flash.wear_out(block)
        for full in (True, False):
            with self.assertRaises(OSError):
                model.send(table, 2, cards(range(10, 70)), full)
            model.check(table, range(70))
            model.check(make(flash)[1], range(70))

    def test_failures_that_pass_are_forgiven(self):
        """More single failures than there are spare blocks."""
        flash, table, _ = small()
        model = Model()
        for version in range(40):
            flash.fail(2)
            model.send(table, version, cards(range(version, version + 60)), full=True)
            model.check(table, range(100))
        model.check(make(flash)[1], range(100))

    def test_small_differential_on_failing_slots(self):
        for n in range(1, 9):
            for way in WAYS:
                flash, table, _ = make()
                model = Model()
                model.send(table, 1, cards(range(60)), full=True)
                flash.fail(n, way)
                model.send(table, 2, [(5, info(50)), (61, info(61)), (7, None)])
                model.check(table, range(70))
                model.check(make(flash)[1], range(70))


class TestFlippedBits(unittest.TestCase):
    def made(self):
        flash, table, _ = small()
        model = Model()
        model.send(table, 1, cards(range(130)), full=True)
        model.send(table, 2, cards(range(120, 140)) + removals(range(0, 130, 9)))
        used = [block for block in range(BLOCKS) if flash.wear[block]]
        return flash, model, used

    def test_one_bit_is_put_right(self):
        seed = int.from_bytes(os.urandom(3), "little")
        print("bits of seed", seed)
        below = random_from(seed)
        flash, model, used = self.made()
        logged = 0
        for _ in range(400):
            at = used[below(len(used))] * BLOCK + below(BLOCK)
            bit = below(8)
            flash.flip(at, bit)
            _, table, log = make(flash)
            model.check(table, range(0, 145, 5))
            self.assertEqual(log.at("error"), [], (at, bit))
            logged += len(log.at("warning"))
            flash.flip(at, bit)
        self.assertGreater(logged, 100)

    def test_one_bit_in_each_page_and_merged(self):
        flash, model, used = self.made()
        for block in used[1:]:
            flash.flip(block * BLOCK + block * 31 % 900, block & 7)
        _, table, _ = make(flash)
        model.check(table, range(145))
        self.assertTrue(model.merge(table))
        model.check(make(flash)[1], range(145))

    def test_more_damage_never_brings_back_what_was_removed(self):
        """Cards may become unknown; no card is told wrong, and a removed one stays removed."""
        below = random_from(11)
        flash, model, used = self.made()
        unknown = 0
        for _ in range(150):
            damaged = flash.after()
            at = used[1 + below(len(used) - 1)] * BLOCK + below(BLOCK - 40)
            for i in range(2 + below(3)):
                damaged.flip(at + i * 9, below(8))
            _, table, log = make(damaged)
            for card in range(145):
                found = table.get(key(card))
                if found != model.cards.get(card):
                    self.assertIsNone(found, (at, card))
                    self.assertTrue(log.at("error"))
                    unknown += 1
        self.assertGreater(unknown, 100)

    def test_damaged_index_is_done_without(self):
        flash, table, _ = make(blocks=256)
        model = Model()
        model.send(table, 1, cards(range(5000)), full=True)
        damaged = 0
        for at in range(4 * 4096, 256 * 4096, 1024):
            if flash.cells[at + 1010] == 2:  # kind of a page, in its trailer
                flash.flip(at + 5, 1)
                flash.flip(at + 505, 1)
                damaged += 1
        self.assertEqual(damaged, 2)
        table, log = make(flash)[1:]
        for card in range(0, 5000, 7):
            self.assertEqual(table.get(key(card)), info(card))
        for card in range(5000, 5100):
            self.assertIsNone(table.get(key(card)))
        self.assertTrue(log.at("error"))

    def test_full_list_mends_what_a_merge_cannot(self):
        flash, table, _ = small()
        model = Model()
        model.send(table, 1, cards(range(130)), full=True)
        first = min(block for block in range(4, BLOCKS) if flash.wear[block])
        flash.flip(first * BLOCK + 3, 3)
        flash.flip(first * BLOCK + 8, 4)
        _, table, log = make(flash)
        self.assertFalse(model.merge(table))
        self.assertFalse(table.merge_due)
        with self.assertRaises(OSError):
            model.send(table, 2, cards(range(100, 400)))
        self.assertEqual((table.version, table.count), (1, 130))
        self.assertTrue(log.at("error"))
        model.send(table, 2, cards(range(130)), full=True)
        model.check(make(flash)[1])
