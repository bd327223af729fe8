"""update/firmware_update.py: what the backend is told when something of our own is in the way."""

import asyncio
import unittest

import ramdisk
from fakes import FakeClock, FakeLog
from station.storage import atomic
from station.update.firmware_update import FirmwareUpdate

PATH = ramdisk.MOUNT + "/update.json"
NOON = 1_795_345_200
WISH = ("http://127.0.0.1/p.suit", NOON + 60, 0, 1)


class Slots:
    on_trial = False


class Transaction:
    """Nothing is open, nothing came to its end."""

    is_open = False
    outcome = None

    def told(self):
        return ""


class Point:
    is_idle = True

    def __init__(self):
        self.withheld = False

    def withhold(self, withheld):
        self.withheld = withheld


class FirmwareUpdateTest(unittest.TestCase):
    def setUp(self):
        self.flash = ramdisk.mount()
        self.log = FakeLog()
        self.clock = FakeClock(NOON)
        self.point = Point()
        self.told = []
        self.heard = False
        self.installer = None
        self.start()

    def tearDown(self):
        ramdisk.unmount()

    def start(self):
        """A start of the station on what the flash has."""
        self.update = FirmwareUpdate(
            PATH,
            Slots(),
            Transaction(),
            self.point,
            {"FirmwareInstallWait": 1},
            self.clock,
            self.make_installer,
            None,
            lambda: True,
            self.told.append,
            lambda: self.heard,
            self.log,
        )

    def make_installer(self):
        return self.installer()

    def run_until(self, condition, looks=400):
        async def main():
            task = asyncio.create_task(self.update.run())
            for _ in range(looks):
                if condition():
                    break
                await asyncio.sleep_ms(5)
            task.cancel()
            self.assertTrue(condition(), self.log.lines)

        asyncio.run(main())

    def test_a_wish_that_cannot_be_stored_is_refused(self):
        self.flash.dead = True
        self.assertFalse(self.update.request(*WISH))
        self.assertEqual(self.told, ["InstallationFailed"])
        self.assertIn("cannot be stored", self.log.at("error")[0])
        self.assertEqual(self.update.told(), "")
        self.flash.dead = False
        self.assertTrue(self.update.request(*WISH))

    def test_it_says_what_it_waits_for(self):
        self.assertEqual(self.update.told(), "")
        self.assertTrue(self.update.request(*WISH))
        self.assertEqual(self.update.told(), "waiting until 2026-11-22T11:01:00Z")
        self.clock.base = 0
        self.assertEqual(self.update.told(), "waiting for the clock")

    def test_no_clock_no_download(self):
        self.clock.base = 0
        self.installer = lambda: 1 / 0
        self.update.request(*WISH)

        async def main():
            task = asyncio.create_task(self.update.run())
            await asyncio.sleep_ms(600)
            task.cancel()

        asyncio.run(main())
        self.assertEqual(self.told, [])
        self.start()  # and the wish is there after a restart
        self.assertEqual(self.update.told(), "waiting for the clock")

    def test_what_goes_wrong_without_a_name_ends_it_all_the_same(self):
        for error in (ValueError("no certificate in the PEM text"), MemoryError("no room"), OSError("no slots")):
            self.told[:] = []

            def fail(error=error):
                raise error

            self.installer = fail
            self.assertTrue(self.update.request(WISH[0], 0, 0, 1))
            self.run_until(lambda: self.told == ["InstallationFailed"])
            self.assertFalse(self.point.withheld)
            self.assertIn("failed: ", self.update.told())
            self.assertEqual(atomic.load_json(PATH, self.log).get("job"), None)

    def test_an_outcome_is_told_again_until_it_was_heard(self):
        self.installer = lambda: 1 / 0
        self.update.request(WISH[0], 0, 0, 1)
        self.run_until(lambda: self.told == ["InstallationFailed"])
        self.start()  # the power went before it was heard
        self.run_until(lambda: self.told == ["InstallationFailed"] * 2)
        self.heard = True
        self.run_until(lambda: "status" not in atomic.load_json(PATH, self.log))
        self.told[:] = []
        self.start()
        self.run_until(lambda: not self.told)
