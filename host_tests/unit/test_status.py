"""The status table cell by cell as OCPP 1.6 §4.9 prints it, and the paths that reports take through it."""

import unittest

from station.charging import status

NAMES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
)

# The cells of the standard's table that are not empty, by their names there: row letter and column number.
CELLS = """
A2 A3 A4 A5 A7 A8 A9
B1 B3 B4 B5 B6 B9
C1 C4 C5 C6 C8 C9
D1 D3 D5 D6 D8 D9
E1 E3 E4 E6 E8 E9
F1 F2 F8 F9
G1 G2 G8 G9
H1 H2 H3 H4 H5 H9
I1 I2 I3 I4 I5 I6 I7 I8
"""


class TableTest(unittest.TestCase):
    def test_names_are_those_of_the_standard(self):
        ours = (
            status.AVAILABLE,
            status.PREPARING,
            status.CHARGING,
            status.SUSPENDED_EV,
            status.SUSPENDED_EVSE,
            status.FINISHING,
            status.RESERVED,
            status.UNAVAILABLE,
            status.FAULTED,
        )
        self.assertEqual(ours, NAMES)

    def test_every_cell(self):
        for row, old in enumerate(NAMES):
            for column, new in enumerate(NAMES):
                cell = "%s%d" % ("ABCDEFGHI"[row], column + 1)
                self.assertEqual(status.allowed(old, new), cell in CELLS, "%s: %s to %s" % (cell, old, new))


class PathTest(unittest.TestCase):
    def test_every_step_of_every_path_is_allowed_and_the_last_is_the_goal(self):
        for old in NAMES:
            for new in NAMES:
                if old == new:
                    continue
                path = status.path(old, new)
                self.assertEqual(path[-1], new)
                self.assertLessEqual(len(path), 3, "%s to %s: %r" % (old, new, path))
                before = old
                for step in path:
                    self.assertTrue(status.allowed(before, step), "%s to %s by %r" % (old, new, path))
                    before = step

    def test_an_allowed_step_is_direct(self):
        for old in NAMES:
            for new in NAMES:
                if status.allowed(old, new):
                    self.assertEqual(status.path(old, new), (new,))

    def test_no_path_passes_by_a_fault_or_a_charge_that_never_was(self):
        for old in NAMES:
            for new in NAMES:
                for step in status.path(old, new)[:-1]:
                    self.assertIn(step, ("Available", "Preparing", "Finishing"))

    def test_the_first_report_and_the_same_status_need_no_step_between(self):
        for name in NAMES:
            self.assertEqual(status.path(None, name), (name,))
            self.assertEqual(status.path(name, name), (name,))

    def test_a_charge_that_ended_and_is_prepared_again_was_finishing(self):
        self.assertEqual(status.path("Charging", "Preparing"), ("Finishing", "Preparing"))
        self.assertEqual(status.path("Finishing", "Charging"), ("Preparing", "Charging"))
        self.assertEqual(status.path("Available", "Finishing"), ("Preparing", "Finishing"))
