"""drivers/iso14443a.py: by a scripted radio, and with cards that know nothing of it, through the chip's model."""

import asyncio
import unittest

import iso14443_cards
import mfrc522
from iso14443_cards import ACTIVE, HALT, IDLE, Card
from rfid import Bench, Uids, run
from station.drivers.iso14443a import Cards, crc_a


class TestCrc(unittest.TestCase):
    def test_vectors_of_the_standard(self):
        """ISO/IEC 14443-3 Annex B.1."""
        self.assertEqual(crc_a(b"\x00\x00", 2), 0x1EA0)
        self.assertEqual(crc_a(b"\x12\x34", 2), 0xCF26)
        self.assertEqual(crc_a(b"\x50\x00", 2), 0xCD57)  # of HLTA, §6.4.3

    def test_agrees_with_the_cards(self):
        for size in range(20):
            data = bytes([(37 * size + 11 * i) & 255 for i in range(size)])
            crc = iso14443_cards.crc_a(data)
            self.assertEqual(crc_a(data, size), crc[0] | crc[1] << 8)


class TestSelect(unittest.TestCase):
    def setUp(self):
        self.bench = Bench()
        self.bench.start()
        self.cards = self.bench.cards

    def tearDown(self):
        self.assertEqual(self.bench.model.wrong, [])

    def select(self, turns=0):
        """The UID of the next card, None if nobody answers a request, or the problem with it."""

        async def main():
            if not await self.cards.request():
                return None
            size = await self.cards.select(turns)
            return bytes(self.cards.uid[:size]) if size else self.cards.problem

        return run(main())

    def halt(self):
        run(self.cards.halt())

    def test_nobody(self):
        self.assertIsNone(self.select())

    def test_each_length_of_uid(self):
        for uid in (b"\x04\xa1\xb2\xc3", b"\x04\x01\x02\x03\x04\x05\x06", b"\x04\x09\x08\x07\x06\x05\x04\x03\x02\x01"):
            (card,) = self.bench.put(uid)
            self.assertEqual(self.select(), uid)
            self.assertEqual((card.state, self.cards.sak), (ACTIVE, 0x20))
            self.halt()
            self.assertEqual(card.state, HALT)
            self.assertIsNone(self.select())
            self.bench.field.card_out(uid)

    def test_only_a_wake_up_wakes_a_halted_card(self):
        self.bench.put(b"\x04\xa1\xb2\xc3")
        self.select()
        self.halt()
        self.assertFalse(run(self.cards.request()))
        self.assertTrue(run(self.cards.request(wake=True)))

    def everybody(self, uids, limit):
        """The UIDs in the order in which they are found; each is halted."""
        found = []
        while len(found) < limit:
            uid = self.select()
            if uid is None:
                break
            found.append(uid)
            self.halt()
        return found

    def test_two_that_differ_in_any_one_bit(self):
        for bit in range(32):
            one = bytearray(b"\x12\x34\x56\x78")
            one[bit // 8] ^= 1 << bit % 8
            uids = [b"\x12\x34\x56\x78", bytes(one)]
            if 0x88 in (uids[0][0], uids[1][0]):
                continue
            cards = self.bench.put(*uids)
            self.assertEqual(sorted(self.everybody(uids, 3)), sorted(uids), bit)
            for card in cards:
                self.bench.field.card_out(card.uid)

    def test_the_fewest_exchanges_for_two(self):
        """One collision in the first answer: REQA, two anticollisions, SELECT."""
        self.bench.put(b"\x12\x34\x56\x78", b"\x12\x35\x56\x78")
        before = self.bench.field.frames
        self.assertIsInstance(self.select(), bytes)
        self.assertEqual(self.bench.field.frames - before, 4)

    def test_any_set_of_cards_is_found_whole(self):
        draw = Uids()
        most = 0
        for turn in range(60):
            self.bench.model.counts = mfrc522.COUNTS[turn % 3]
            uids = draw.some(2 + turn % 4, (None, 4, 7, 10)[turn % 8 // 2])
            cards = self.bench.put(*uids)
            before = self.bench.field.frames
            self.assertEqual(sorted(self.everybody(uids, len(uids) + 1)), uids, "seed %d, set %d" % (draw.seed, turn))
            most = max(most, self.bench.field.frames - before)
            self.assertEqual({card.state for card in cards}, {HALT})
            for card in cards:
                self.bench.field.card_out(card.uid)
        print("most exchanges for a set of at most 5 cards: %d" % most)

    def test_others_are_left_as_they_were(self):
        one, two = self.bench.put(b"\x12\x34\x56\x78", b"\xed\x34\x56\x78")
        self.assertEqual(self.select(), b"\xed\x34\x56\x78")
        self.assertEqual((one.state, two.state), (IDLE, ACTIVE))

    def test_after_a_failure_everybody_answers_again(self):
        self.bench.put(b"\x12\x34\x56\x78")
        (wrong,) = self.bench.put(b"\xed\x34\x56\x78", fault="bcc")
        self.assertIn("wrong check byte", self.select())
        wrong.fault = "dead"
        self.assertEqual(self.select(), b"\x12\x34\x56\x78")

    def test_turns_lead_to_the_other_card(self):
        self.bench.put(b"\x12\x34\x56\x78", b"\xed\x34\x56\x78")
        self.assertEqual(self.select(1), b"\x12\x34\x56\x78")

    def test_what_is_wrong_with_a_card_is_said(self):
        for fault, problem in (
            ("bcc", "wrong check byte"),
            ("crc", "broken answer to SELECT"),
            ("mute", "no answer to anticollision"),
        ):
            self.bench.put(b"\x12\x34\x56\x78", fault=fault)
            self.assertIn(problem, self.select())
            self.bench.field.card_out(b"\x12\x34\x56\x78")
        self.bench.put(b"\x12\x34\x56\x78", fault="dead")
        self.assertIsNone(self.select())

    def test_a_cascade_tag_that_does_not_go_on(self):
        """A UID of four bytes may not begin with 88h (§6.5.4)."""
        self.bench.put(b"\x88\x34\x56\x78")
        self.assertIn("SAK 0x20 does not go with UID byte 0x88", self.select())


class Radio:
    """Answers from a list of (bits, answer, place of a collision or None)."""

    def __init__(self, *script):
        self.script = list(script)
        self.sent = []
        self.collided = False
        self.before_collision = -1

    async def transceive(self, frame, size, last_bits, answer, align=0):
        self.sent.append((bytes(frame[:size]), last_bits, align))
        bits, data, collision = self.script.pop(0) if self.script else (0, b"", None)
        self.collided = collision is not None
        self.before_collision = -1 if collision is None else collision
        answer[: len(data)] = data
        return bits


class TestFrames(unittest.TestCase):
    def select(self, *script):
        radio = Radio(*script)
        cards = Cards(radio)
        return asyncio.run(cards.select()), cards, radio

    def test_the_frames_of_a_card_of_seven_bytes(self):
        size, cards, radio = self.select(
            (40, b"\x88\x04\x11\x22\xbf", None),
            (24, b"\x04\xda\x17", None),
            (40, b"\x33\x44\x55\x66\x44", None),
            (24, b"\x00\xfe\x51", None),
        )
        self.assertEqual((size, bytes(cards.uid[:7]), cards.sak), (7, b"\x04\x11\x22\x33\x44\x55\x66", 0))
        crc = iso14443_cards.crc_a
        one, two = b"\x93\x70\x88\x04\x11\x22\xbf", b"\x95\x70\x33\x44\x55\x66\x44"
        frames = [b"\x93\x20", one + crc(one), b"\x95\x20", two + crc(two)]
        self.assertEqual(radio.sent, [(frame, 0, 0) for frame in frames])

    def test_a_collision_is_answered_with_the_known_bits(self):
        """The third bit collides: two bits are known, the third is chosen as 1 (§6.5.3.1)."""
        size, cards, radio = self.select(
            (40, b"\x02\x00\x00\x00\x00", 2), (40, b"\xf0\x34\x56\x78\xec", None), (24, b"\x20\xfc\x70", None)
        )
        self.assertEqual(radio.sent[1], (b"\x93\x23\x06", 3, 3))
        self.assertEqual((size, bytes(cards.uid[:4])), (4, b"\xf6\x34\x56\x78"))

    def test_answers_that_no_card_gives(self):
        for script, problem in (
            (((-1, b"", None),), "broken"),
            (((32, b"\x01\x02\x03\x04", None),), "32 bits"),
            (((32, b"\x01\x02\x03\x04", -1),), "out of place"),
            (((2, b"\x01", 5),), "out of place"),
            (((5, b"\x01", 5),), "out of place"),
            (((40, b"\x01\x02\x03\x04\x04", None), (16, b"\x20\xfc", None)), "broken answer to SELECT"),
            (((40, b"\x01\x02\x03\x04\x04", None), (24, b"\x20\xfc\x71", None)), "broken answer to SELECT"),
            (((40, b"\x88\x02\x03\x04\x8d", None), (24, b"\x04\xda\x17", None)) * 3, "of level 3"),
            (((40, b"\x08\x02\x03\x04\x0d", None), (24, b"\x04\xda\x17", None)), "byte 0x08 of level 1"),
        ):
            size, cards, _ = self.select(*script)
            self.assertEqual(size, 0, problem)
            self.assertIn(problem, cards.problem)

    def test_cards_that_differ_in_the_check_byte_only(self):
        """They have the same UID, and one of them its check byte wrong: the right one is asked for."""
        for place in (33, -1, 31):
            _, _, radio = self.select((40, b"\x01\x02\x03\x04\x00", place))
            uid = b"\x01\x02\x03\x04\x04" if place != 31 else b"\x01\x02\x03\x84\x84"
            self.assertEqual(radio.sent[1], (b"\x93\x70" + uid + iso14443_cards.crc_a(b"\x93\x70" + uid), 0, 0))

    def test_collisions_without_end_have_one(self):
        size, _, radio = self.select(*[(40, b"\x00\x00\x00\x00\x00", 0)] * 200)
        self.assertEqual(size, 0)
        self.assertLess(len(radio.sent), 70)


class TestCard(unittest.TestCase):
    """The model itself, against the standard's table of states (§6.3)."""

    def test_random_uid_changes_with_power(self):
        drawn = [b"\x08\x01\x02\x03", b"\x08\x04\x05\x06"]
        card = Card(lambda: drawn.pop(0))
        card.power(True)
        self.assertEqual(card.uid, b"\x08\x01\x02\x03")
        card.power(False)
        card.power(True)
        self.assertEqual(card.uid, b"\x08\x04\x05\x06")

    def test_what_it_does_not_expect_sends_it_back(self):
        reqa, wupa = [0, 1, 1, 0, 0, 1, 0], [0, 1, 0, 0, 1, 0, 1]
        card = Card(b"\x01\x02\x03\x04")
        card.power(True)
        self.assertEqual(card.hear(reqa), (iso14443_cards.bits_of(b"\x04\x00"), True))
        self.assertIsNone(card.hear(reqa))
        self.assertEqual(card.state, IDLE)
        card.state = HALT
        self.assertIsNone(card.hear(reqa))
        self.assertIsNotNone(card.hear(wupa))
        self.assertIsNone(card.hear([1, 0]))
        self.assertEqual(card.state, HALT)
