"""update/transaction.py: all components or none, whatever one of them does, and wherever the power goes."""

import asyncio
import hashlib
import time
import unittest

import boot_choice
import ramdisk
from boot_choice import Records, choose
from device import FAILED, IDLE, PHASES, Device, image_of
from esp32_chip import PENDING, Chip, Places
from esp32_chip import image_of as image_of_base
from fakes import FakeLog
from flashes import WAYS, CuttableFlash, PowerCut
from sisters import Sister
from station.storage.journal import Journal
from station.storage.region import Region
from station.update import components, transaction, version
from station.update.application import Application
from station.update.base import Base
from station.update.health import Health
from station.update.slots import Slots
from station.update.transaction import Part, Transaction

BLOCK = 2048
REGIONS = {"slot_a": (0, 2), "slot_b": (2, 2), "boot": (4, 2), "update": (6, 4)}
BLOCKS = 10
VENDOR, KIND = bytes(range(16)), bytes(range(16, 32))
OLD, NEW = "1.0.0", "2.0.0"
IMAGE = b"an application " * 200


class Restart(BaseException):
    """The board begins anew."""


class _Case(unittest.TestCase):
    def setUp(self):
        self.was = boot_choice.records, boot_choice.running
        self.sleep_ms = asyncio.sleep_ms
        asyncio.sleep_ms = self.sleep
        self.new_station()

    def tearDown(self):
        boot_choice.records, boot_choice.running = self.was
        asyncio.sleep_ms = self.sleep_ms

    def sleep(self, ms):
        """Time passes at once."""
        time.advance(ms)
        return self.sleep_ms(0)

    def new_station(self, **flaws):
        """A station that has never had an update; `flaws` of its devices."""
        self.devices = {}
        for name in ("router", "controller"):
            self.devices[name] = Device(VENDOR, KIND, image_of(OLD), flaw=flaws.get(name, ""))
        self.is_online = True
        self.start(CuttableFlash(BLOCKS, BLOCK))

    def start(self, flash):
        """The board begins on this flash."""
        self.flash = flash
        self.log = FakeLog()
        boot_choice.records = Records(flash, *REGIONS["boot"])
        boot_choice.running = choose(boot_choice.records, self.mapped, False)
        self.slots = Slots(lambda name: Region(self.flash, *REGIONS[name]), OLD, self.log)
        self.health = Health(lambda: self.is_online, lambda: True)
        self.components = self.make_components()
        journal = Journal(Region(flash, *REGIONS["update"]), self.log)
        journal.mount()
        settings = {"FirmwareProbation": 30}
        self.transaction = Transaction(journal, self.components, self.health, self.restart, settings, self.log)

    def make_components(self):
        found = {"application": Application(self.slots, VENDOR, KIND, self.health.now)}
        for name, device in self.devices.items():
            found[name] = Sister(name, device)
        return found

    def mapped(self, slot):
        first, blocks = REGIONS[boot_choice.NAMES[slot]]
        return memoryview(self.flash.cells)[first * BLOCK : (first + blocks) * BLOCK]

    def restart(self):
        raise Restart

    # --- what happens

    def image(self, name):
        """The new one of a component."""
        return IMAGE if name == "application" else image_of(NEW, 300)

    async def install(self, order):
        """Stage all of these, and do it."""
        images, parts = {name: self.image(name) for name in order}, []
        for name in order:
            component, image = self.components[name], images[name]
            await component.begin(len(image), hashlib.sha256(image).digest())
            for at in range(0, len(image), 100):
                await component.write(at, memoryview(image)[at : at + 100])
        for name in order:
            component, digest = self.components[name], hashlib.sha256(images[name]).digest()
            await component.verify(len(images[name]), digest)
            parts.append(Part(name, (await component.status()).image, component.image(digest)))
        self.transaction.begin(7, parts)
        await self.transaction.proceed()

    async def go_on(self):
        """What a board does at its start."""
        if self.transaction.is_open:
            await self.transaction.proceed()

    def live(self, task):
        """Lives of the board until one has nothing left to do; each cut of its power begins another."""
        for _ in range(12):
            try:
                asyncio.run(task)
                return
            except Restart:
                pass
            except PowerCut:
                pass
            self.start(self.flash.after())
            task = self.go_on()
        self.fail("it comes to no end: " + self.transaction.told())

    def runs(self):
        """{name: version} and that nothing is on trial."""
        found = {"application": NEW if self.slots.running == "slot_a" else OLD}
        self.assertFalse(self.slots.on_trial)
        for name, device in self.devices.items():
            found[name] = device.version
            self.assertNotEqual(PHASES[device.kept["phase"]], "trial", name)
        return found

    def all_are(self, wanted, order):
        found = self.runs()
        for name in order:
            self.assertEqual(found[name], wanted, (name, found, self.log.lines))

    # --- the power goes

    def count(self, order, **flaws):
        self.new_station(**flaws)
        self.total = 0
        begin = self.start

        def counting(flash):
            self.total += self.flash.operations
            begin(flash)

        self.start = counting
        try:
            self.live(self.install(order))
        finally:
            del self.start
        return self.total + self.flash.operations

    def settle(self, order, wanted):
        """After the cut the board lives on; the set is whole, and told as what it is."""
        self.live(self.go_on())
        found = self.runs()
        kinds = sorted({found[name] for name in order})
        self.assertEqual(len(kinds), 1, (found, self.log.lines))
        outcome = self.transaction.outcome
        if outcome is not None:
            self.assertEqual(kinds[0], NEW if outcome[0] else OLD)
        if wanted:
            self.assertIn(kinds[0], wanted)

    def cut_at(self, n, way, order):
        """Live until the n-th operation, which may lie in a later life. False if there is none."""
        task = self.install(order)
        for _ in range(6):
            before = self.flash.operations
            self.flash.cut(n, way)
            try:
                asyncio.run(task)
                return False
            except PowerCut:
                self.start(self.flash.after())
                return True
            except Restart:
                n -= self.flash.operations - before
                self.start(self.flash.after())
                task = self.go_on()
        return False


ORDER = ("router", "application", "controller")


class TestOutcome(_Case):
    def test_all_become_new(self):
        for order in (ORDER, ("router", "controller"), ("application",), ("controller", "router", "application")):
            self.new_station()
            self.live(self.install(order))
            self.all_are(NEW, order)
            self.assertEqual(self.transaction.outcome, (True, ""))
            self.assertEqual((self.transaction.sequence_number, self.transaction.told()), (7, "installed"))
            self.transaction.forget()
            self.start(self.flash.after())
            self.assertEqual((self.transaction.outcome, self.transaction.is_open), (None, False))
            self.assertEqual(self.transaction.told(), "installed", "until the next begins")

    def test_whatever_one_does_all_stay_old(self):
        reasons = {
            "lies": "it runs another image",
            "falls back": "its image did not start",
            "mute": "it is mute",
            "sick": "self-test",
            "deaf": "not now",
        }
        for flaw, reason in reasons.items():
            for name in ("router", "controller"):
                for order in (ORDER, ("controller", "router"), ("application", "controller", "router")):
                    self.new_station(**{name: flaw})
                    self.devices[name].mute_for = 200  # longer than the board is patient
                    self.live(self.install(order))
                    self.all_are(OLD, order)
                    self.assertEqual(self.transaction.outcome[0], False)
                    self.assertIn(reason, self.transaction.outcome[1], (flaw, name, order))

    def test_they_are_rolled_back_in_reverse_order(self):
        self.new_station(controller="sick")
        order = []
        for name, device in self.devices.items():
            device.on_change = lambda name=name, device=device: order.append((name, device.version))
        self.live(self.install(("router", "controller")))
        self.assertEqual(order[-2:], [("controller", OLD), ("router", OLD)])

    def test_what_was_not_activated_is_discarded(self):
        self.new_station(router="falls back")
        self.live(self.install(("router", "controller")))
        self.assertEqual(self.devices["controller"].log, ["begin", "verify", "discard"])
        self.assertEqual(self.devices["controller"].kept["phase"], IDLE)

    def test_a_router_that_cuts_the_station_off_is_rolled_back(self):
        def cut_off():
            self.is_online = self.devices["router"].version == OLD

        self.devices["router"].on_change = cut_off
        self.live(self.install(("router", "controller")))
        self.all_are(OLD, ("router", "controller"))
        self.assertEqual(self.transaction.outcome, (False, "no backend, there was one"))
        self.assertTrue(self.is_online)

    def test_without_a_backend_before_none_is_asked_for(self):
        self.is_online = False
        self.live(self.install(("router",)))
        self.all_are(NEW, ("router",))

    def test_one_that_went_back_behind_the_commit_is_activated_again_or_all_go_back(self):
        for comes_again in (True, False):
            self.new_station()
            router = self.devices["router"]
            seen = []

            def fall(router=router, comes_again=comes_again, seen=seen):
                if self.transaction._phase == transaction.COMMITTED and not seen:
                    seen.append(True)
                    staged = router.kept["runs"] if comes_again else None
                    router.kept.update(runs=router.kept["former"], staged=staged, phase=IDLE)

            status = router.status

            def watched(status=status, fall=fall):
                fall()
                return status()

            router.status = watched
            self.live(self.install(ORDER))
            self.assertTrue(seen)
            self.all_are(NEW if comes_again else OLD, ORDER)
            self.assertEqual(self.transaction.outcome[0], comes_again)

    def test_a_component_that_is_gone_from_the_provisioning(self):
        self.new_station(router="mute")
        self.devices["router"].mute_for = 10_000

        async def begin():
            task = asyncio.create_task(self.install(("router",)))
            while not self.transaction.is_open:
                await self.sleep_ms(0)
            task.cancel()

        asyncio.run(begin())
        self.assertTrue(self.transaction.is_open)
        del self.devices["router"]
        self.start(self.flash.after())
        self.assertFalse(self.transaction.is_open)
        self.assertIn("not in the provisioning", str(self.log.at("error")))

    def test_an_earlier_one_fails_behind_a_power_cut(self):
        """What was activated before the cut is rolled back, too."""
        router, controller = self.devices["router"], self.devices["controller"]

        def activated():
            if controller.version == NEW:
                controller.on_change = None
                router.kept.update(runs=router.kept["former"], phase=FAILED)
                raise PowerCut

        controller.on_change = activated
        self.live(self.install(("router", "controller")))
        self.assertIsNone(controller.on_change)
        self.all_are(OLD, ("router", "controller"))

    def test_what_is_committed_is_not_undone_for_want_of_a_backend(self):
        """The power goes between the confirmation of the application and the record of it."""
        confirm = Slots.confirm

        def last(slots):
            confirm(slots)
            self.is_online = False
            raise PowerCut

        Slots.confirm = last
        try:
            self.live(self.install(ORDER))
        finally:
            Slots.confirm = confirm
        self.assertFalse(self.is_online)
        self.all_are(NEW, ORDER)
        self.assertEqual(self.transaction.outcome, (True, ""))

    def test_nothing_is_done_while_the_board_is_about_to_restart(self):
        asked = []
        self.transaction._restart = lambda: asked.append(1)

        async def install():
            task = asyncio.create_task(self.install(("application", "router")))
            while not asked:
                await self.sleep_ms(0)
            for _ in range(100):
                await asyncio.sleep_ms(250)
            self.assertFalse(task.done())
            task.cancel()

        asyncio.run(install())
        self.assertEqual(self.devices["router"].log, ["begin", "verify"])

    def test_two_who_proceed_at_once(self):
        """The probation of an application goes on with it, and so does the task of updates."""

        async def both():
            task = asyncio.create_task(self.install(("router", "controller")))
            while not self.transaction.is_open:
                await self.sleep_ms(0)
            await self.transaction.proceed()
            self.assertEqual(self.transaction.outcome, (True, ""))
            await task

        ended = []
        self.transaction.on_end = lambda: ended.append(1)
        asyncio.run(both())
        self.assertEqual(ended, [1])
        self.assertEqual(self.devices["router"].log, ["begin", "verify", "activate", "confirm"])

    def test_a_fault_in_any_letters(self):
        self.devices["router"].flaw = "sick"
        status = self.devices["router"].status
        fault = "\u00fcbel " * 40

        def unlucky():
            found = status()
            found["fault"] = found["fault"] and fault
            return found

        self.devices["router"].status = unlucky
        self.live(self.install(("router",)))
        self.start(self.flash.after())
        self.assertEqual(self.transaction.told(), ("rolled back: router: " + "?bel " * 40)[: 13 + 120])

    def test_a_log_is_not_flooded(self):
        self.new_station(controller="mute")
        self.devices["controller"].mute_for = 400
        self.live(self.install(("controller",)))
        self.assertLess(len(self.log.lines), 20)

    def test_its_state_is_told(self):
        self.assertEqual(self.transaction.told(), "")
        self.new_station(controller="sick")
        self.live(self.install(ORDER))
        self.assertIn("rolled back: controller: its self-test failed", self.transaction.told())


class TestBase(_Case):
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


class TestPowerCut(_Case):
    """The board at each program and erase of the journal and the boot records, a component at each change it keeps."""

    def test_the_board(self):
        cuts = 0
        for order, flaws in ((ORDER, {}), (ORDER, {"controller": "sick"}), (("router", "controller"), {})):
            total = self.count(order, **flaws)
            for way in WAYS:
                for n in range(1, total + 1):
                    self.new_station(**flaws)
                    if not self.cut_at(n, way, order):
                        break
                    cuts += 1
                    self.settle(order, (OLD,) if flaws else None)
        print("%d power cuts of the board" % cuts)
        self.assertGreater(cuts, 150)

    def test_a_component(self):
        cuts = 0
        for flaws in ({}, {"controller": "sick"}, {"router": "falls back"}):
            for name in ("router", "controller"):
                for n in range(1, 8):
                    self.new_station(**flaws)
                    self.devices[name].cut(n)
                    try:
                        self.live(self.install(ORDER))
                    except components.ComponentError:  # while it was staged: nothing has begun
                        self.assertFalse(self.transaction.is_open)
                        self.all_are(OLD, ORDER)
                    cuts += not self.devices[name]._cut_at
                    self.settle(ORDER, (OLD,) if flaws else None)
        print("%d power cuts of a component" % cuts)
        self.assertGreater(cuts, 15)

    def test_both_at_once(self):
        for n in range(1, 40):
            for name in ("router", "controller"):
                self.new_station()
                self.devices[name].on_change = None
                if not self.cut_at(n, WAYS[n % len(WAYS)], ORDER):
                    continue
                self.devices[name].power_cycle()
                self.settle(ORDER, None)
