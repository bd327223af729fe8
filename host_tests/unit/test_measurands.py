"""Masks of measurands, and the numbers of a measurement that they select."""

import unittest

from station import measurands

MEASUREMENT = (123456, 11040, 16000, 15900, 15800, 2301, 2302, 2303, 4998, 160)


class MaskTest(unittest.TestCase):
    def test_rows_of_flash_are_never_renumbered(self):
        rows = [(name, phase) for name, _, phase in measurands.MEASURANDS]
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

    def test_of_names(self):
        self.assertEqual(measurands.mask_of("", 3), 0)
        self.assertEqual(measurands.mask_of("Energy.Active.Import.Register", 3), 1)
        self.assertEqual(measurands.mask_of("Power.Active.Import,Energy.Active.Import.Register", 3), 0b11)
        self.assertEqual(measurands.mask_of("Power.Offered", 3), 1 << 4)

    def test_a_measurand_without_phase_means_all_of_the_stations(self):
        self.assertEqual(measurands.mask_of("Current.Import", 3), 0b111 << 5)
        self.assertEqual(measurands.mask_of("Current.Import", 1), 0b1 << 5)
        self.assertEqual(measurands.mask_of("Voltage", 3), 0b111 << 8)

    def test_a_measurand_with_its_phase(self):
        self.assertEqual(measurands.mask_of("Current.Import.L2", 3), 1 << 6)
        self.assertEqual(measurands.mask_of("Voltage.L1,Voltage.L3", 3), 1 << 8 | 1 << 10)
        self.assertEqual(measurands.mask_of("Voltage.L2", 1), 0)

    def test_every_measurand_that_may_be_configured_has_a_row(self):
        for name in measurands.NAMES + measurands.PHASED:
            self.assertTrue(measurands.mask_of(name, 1), name)

    def test_select_keeps_the_order_of_bits(self):
        mask = measurands.mask_of("Voltage.L2,Frequency,Energy.Active.Import.Register,Current.Offered", 3)
        self.assertEqual(measurands.select(mask, MEASUREMENT), [123456, 4998, 160, 2302])
        self.assertEqual(measurands.select(0, MEASUREMENT), [])

    def test_export_counts_as_nothing_imported(self):
        self.assertEqual(measurands.select(0b11, (5000, -11040)), [5000, 0])

    def test_a_large_register_stays_an_exact_integer(self):
        self.assertEqual(measurands.select(1, (16777217,) + MEASUREMENT[1:]), [16777217])
