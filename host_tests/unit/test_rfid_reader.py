"""drivers/rfid_reader.py against the models of chip and cards: who is told and when, a chip that dies and returns."""

import asyncio
import time
import unittest

from iso14443_cards import Card
from rfid import Bench, Uids, run
from station.drivers.rfid_reader import MAX_CARDS

ONE, TWO = b"\x11\x22\x33\x44", b"\x04\x11\x22\x33\x44\x55\x66"


class TestCards(unittest.TestCase):
    def setUp(self):
        self.bench = Bench()
        self.field = self.bench.field

    def tearDown(self):
        self.assertEqual(self.bench.model.wrong, [])

    def told(self, ms):
        tags, errors = self.bench.read_for(ms)
        self.assertEqual(errors, [])
        return tags

    def test_a_card_is_told_within_two_rounds(self):
        self.told(500)
        self.field.card_in(ONE)
        self.assertEqual(self.told(250), [ONE.hex()])

    def test_a_card_that_stays_is_told_once(self):
        self.field.card_in(TWO)
        self.assertEqual(self.told(10_000), [TWO.hex()])

    def test_a_card_that_was_away_is_told_again(self):
        self.field.card_in(ONE)
        self.told(500)
        self.field.card_out(ONE)
        self.assertEqual(self.told(500), [])
        self.field.card_in(ONE)
        self.assertEqual(self.told(500), [ONE.hex()])

    def test_a_card_that_was_away_for_a_moment_is_not(self):
        self.field.card_in(ONE)
        self.told(500)
        self.field.card_out(ONE)
        self.told(150)
        self.field.card_in(ONE)
        self.assertEqual(self.told(1000), [])

    def test_several_cards_at_once_are_each_told_once(self):
        uids = Uids().some(5)
        self.bench.put(*uids)
        self.assertEqual(sorted(self.told(3000)), sorted([uid.hex() for uid in uids]))

    def test_one_comes_while_another_stays(self):
        self.field.card_in(ONE)
        self.told(500)
        self.field.card_in(TWO)
        self.assertEqual(self.told(500), [TWO.hex()])
        self.field.card_out(ONE)
        self.told(1000)
        self.field.card_in(ONE)
        self.assertEqual(self.told(500), [ONE.hex()])

    def test_more_cards_than_it_keeps_are_told_when_there_is_room(self):
        uids = Uids().some(MAX_CARDS + 2)
        self.bench.put(*uids)
        first = self.told(3000)
        self.assertEqual(len(set(first)), MAX_CARDS)
        for tag in first:
            self.field.card_out(bytes.fromhex(tag))
        rest = self.told(3000)
        self.assertEqual(sorted(first + rest), sorted([uid.hex() for uid in uids]))

    def test_a_wrong_card_does_not_hide_the_others(self):
        """Whatever side of a difference it is on."""
        draw = Uids()
        for fault in ("bcc", "crc", "mute", "dead", "noisy"):
            for _ in range(4):
                self.setUp()
                wrong, *right = draw.some(4)
                if (
                    fault == "crc"
                ):  # of more bytes, it may answer a SELECT together with a right one, for which no help is
                    wrong = draw.one(4)
                self.bench.put(wrong, fault=fault)
                self.bench.put(*right)
                expected = sorted([uid.hex() for uid in right] + ([wrong.hex()] if fault == "noisy" else []))
                self.assertEqual(sorted(self.told(2500)), expected, "%s, seed %d" % (fault, draw.seed))

    def test_a_wrong_card_whose_uid_begins_like_a_right_one(self):
        """They differ first in the check byte of a level, behind the last place that a collision can be told of."""
        right = (b"\x27\x7c\xb2\xed\xc6\x4e\xb6\xcc\xde\x28", b"\xfa\x99\x27\x0d")
        self.bench.put(b"\x27\x7c\xb2\xac\x64\x58\xf8", fault="bcc")
        self.bench.put(*right)
        self.assertEqual(sorted(self.told(10_000)), sorted([uid.hex() for uid in right]))

    def test_a_weak_card_is_read(self):
        self.bench.put(ONE, fault="weak")
        self.assertEqual(self.told(5000), [ONE.hex()])

    def test_a_card_that_cannot_be_read_is_logged_once(self):
        self.bench.put(ONE, fault="bcc")
        self.assertEqual(self.told(3000), [])
        (line,) = self.bench.log.at("warning")
        self.assertIn("wrong check byte", line)

    def test_a_random_uid_is_no_id_tag(self):
        draw = Uids()
        self.field.put(Card(lambda: b"\x08" + draw.one(4)[:3]))
        self.assertEqual(self.told(3000), [])
        (line,) = self.bench.log.at("warning")
        self.assertIn("random", line)
        self.field.card_in(b"\x08" + TWO[1:])  # of seven bytes it is a maker's number like any other
        self.assertEqual(self.told(500), ["08" + TWO[1:].hex()])

    def test_a_card_without_id_tag_is_logged_once_and_ignored(self):
        def refuse(uid):
            raise ValueError("too long by 7")

        self.bench.reader._id_tag = refuse
        self.field.card_in(ONE)
        self.assertEqual(self.told(2000), [])
        (line,) = self.bench.log.at("warning")
        self.assertIn("too long by 7", line)

    def test_the_field_is_off_between_rounds(self):
        on = [0, 0]

        async def main():
            reading = asyncio.create_task(self.bench.reader.read())
            for _ in range(1000):
                await asyncio.sleep_ms(1)
                on[self.field._on] += 1
            reading.cancel()

        run(main())
        print("field on for %d of %d ms with no card in it" % (on[1], sum(on)))
        self.assertLess(on[1], 200)
        self.assertGreater(on[1], 30)

    def test_the_swipe_of_a_tester(self):
        """The same card twice in a row is two swipes, whatever the reader is doing."""
        self.field.swipe(ONE)
        self.field.swipe(ONE)
        self.assertEqual(self.told(5000), [ONE.hex(), ONE.hex()])
        self.assertEqual(self.field._visits, [])

    def test_transfers_of_a_round(self):
        """SPI transfers, as many as a round without a card takes; a figure to know, and a limit to hold."""
        self.told(500)
        before, frames = self.bench.model.transfers, self.field.frames
        self.told(5000)
        rounds = self.field.frames - frames
        each = (self.bench.model.transfers - before) / rounds
        print("%d rounds in 5 s, %.1f SPI transfers each" % (rounds, each))
        self.assertEqual(round(each), 12)  # round: one is under way at the end


class TestDeath(unittest.TestCase):
    def setUp(self):
        self.bench = Bench()
        self.model = self.bench.model

    def dies(self, within=2000):
        tags, errors = self.bench.read_for(within)
        self.assertEqual(tags, [])
        self.assertEqual(len(errors), 1, errors)
        self.assertFalse(self.bench.reader.alive)
        return errors[0]

    def returns(self):
        self.bench.field.card_in(ONE)
        self.assertEqual(self.bench.read_for(3000), ([ONE.hex()], []))
        self.assertTrue(self.bench.reader.alive)

    def test_a_reader_that_was_never_there(self):
        self.model.how = "silent"
        self.assertIn("1/2000", self.dies())
        self.model.how = "ok"
        self.returns()

    def test_it_dies_once_and_comes_back(self):
        self.assertEqual(self.bench.read_for(1000), ([], []))
        for what in ({0x37: 0x00}, {0x37: 0xFF}, {0x37: 0x44}, {0x2D: 0x99}, {0x04: 0x00}):
            self.model.stuck = what
            self.dies()
            self.assertEqual(self.bench.read_for(5000), ([], []), "told a second time")
            self.model.stuck = {}
            self.assertEqual(self.bench.read_for(2500), ([], []))
            self.assertTrue(self.bench.reader.alive)

    def test_a_dip_of_its_supply_is_no_death(self):
        self.bench.read_for(500)
        for _ in range(3):
            self.model.reset()
            self.assertEqual(self.bench.read_for(1000), ([], []))
        self.assertTrue(self.bench.reader.alive)
        self.assertEqual(len(self.bench.log.at("warning")), 3)
        self.returns()

    def test_one_that_starts_but_does_not_work_stays_dead(self):
        """`alive` must not flicker: it is the end of a round that counts."""
        self.model.stuck = {0x04: 0x00}
        self.dies()
        alive = []

        async def main():
            reading = asyncio.create_task(self.bench.reader.read())
            for _ in range(5000):
                await asyncio.sleep_ms(1)
                alive.append(self.bench.reader.alive)
            reading.cancel()

        run(main())
        self.assertEqual(set(alive), {False})

    def test_a_card_that_stays_through_a_death_is_told_once(self):
        self.bench.field.card_in(ONE)
        self.assertEqual(self.bench.read_for(500), ([ONE.hex()], []))
        self.model.how = "silent"
        self.dies()
        self.model.how = "ok"
        self.assertEqual(self.bench.read_for(3000), ([], []))

    def test_a_clone_is_accepted_and_logged(self):
        self.model.version = 0x88
        self.assertEqual(self.bench.read_for(500), ([], []))
        (line,) = self.bench.log.at("info")
        self.assertIn("0x88", line)

    def test_a_leap_of_the_clock_is_no_death(self):
        async def main():
            reading = asyncio.create_task(self.bench.reader.read())
            for _ in range(20):
                await asyncio.sleep_ms(0)
                time.advance(3_600_000)
            self.assertFalse(reading.done())
            reading.cancel()

        asyncio.run(main())


class TestTurns(unittest.TestCase):
    def test_no_step_holds_the_loop(self):
        """A round with five cards, counted in turns of the loop that others get: one for each wait of 1 ms."""
        bench = Bench()
        bench.put(*Uids().some(5))
        worst = 0

        async def main():
            nonlocal worst
            reading = asyncio.create_task(bench.reader.read())
            for _ in range(5000):
                before = bench.model.transfers
                await asyncio.sleep_ms(0)
                worst = max(worst, bench.model.transfers - before)
                if reading.done():
                    return
            self.fail("no card was told")

        run(main())
        print("most SPI transfers between two turns of the loop: %d" % worst)
        self.assertLess(worst, 30)
