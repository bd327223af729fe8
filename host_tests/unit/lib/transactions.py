"""A station before its transaction: our board's flash and slots, two simulated components, restarts, power cuts."""

import asyncio
import hashlib
import time

import boot_choice
from boot_choice import Records, choose
from device import PHASES, Device, image_of
from fakes import FakeLog
from flashes import CuttableFlash, PowerCut
from sisters import Sister
from station.storage.journal import Journal
from station.storage.region import Region
from station.update.application import Application
from station.update.health import Health
from station.update.slots import Slots
from station.update.transaction import Part, Transaction

BLOCK = 2048
REGIONS = {"slot_a": (0, 2), "slot_b": (2, 2), "boot": (4, 2), "update": (6, 4)}
BLOCKS = 10
VENDOR, KIND = bytes(range(16)), bytes(range(16, 32))
OLD, NEW = "1.0.0", "2.0.0"
IMAGE = b"an application " * 200
ORDER = ("router", "application", "controller")


class Restart(BaseException):
    """The board begins anew."""


class TransactionCase:
    """Mixed into a TestCase: a station that installs, restarts and loses its power, until nothing is left to do."""

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
