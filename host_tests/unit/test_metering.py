"""Masks of measurands, the numbers that they select, and when a reading is due."""

import unittest

from station.charging import metering
from station.clock import Clock
from station.settings import MEASURANDS

DAY = 86400
MIDNIGHT = 1795305600  # 2026-11-22T00:00:00Z
MEASUREMENT = (123456, 11040, 16000, 15900, 15800, 2301, 2302, 2303, 4998, 160)


class MaskTest(unittest.TestCase):
    def test_rows_of_flash_are_never_renumbered(self):
        rows = [(name, phase) for name, _, phase in metering.MEASURANDS]
        self.assertEqual(
            rows,
            [
                ("Energy.Active.Import.Register", 0),
                ("Power.Active.Import", 0),
                ("Frequency", 0),
                ("Current.Offered", 0),
                ("Power.Offered", 0),
                ("Current.Import", 1),
                ("Current.Import", 2),
                ("Current.Import", 3),
                ("Voltage", 1),
                ("Voltage", 2),
                ("Voltage", 3),
            ],
        )
        self.assertEqual(
            metering.CONTEXTS,
            ("Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger", "Other"),
        )

    def test_of_names(self):
        self.assertEqual(metering.mask_of("", 3), 0)
        self.assertEqual(metering.mask_of("Energy.Active.Import.Register", 3), 1)
        self.assertEqual(metering.mask_of("Power.Active.Import,Energy.Active.Import.Register", 3), 0b11)
        self.assertEqual(metering.mask_of("Power.Offered", 3), 1 << 4)

    def test_a_measurand_without_phase_means_all_of_the_stations(self):
        self.assertEqual(metering.mask_of("Current.Import", 3), 0b111 << 5)
        self.assertEqual(metering.mask_of("Current.Import", 1), 0b1 << 5)
        self.assertEqual(metering.mask_of("Voltage", 3), 0b111 << 8)

    def test_a_measurand_with_its_phase(self):
        self.assertEqual(metering.mask_of("Current.Import.L2", 3), 1 << 6)
        self.assertEqual(metering.mask_of("Voltage.L1,Voltage.L3", 3), 1 << 8 | 1 << 10)
        self.assertEqual(metering.mask_of("Voltage.L2", 1), 0)

    def test_every_measurand_that_may_be_configured_has_a_row(self):
        for name in MEASURANDS:
            self.assertTrue(metering.mask_of(name, 1), name)

    def test_select_keeps_the_order_of_bits(self):
        mask = metering.mask_of("Voltage.L2,Frequency,Energy.Active.Import.Register,Current.Offered", 3)
        self.assertEqual(metering.select(mask, MEASUREMENT), [123456, 4998, 160, 2302])
        self.assertEqual(metering.select(0, MEASUREMENT), [])

    def test_export_counts_as_nothing_imported(self):
        self.assertEqual(metering.select(0b11, (5000, -11040)), [5000, 0])

    def test_a_large_register_stays_an_exact_integer(self):
        self.assertEqual(metering.select(1, (16777217,) + MEASUREMENT[1:]), [16777217])


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

    def test_a_clock_put_back_within_the_slot_before_is_no_new_slot(self):
        self.aligned(MIDNIGHT + 899)
        self.advance(1)
        self.assertTrue(self.schedule.aligned_due())
        self.clock.set(MIDNIGHT + 897)
        self.assertFalse(self.schedule.aligned_due(), "it was told already")
        self.advance(3)
        self.assertFalse(self.schedule.aligned_due(), "it was told already")
        self.advance(900)
        self.assertTrue(self.schedule.aligned_due())
