"""The real-time clock by which certificates are judged: never before what is known to be past."""

import unittest

import ramdisk
from fakes import FakeLog
from station.rtc import RealTimeClock
from station.storage import atomic

PATH = ramdisk.MOUNT + "/time.json"
YEAR_2000 = 946_684_800
PROVISIONED = 1_760_000_000


class RtcTest(unittest.TestCase):
    def setUp(self):
        self.flash = ramdisk.mount()
        self.log = FakeLog()
        self.chip = YEAR_2000

    def tearDown(self):
        ramdisk.unmount()

    def build(self, past=0):
        return RealTimeClock(PATH, self.log, lambda: self.chip, self.write, past)

    def write(self, epoch):
        self.chip = epoch

    def test_a_chip_without_battery_begins_at_the_time_of_provisioning(self):
        self.build(PROVISIONED)
        self.assertEqual(self.chip, PROVISIONED)

    def test_nothing_is_known(self):
        self.build()
        self.assertEqual(self.chip, YEAR_2000)

    def test_a_chip_that_goes_right_is_left_alone(self):
        self.chip = PROVISIONED + 5
        self.build(PROVISIONED)
        self.assertEqual(self.chip, PROVISIONED + 5)

    def test_what_a_backend_told_is_there_after_a_power_cut(self):
        self.build(PROVISIONED).learn(PROVISIONED + 1000)
        self.assertEqual(self.chip, PROVISIONED + 1000)
        self.chip = YEAR_2000
        self.build(PROVISIONED)
        self.assertEqual(self.chip, PROVISIONED + 1000)

    def test_a_clock_that_was_wrong_is_turned_back(self):
        self.chip = 2 * PROVISIONED
        self.build(PROVISIONED).learn(PROVISIONED + 1000)
        self.assertEqual(self.chip, PROVISIONED + 1000)

    def test_a_damaged_file_is_none(self):
        for content in ("text", [1], None, {"a": 1}, True, 7, -1, 1 << 33):
            atomic.replace_json(PATH, content)
            self.chip = YEAR_2000
            self.build(PROVISIONED)
            self.assertEqual(self.chip, PROVISIONED)

    def test_a_full_flash_is_logged_and_the_chip_is_set(self):
        clock = self.build()
        self.flash.fail(1)
        clock.learn(PROVISIONED)
        self.assertEqual(self.chip, PROVISIONED)
        self.assertEqual(len(self.log.at("error")), 1)
