"""storage/conversion.py: small files of an older version, of a later one, and the power cut between."""

import unittest

import ramdisk
from fakes import FakeLog
from station.storage import atomic, conversion

FILE = "/format.json"


def double(root, log):
    """A step that may be done twice: the file says whether it was."""
    numbers = atomic.load_json(root + "/numbers.json", log) or []
    if isinstance(numbers, list):
        atomic.replace_json(root + "/numbers.json", {"numbers": [2 * number for number in numbers]})


def count(root, log):
    numbers = atomic.load_json(root + "/numbers.json", log)
    numbers["count"] = len(numbers["numbers"])
    atomic.replace_json(root + "/numbers.json", numbers)


def fail(root, log):
    raise OSError(28)


class ConversionTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        ramdisk.mount()
        self.root = ramdisk.MOUNT
        atomic.replace_json(self.root + "/numbers.json", [1, 2])

    def tearDown(self):
        ramdisk.unmount()

    def convert(self, *steps):
        conversion.convert(self.log, self.root, steps)
        return atomic.load_json(self.root + FILE, self.log), atomic.load_json(self.root + "/numbers.json", self.log)

    def test_a_station_without_versions_has_the_first(self):
        self.assertEqual(self.convert(), (1, [1, 2]))

    def test_step_by_step(self):
        self.assertEqual(self.convert(double), (2, {"numbers": [2, 4]}))
        self.assertEqual(self.convert(double), (2, {"numbers": [2, 4]}), "nothing is left to do")
        self.assertEqual(self.convert(double, count), (3, {"numbers": [2, 4], "count": 2}))

    def test_all_steps_at_once(self):
        self.assertEqual(self.convert(double, count), (3, {"numbers": [2, 4], "count": 2}))

    def test_a_power_cut_between_a_step_and_its_number(self):
        double(self.root, self.log)
        self.assertEqual(self.convert(double), (2, {"numbers": [2, 4]}))

    def test_files_of_a_later_version_are_left(self):
        self.convert(double, count)
        self.assertEqual(self.convert(double), (3, {"numbers": [2, 4], "count": 2}))
        self.assertIn("version 3, 2 is known", self.log.at("warning")[0])

    def test_a_flash_that_takes_nothing_leaves_them_as_they_were(self):
        self.assertEqual(self.convert(double, fail), (2, {"numbers": [2, 4]}))
        self.assertIn("not converted", self.log.at("error")[0])
        self.assertEqual(self.convert(double, count), (3, {"numbers": [2, 4], "count": 2}))
