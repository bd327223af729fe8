"""update/transaction.py with the base image of an ESP32 among the components: restarts within restarts."""

import asyncio
import unittest

import ramdisk
from esp32_chip import PENDING, Chip, Places
from esp32_chip import image_of as image_of_base
from flashes import WAYS
from station.update import version
from station.update.base import Base
from transactions import KIND, NEW, OLD, VENDOR, TransactionCase


class TestBase(TransactionCase, unittest.TestCase):
    """The base image and the application, each with a restart of the board, and a component behind them."""

    ORDER = ("base", "application", "controller")

    def setUp(self):
        ramdisk.mount()
        super().setUp()

    def tearDown(self):
        super().tearDown()
        ramdisk.unmount()

    def new_station(self, **flaws):
        self.chip = Chip(image_of_base(OLD))
        super().new_station(**flaws)

    def start(self, flash):
        self.chip.boots()
        super().start(flash)

    def make_components(self):
        found = super().make_components()
        found["base"] = Base(Places(), VENDOR, KIND, ramdisk.MOUNT + "/base.json", self.log)
        return found

    def image(self, name):
        return image_of_base(NEW) if name == "base" else super().image(name)

    def runs(self):
        found = super().runs()
        found["base"] = version.text(asyncio.run(self.components["base"].status()).version)
        return found

    def stays(self, wanted):
        """So it is after more restarts, too."""
        for _ in range(3):
            self.start(self.flash.after())
            self.all_are(wanted, self.ORDER)

    def test_all_become_new(self):
        self.live(self.install(self.ORDER))
        self.all_are(NEW, self.ORDER)
        self.stays(NEW)

    def test_a_failure_behind_them_takes_both_back(self):
        self.new_station(controller="sick")
        self.live(self.install(self.ORDER))
        self.all_are(OLD, self.ORDER)
        self.assertIn("self-test", self.transaction.outcome[1])
        self.stays(OLD)

    def test_a_base_that_the_boot_loader_gives_up(self):
        boots = self.chip.boots

        def twice():
            boots()
            if self.chip.states[self.chip.running] == PENDING:  # it hangs, and the watchdog resets it
                boots()

        self.chip.boots = twice
        self.live(self.install(self.ORDER))
        self.all_are(OLD, self.ORDER)
        self.assertEqual(self.transaction.outcome, (False, "base: it did not stay: the boot loader has gone back"))
        self.stays(OLD)

    def test_power_cuts(self):
        total, cuts = self.count(self.ORDER), 0
        for way in WAYS:
            for n in range(1, total + 1):
                self.new_station()
                if not self.cut_at(n, way, self.ORDER):
                    break
                cuts += 1
                self.settle(self.ORDER, None)
        self.assertGreater(cuts, 50)
