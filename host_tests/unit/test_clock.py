"""The clock: civil dates against the port's own calendar, stamps before and after the time is known, wrapping ticks."""

import random
import time
import unittest

from station.clock import EPOCH_END, EPOCH_MIN, Clock, format_iso, parse_iso

NOON = 1795345200  # 2026-11-22T11:00:00Z


class Ticks:
    """Ticks that a test moves; they wrap as the port's do."""

    def __init__(self, start=0):
        self.now = time.ticks_add(0, start)

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now = time.ticks_add(self.now, seconds * 1000)


class IsoTest(unittest.TestCase):
    def test_agrees_with_the_ports_calendar(self):
        epoch_year = time.gmtime(0)[0]
        shift = 0 if epoch_year == 1970 else 946684800  # some ports count from 2000
        moments = [random.getrandbits(32) for _ in range(2000)]
        for year in (2000, 2004, 2026, 2100):  # both ends of the leap day's years
            moments.append(parse_iso("%d-02-28T23:59:59Z" % year) + 1)
            moments.append(parse_iso("%d-12-31T23:59:59Z" % year))
        for epoch in moments:
            if epoch < shift:
                continue
            expected = "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime(epoch - shift)[:6]
            self.assertEqual(format_iso(epoch), expected)
            self.assertEqual(parse_iso(expected), epoch)

    def test_known_moments(self):
        self.assertEqual(format_iso(0), "1970-01-01T00:00:00Z")
        self.assertEqual(format_iso(NOON), "2026-11-22T11:00:00Z")
        self.assertEqual(format_iso(951782400), "2000-02-29T00:00:00Z")
        self.assertEqual(format_iso(4107542399), "2100-02-28T23:59:59Z")
        self.assertEqual(format_iso(4107542400), "2100-03-01T00:00:00Z")
        self.assertEqual(parse_iso("1969-12-31T23:59:59Z"), -1)

    def test_offset_fraction_and_case(self):
        for text in (
            "2026-11-22T11:00:00Z",
            "2026-11-22T11:00:00.999Z",
            "2026-11-22t11:00:00z",
            "2026-11-22T11:00:00+00:00",
            "2026-11-22T12:30:00.123456+01:30",
            "2026-11-21T22:00:00-13:00",
            "2026-11-22T11:00:00",
            "2026-11-22T11:00:00.5",
            "2026-11-22T10:59:60Z",
        ):
            self.assertEqual(parse_iso(text), NOON, text)

    def test_what_is_no_date_time(self):
        for text in (
            "",
            "2026",
            "2026-11-22",
            "2026-11-22T11:00Z",
            "2026-11-22T11:00:00.Z",
            "2026-11-22T11:00:00+1:00",
            "2026-11-22T11:00:00+0100",
            "2026-11-22T11:00:00+24:00",
            "2026-11-22T11:00:00 Z",
            "2026-11-22T11:00:00Z ",
            "2026-11-22T24:00:00Z",
            "2026-11-22T11:60:00Z",
            "2026-11-22T11:00:61Z",
            "2026-13-22T11:00:00Z",
            "2026-00-22T11:00:00Z",
            "2026-11-31T11:00:00Z",
            "2026-02-29T11:00:00Z",
            "2100-02-29T11:00:00Z",
            "2026-11-00T11:00:00Z",
            "2026-11-2 T11:00:00Z",
            "+026-11-22T11:00:00Z",
            "2026/11/22T11:00:00Z",
        ):
            with self.assertRaises(ValueError) as caught:
                parse_iso(text)
            self.assertIn(repr(text), str(caught.exception))


class ClockTest(unittest.TestCase):
    def setUp(self):
        self.ticks = Ticks()
        self.clock = Clock(7, self.ticks)

    def test_unset_until_set(self):
        self.ticks.advance(5)
        self.assertFalse(self.clock.is_set)
        self.assertEqual(self.clock.now(), 0)
        self.assertEqual(self.clock.set(NOON), 0)
        self.assertTrue(self.clock.is_set)
        self.ticks.advance(10)
        self.assertEqual(self.clock.now(), NOON + 10)
        self.assertEqual(self.clock.base, NOON - 5)
        self.assertEqual(self.clock.iso(self.clock.now()), "2026-11-22T11:00:10Z")

    def test_uptime_survives_the_wrap_of_the_ticks_and_keeps_the_rest(self):
        ticks = Ticks(-3500)  # 3.5 s before the wrap
        clock = Clock(0, ticks)
        for second in range(1, 20):
            ticks.advance(1)
            self.assertEqual(clock.uptime(), second)
        for _ in range(10):
            ticks.now = time.ticks_add(ticks.now, 250)
            clock.uptime()
        self.assertEqual(clock.uptime(), 21)

    def test_drift_is_corrected_jitter_is_not(self):
        self.clock.set(NOON)
        self.assertEqual(self.clock.set(NOON + 1), 0)
        self.assertEqual(self.clock.set(NOON - 1), 0)
        self.assertEqual(self.clock.now(), NOON)
        self.assertEqual(self.clock.set(NOON + 2), 2)
        self.assertEqual(self.clock.now(), NOON + 2)
        self.assertEqual(self.clock.set(NOON - 3600), -3602)
        self.assertEqual(self.clock.now(), NOON - 3600)

    def test_a_time_that_no_stamp_can_hold_is_refused(self):
        for epoch in (-1, 0, 86400, EPOCH_MIN - 1, EPOCH_END):
            with self.assertRaises(ValueError):
                self.clock.set(epoch)
        self.assertFalse(self.clock.is_set)

    def test_on_set_is_called_once(self):
        calls = []
        self.clock.on_set(lambda: calls.append(self.clock.now()))
        self.assertEqual(calls, [])
        self.clock.set(NOON)
        self.clock.set(NOON + 100)
        self.assertEqual(calls, [NOON])

    def test_a_stamp_from_before_the_clock_was_set_is_repaired(self):
        self.ticks.advance(30)
        stamp = self.clock.stamp()
        self.assertEqual(self.clock.resolve(stamp), 0)
        self.ticks.advance(70)
        self.clock.set(NOON)
        self.assertEqual(self.clock.resolve(stamp), NOON - 70)
        self.assertEqual(self.clock.iso(stamp), "2026-11-22T10:58:50Z")
        self.assertEqual(self.clock.stamp(), NOON)
        self.assertEqual(self.clock.resolve(NOON), NOON)

    def test_stamps_fit_in_32_bits_and_tell_boots_apart(self):
        for boot in (0, 255, 256, 1000):
            clock = Clock(boot, self.ticks)
            for _ in range(3):
                stamp = clock.stamp()
                self.assertTrue(0 <= stamp < EPOCH_MIN, stamp)
                self.assertEqual(stamp >> 22, boot % 256)
                self.ticks.advance(10**6)
        self.ticks.advance(10**7)
        self.assertEqual(clock.stamp(), 232 << 22 | 0x3FFFFF)

    def test_an_earlier_boot_whose_base_the_journal_kept(self):
        earlier = Clock(6, self.ticks)
        self.ticks.advance(40)
        stamp = earlier.stamp()
        clock = Clock(7, self.ticks)
        self.assertEqual(clock.resolve(stamp), 0)
        clock.learn(6, NOON)
        self.assertEqual(clock.resolve(stamp), NOON + 40)  # needs no time of its own
        clock.set(NOON + 9000)
        self.assertEqual(clock.resolve(stamp), NOON + 40)

    def test_an_earlier_boot_that_never_knew_the_time_ended_before_this_one(self):
        def stamp_of(boot, uptime):
            return boot << 22 | uptime

        for uptime in (10, 100, 50):
            self.clock.seen(stamp_of(6, uptime))
        self.clock.seen(stamp_of(5, 20))
        self.assertEqual(self.clock.resolve(stamp_of(6, 100)), 0)
        self.ticks.advance(8)
        self.clock.set(NOON)
        began = NOON - 8
        self.assertEqual(self.clock.resolve(stamp_of(6, 100)), began - 1)
        self.assertEqual(self.clock.resolve(stamp_of(6, 10)), began - 91)
        self.assertEqual(self.clock.resolve(stamp_of(5, 20)), began - 101 - 1)

    def test_a_boot_before_one_whose_base_is_known(self):
        self.clock.learn(6, NOON)
        self.clock.seen(5 << 22 | 20)
        self.assertEqual(self.clock.resolve(5 << 22 | 5), NOON - 16)

    def test_boot_numbers_wrap(self):
        clock = Clock(256, self.ticks)
        clock.set(NOON)
        clock.learn(255, NOON - 1000)
        self.assertEqual(clock.resolve(255 << 22 | 3), NOON - 997)
        self.assertEqual(clock.resolve(254 << 22 | 3), NOON - 1001)
