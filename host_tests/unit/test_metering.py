"""When a reading is due: sampled intervals from a transaction's begin, aligned ones from midnight."""

import unittest

from station.charging import metering
from station.clock import Clock

DAY = 86400
MIDNIGHT = 1795305600  # 2026-11-22T00:00:00Z


class ContextsTest(unittest.TestCase):
    def test_numbers_of_flash_are_never_renumbered(self):
        self.assertEqual(
            metering.CONTEXTS,
            ("Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger", "Other"),
        )
        self.assertEqual((metering.PERIODIC, metering.CLOCK, metering.BEGIN, metering.END), (0, 1, 2, 3))


class ScheduleTest(unittest.TestCase):
    def setUp(self):
        self.ms = 0
        self.clock = Clock(1, lambda: self.ms)
        self.settings = {"MeterValueSampleInterval": 60, "ClockAlignedDataInterval": 0}
        self.schedule = metering.Schedule(self.settings, self.clock)
        self.schedule.begin()

    def advance(self, seconds):
        self.ms += seconds * 1000

    def test_sampled_from_the_transactions_begin(self):
        self.advance(100)
        self.schedule.begin()
        self.advance(59)
        self.assertFalse(self.schedule.sample_due())
        self.advance(1)
        self.assertTrue(self.schedule.sample_due())
        self.assertFalse(self.schedule.sample_due(), "once")

    def test_sampled_keeps_its_pace_though_it_is_looked_at_late(self):
        self.advance(65)
        self.assertTrue(self.schedule.sample_due())
        self.advance(54)
        self.assertFalse(self.schedule.sample_due())
        self.advance(1)
        self.assertTrue(self.schedule.sample_due())

    def test_a_missed_one_is_not_made_up(self):
        self.advance(200)
        self.assertTrue(self.schedule.sample_due())
        self.assertFalse(self.schedule.sample_due())
        self.advance(40)
        self.assertTrue(self.schedule.sample_due())

    def test_sampled_off(self):
        self.settings["MeterValueSampleInterval"] = 0
        self.advance(1000)
        self.assertFalse(self.schedule.sample_due())

    def test_a_changed_interval_works_at_once(self):
        self.advance(10)
        self.settings["MeterValueSampleInterval"] = 5
        self.assertTrue(self.schedule.sample_due())

    def aligned(self, epoch, interval=900):
        self.clock.set(epoch)
        self.settings["ClockAlignedDataInterval"] = interval
        self.assertFalse(self.schedule.aligned_due(), "the slot in which it was switched on is under way")

    def test_aligned_to_midnight(self):
        self.aligned(MIDNIGHT + 100)
        self.advance(799)
        self.assertFalse(self.schedule.aligned_due())
        self.advance(1)
        self.assertTrue(self.schedule.aligned_due())
        self.assertFalse(self.schedule.aligned_due(), "once")
        self.advance(900)
        self.assertTrue(self.schedule.aligned_due())

    def test_aligned_counts_anew_each_midnight(self):
        self.aligned(MIDNIGHT + DAY - 10, 1000)  # 86400 is no multiple of 1000
        self.advance(10)
        self.assertTrue(self.schedule.aligned_due())
        self.advance(999)
        self.assertFalse(self.schedule.aligned_due())
        self.advance(1)
        self.assertTrue(self.schedule.aligned_due())

    def test_aligned_never_without_the_time(self):
        self.settings["ClockAlignedDataInterval"] = 900
        for _ in range(5):
            self.advance(900)
            self.assertFalse(self.schedule.aligned_due())

    def test_setting_the_clock_is_no_slot(self):
        self.settings["ClockAlignedDataInterval"] = 900
        self.assertFalse(self.schedule.aligned_due())
        self.clock.set(MIDNIGHT + 5000)
        self.assertFalse(self.schedule.aligned_due())

    def test_aligned_off_and_changed(self):
        self.aligned(MIDNIGHT + 100)
        self.settings["ClockAlignedDataInterval"] = 0
        self.advance(5000)
        self.assertFalse(self.schedule.aligned_due())
        self.settings["ClockAlignedDataInterval"] = 60
        self.assertFalse(self.schedule.aligned_due())
        self.advance(60)
        self.assertTrue(self.schedule.aligned_due())
