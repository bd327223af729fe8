"""The application's slots: a new image on its way into the free one, and the power cut at each program and erase."""

import asyncio
import hashlib
import unittest

import boot_choice
from boot_choice import FACTORY, SLOT_A, SLOT_B, STARTS, Records, choose
from fakes import FakeLog
from flashes import WAYS, CuttableFlash, PowerCut
from station.storage.region import Region
from station.update.refused import Refused
from station.update.slots import Slots

BLOCK = 2048
REGIONS = {"slot_a": (0, 3), "slot_b": (3, 3), "boot": (6, 2)}
IMAGES = (bytes(range(256)) * 17 + b"end", b"another image " * 300)


class _Case(unittest.TestCase):
    def setUp(self):
        self.was = boot_choice.records, boot_choice.running
        self.start(CuttableFlash(8, BLOCK))

    def tearDown(self):
        boot_choice.records, boot_choice.running = self.was

    def start(self, flash):
        """A start of the board with this flash; the number of the slot that runs."""
        self.flash = flash
        boot_choice.records = Records(flash, *REGIONS["boot"])
        boot_choice.running = choose(boot_choice.records, self.mapped, False)
        self.slots = Slots(lambda name: Region(self.flash, *REGIONS[name]), "1.0.0", FakeLog())
        return boot_choice.running

    def mapped(self, slot):
        first, blocks = REGIONS[boot_choice.NAMES[slot]]
        return memoryview(self.flash.cells)[first * BLOCK : (first + blocks) * BLOCK]

    def content(self, slot):
        size = boot_choice.records.state.images[slot][0]
        return bytes(self.mapped(slot)[:size])

    def stage(self, image):
        async def stage():
            self.slots.begin()
            for start in range(0, len(image), 700):
                await self.slots.write(memoryview(image)[start : start + 700])
            await self.slots.end(hashlib.sha256(image).digest())

        asyncio.run(stage())


class TestStaging(_Case):
    def test_an_image_is_written_and_runs(self):
        self.stage(IMAGES[0])
        self.assertEqual(self.start(self.flash), FACTORY, "staged is not activated")
        self.stage(IMAGES[0])
        self.slots.try_next(True, False)
        self.assertEqual(self.start(self.flash), SLOT_A)
        self.assertEqual(self.content(SLOT_A), IMAGES[0])
        self.assertEqual((self.slots.on_trial, self.slots.was_online, self.slots.was_well), (True, True, False))
        with self.assertRaises(RuntimeError):
            self.slots.begin()
        self.slots.confirm()
        self.assertEqual((self.slots.on_trial, self.slots.former, self.slots.target), (False, "factory", "slot_b"))

    def test_bytes_programmed(self):
        before = self.flash.bytes_programmed
        self.stage(IMAGES[0])
        self.assertLess(self.flash.bytes_programmed - before, 1.1 * len(IMAGES[0]))

    def test_what_the_flash_did_not_take_is_refused(self):
        self.flash.wear_out(1)
        with self.assertRaises(Refused) as caught:
            self.stage(IMAGES[0])
        self.assertEqual(caught.exception.reason, "Digest")
        self.slots.discard()
        self.assertEqual(self.start(self.flash), FACTORY)

    def test_too_large_for_the_slot(self):
        with self.assertRaises(Refused) as caught:
            self.stage(bytes(3 * BLOCK + 1))
        self.assertEqual(caught.exception.reason, "Size")
        self.assertEqual(self.slots.capacity, 3 * BLOCK)

    def test_the_way_back_by_hand(self):
        self.assertIsNone(self.slots.go_back())
        for image in IMAGES:
            self.stage(image)
            self.slots.try_next(True, True)
            self.start(self.flash)
            self.slots.confirm()
        self.assertEqual(self.slots.go_back(), "slot_a")
        self.assertEqual(self.start(self.flash), SLOT_A)
        self.assertEqual(self.slots.told_fallback(), "slot_b: rolled back by hand")
        self.assertEqual(self.slots.go_back(), "slot_b")

    def test_a_board_without_slots(self):
        boot_choice.records, boot_choice.running = None, FACTORY
        slots = Slots(None, "1.0.0", FakeLog())
        self.assertEqual((slots.available, slots.capacity, slots.on_trial, slots.former), (False, 0, False, None))
        self.assertEqual((slots.running, slots.version, slots.told_fallback()), ("factory", "1.0.0", ""))


class TestPowerCut(_Case):
    def story(self, runs):
        """An update that stays, one that is rolled back by hand, one that is given up; `runs` gets what ran when."""
        for image in IMAGES:
            if self.slots.on_trial:
                self.slots.confirm()
            self.stage(image)
            self.slots.try_next(True, True)
            runs.append(self.start(self.flash))
            self.slots.confirm()
        self.slots.go_back()
        runs.append(self.start(self.flash))
        self.stage(IMAGES[1])
        self.slots.try_next(True, True)
        runs.append(self.start(self.flash))
        self.slots.revert(boot_choice.UNHEALTHY, "no backend, there was one")
        runs.append(self.start(self.flash))

    def test_every_cut_leaves_a_whole_application(self):
        runs = []
        self.story(runs)
        self.assertEqual(runs, [SLOT_A, SLOT_B, SLOT_A, SLOT_B, SLOT_A])
        total = self.flash.operations
        self.assertGreater(total, 30)
        cuts = 0
        for way in WAYS:
            for n in range(1, total + 1):
                self.start(CuttableFlash(8, BLOCK))
                self.flash.cut(n, way)
                try:
                    self.story([])
                except PowerCut:
                    cuts += 1
                self.start(self.flash.after())
                for _ in range(STARTS + 1):  # nobody confirms: it comes to rest, and on something whole
                    if boot_choice.running != FACTORY:
                        self.assertTrue(self.content(boot_choice.running) in IMAGES, (way, n))
                    self.start(self.flash)
                self.assertEqual(
                    (boot_choice.running, self.slots.on_trial), (boot_choice.records.state.confirmed, False)
                )
                self.stage(IMAGES[0])  # and it can be updated again
                self.slots.try_next(True, True)
                self.assertTrue(self.start(self.flash) in (SLOT_A, SLOT_B), (way, n))
                self.assertEqual(self.content(boot_choice.running), IMAGES[0])
        self.assertEqual(cuts, total * len(WAYS))
