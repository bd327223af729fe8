"""charging/plausibility.py: which readings of the register count, and that the bill never goes backwards."""

import random
import unittest

from station.charging.plausibility import Register

# 16 A, three phases: 11 kW, with its margin 13.8 kW, that is 3.83 Wh/s


class TestRegister(unittest.TestCase):
    def setUp(self):
        self.register = Register(160, 3)
        self.now = 100
        self.judge(1_000_000, bound=False)

    def judge(self, wh, seconds=0, bound=True, reading_s=0):
        self.now += seconds
        asked = self.now
        self.now += reading_s
        return self.register.judge(wh, asked, self.now, bound)

    def counts(self, wh, seconds=1):
        self.assertEqual(self.judge(wh, seconds), (wh, ""))

    def is_wrong(self, word, wh, counted, seconds=1):
        found, text = self.judge(wh, seconds)
        self.assertEqual(found, counted)
        self.assertIn(word, text)

    def test_a_charge(self):
        wh = 1_000_000
        for _ in range(360):
            wh += 30
            self.counts(wh, 10)

    def test_hours_without_a_reading(self):
        self.counts(1_110_000, 10 * 3600)

    def test_a_reading_that_took_long_may_have_been_taken_at_its_beginning(self):
        self.assertEqual(self.judge(1_000_000, 1, reading_s=600), (1_000_000, ""))
        self.counts(1_001_900)

    def test_a_coarse_register(self):
        self.counts(1_000_100)
        self.counts(1_000_200, 32)

    def test_backwards_holds_the_highest(self):
        self.counts(1_000_030, 10)
        self.is_wrong("backwards from 1000030 to 5", 5, 1_000_030)
        self.is_wrong("backwards", 1_000_029, 1_000_030)
        self.counts(1_000_030)
        self.counts(1_000_040)

    def test_a_glitch_does_no_harm(self):
        for _ in range(20):
            self.is_wrong("jumped", 4_294_967_295, 1_000_000)
            self.counts(1_000_000)

    def test_time_alone_does_not_make_a_jump_plausible(self):
        self.is_wrong("jumped from 1000000 to 1050000 Wh within 1 s", 1_050_000, 1_000_000)
        wh = 1_050_000
        for _ in range(2000):
            wh += 5
            self.is_wrong("jumped", wh, 1_000_000, 10)
        # the meter came to its senses: the real register has gone on
        self.counts(1_000_000 + 2000 * 5)

    def test_a_jump_after_a_long_pause_is_measured_against_the_pause(self):
        self.is_wrong("jumped", 1_020_000, 1_000_000, 3600)
        self.counts(1_013_000)

    def test_many_small_jumps_are_one_large_one(self):
        self.counts(1_000_200)
        self.counts(1_000_400)
        self.is_wrong("jumped", 1_000_900, 1_000_400)

    def test_between_transactions_a_meter_may_be_exchanged(self):
        for wh, word in ((3, "backwards"), (800_000, "jumped")):
            found, text = self.judge(wh, 10, bound=False)
            self.assertEqual(found, wh)
            self.assertIn(word, text)
            self.counts(wh + 20, 10)

    def test_a_stray_register_is_forgotten_between_transactions(self):
        self.is_wrong("jumped", 2_000_000, 1_000_000)
        self.assertEqual(self.judge(2_000_010, 10, bound=False)[0], 2_000_010)
        self.counts(2_000_040, 10)

    def test_the_first_reading_is_the_base(self):
        register = Register(320, 1)
        self.assertEqual(register.judge(77, 0, 0, True), (77, ""))

    def test_whatever_a_meter_shows_the_bill_grows_and_stays_possible(self):
        seed = int.from_bytes(__import__("os").urandom(2), "big")
        random.seed(seed)
        for _ in range(50):
            register = Register(160, 3)
            now, real = 0, random.randrange(10**7)
            begin = billed = register.judge(real, now, now, False)[0]
            for _ in range(100):
                seconds = random.randrange(0, 30)
                now += seconds
                real += random.randrange(0, 3 * seconds + 1)
                shown = random.choice((real, real, real, random.randrange(10**7), real + random.randrange(2000)))
                counted = register.judge(shown, now, now, True)[0]
                self.assertGreaterEqual(counted, billed, "seed %d" % seed)
                self.assertLessEqual(counted - begin, now * 13800 // 3600 + 501, "seed %d" % seed)
                billed = counted
