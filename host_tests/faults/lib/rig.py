"""A board on a flash that can lose its power, in a world and before a backend that go on: `Rig`.

    rig = Rig(scenario, flash)
    rig.live(story)         boots the firmware as it is, lets `await story(rig)` happen; False if the power was cut
    rig.restart()           what is left of the flash gets its power back; `live` boots it again

A story moves the world (`plug`, `swipe`, `network`), waits (`until`, `run`) and leaps (`leap`).
"""

import asyncio
import json
import os
import time

import board as unix
import boot_choice
import machine
import simulation
import vfs
from csms import Backend
from flash_slice import Slice
from flashes import PowerCut
from station.app import App
from station.fitter import Fitter
from station.ocpp import link
from station.storage import filesystem
from wire import Network
from witness import Witness
from world import World

_STEP_MS = 50
_OFF_MS = 5000  # that a power cut lasts

_IDENTITY = {
    "vendor": "Ladepunkt",
    "model": "Faults",
    "serial": "LP-0001",
    "firmware_version": "0.1.0",
    "charge_point_id": "CP-1",
}
# nothing waits for long, and no silence of a leap is taken for the backend's
_SETTINGS = {
    "RetryBackOffWaitMinimum": "1",
    "RetryBackOffRepeatTimes": "0",
    "RetryBackOffRandomRange": "0",
    "WebSocketPingInterval": "0",
    "MessageTimeout": "30",
    "TransactionMessageRetryInterval": "2",
    "MeterValueSampleInterval": "60",
    "LogLevel": "WARNING",
}


class Restarted(BaseException):
    """The firmware has reset the board."""


class Board:
    """What an App asks of a board, see boards/unix/board.py."""

    NAME = "faults"
    INTERLOCK_PERIOD_MS = 50
    INTERLOCK_HARD = False
    INTERLOCK_TIMER = -1
    WATCHDOG_MS = 8000
    MAX_CONNECTORS = 8
    EXTENSIONS = ()

    def __init__(self, rig):
        self._rig = rig

    def provisioning(self):
        return self._rig.provisioning

    def filesystem(self):
        return Slice(self._rig.flash, *self._rig.scenario.regions["filesystem"])

    def network(self):
        return None

    def region(self, name):
        return (self._rig.flash,) + self._rig.scenario.regions[name]

    def mapped(self, slot):
        first, blocks = self._rig.scenario.regions[boot_choice.NAMES[slot]]
        size = self._rig.flash.block_size
        return memoryview(self._rig.flash.cells)[first * size : (first + blocks) * size]

    def connector(self, i):
        return unix.connector(i)

    def uart(self, key):
        return unix.uart(key)

    def readers(self):
        """A serial one at each connector, none for all of them."""
        served = [row for row in self._rig.world.readers() if len(row[1]) == 1]
        return tuple([{"kind": "serial", "uart": uart, "connectors": connectors} for uart, connectors in served])

    async def started(self, app):
        pass


class Rig:
    """Of a Scenario. `flash` and `app` are those of the present life; `world`, `backend`, `witnesses` go on.

    `cuts`: when the power was cut, in ms.
    """

    def __init__(self, scenario, flash):
        self.scenario = scenario
        self.flash = flash
        settings = dict(_SETTINGS)
        settings.update(scenario.SETTINGS)
        words = {
            "identity": _IDENTITY,
            "backend": {"url": "ws://127.0.0.1:9000"},
            "connectors": {"count": scenario.CONNECTORS, "lock": True, "max_current_a": 16, "phases": 3},
            "settings": settings,
        }
        scenario.provision(words)
        self.provisioning = json.dumps(words).encode()
        time.restart()
        os.seed(1)
        self.world = World(scenario.CONNECTORS, 3)
        self.witnesses = [Witness(outlet) for outlet in self.world.outlets]
        self.backend = Backend()
        self.network = self.backend.network = Network(self.backend)
        self.app = None
        self.logs = []  # what each life logged
        self.cuts = []
        self._task = None
        self._board = Board(self)

    # --- lives

    def live(self, story, resumed=None):
        """Boot, and let the story happen. False if the power was cut before its end.

        A restart of the board ends it; `resumed`, or the same once more, goes on behind that.
        """
        machine.attach(self.world)
        machine.reset = _restart
        self.network.flash = self.flash
        link.Transport = self.network.transport
        log = None
        try:
            self._choose()
            Fitter.component = lambda _, name, row: self.scenario.component(self, name)
            self.app = App(self._board)
            log = self.app._log
            simulation.run(self._tell(story), self.flash)
            return True
        except Restarted:
            pass
        except PowerCut:
            return False
        except OSError as error:
            if not self.flash.dead:  # else littlefs was told of no power as an error
                raise error
            return False
        finally:
            self.logs.append(list(log.lines()) if log else [])
            self._power_off()
        self.backend.note("restart")
        self.network.up()
        return self.live(resumed or story)

    def _choose(self):
        """What boot.py does; the firmware is the same, whichever slot it is in."""
        boot_choice.records, boot_choice.running = None, boot_choice.FACTORY
        if "boot" in self.scenario.regions:
            boot_choice.records = boot_choice.Records(self.flash, *self.scenario.regions["boot"])
            boot_choice.running = boot_choice.choose(boot_choice.records, self._board.mapped, False)

    async def _tell(self, story):
        self._task = asyncio.create_task(self.app.run())
        await story(self)

    def _power_off(self):
        try:
            vfs.umount(filesystem.ROOT)
        except OSError:
            pass  # it had not come so far
        for witness in self.witnesses:
            witness.power_off()
        for uart, _ in self.world.readers():
            self.world.serial(uart).rx = bytearray()
        self.network.drop()
        self.app = None

    def restart(self, lost=""):
        """The power comes back, to what the flash holds; but for the region `lost`, if one is named."""
        self.cuts.append(time.ticks_ms())
        self.backend.note("power cut")
        self.flash = self.flash.after()
        if lost:
            first, blocks = self.scenario.regions[lost]
            for block in range(first, first + blocks):
                self.flash.ioctl(6, block)
        self.network.up()
        time.advance(_OFF_MS)

    # --- the world

    def plug(self, connector_id=1, **parameters):
        self.world.outlets[connector_id - 1].plug(parameters)

    def unplug(self, connector_id=1):
        self.world.outlets[connector_id - 1].unplug()

    def swipe(self, id_tag, connector_id=1):
        """A card is held to the connector's reader."""
        self.witnesses[connector_id - 1].saw_card(id_tag)
        self.world.reader((connector_id,)).swipe(id_tag)

    def charging(self, connector_id=1):
        return self.witnesses[connector_id - 1].charge is not None

    async def begin(self, id_tag, connector_id=1, **parameters):
        """A car comes, a card is shown, until it charges."""
        self.plug(connector_id, **parameters)
        await self.run(0.4)
        self.swipe(id_tag, connector_id)
        await self.until(lambda: self.charging(connector_id))

    async def end(self, id_tag, connector_id=1):
        """The card is shown again, and the car leaves."""
        self.swipe(id_tag, connector_id)
        await self.until(lambda: not self.charging(connector_id))
        await self.run(0.3)
        self.unplug(connector_id)
        await self.run(0.3)

    async def configuration(self, *keys):
        """{key: value} as the station tells them to the backend."""
        answer = await self.backend.call("GetConfiguration", {"key": list(keys)})
        return {row["key"]: row["value"] for row in answer["configurationKey"]}

    async def online(self):
        """Until the backend has heard of every connector, and the station takes itself for online."""
        statuses = self.backend.statuses
        await self.until(lambda: len(statuses) == self.scenario.CONNECTORS + 1)
        await self.run(0.25)

    # --- time

    async def until(self, condition, within_s=60):
        """Wait until `condition()` holds; fails if it does not in time."""
        until = time.ticks_ms() + within_s * 1000
        while not condition():
            assert time.ticks_ms() < until, "not within %d s" % within_s
            assert not self._task.done(), "the firmware has ended"
            await asyncio.sleep_ms(_STEP_MS)
            self._look()

    async def run(self, seconds):
        """Let time pass as it does."""
        until = time.ticks_ms() + int(seconds * 1000)
        while time.ticks_ms() < until:
            await asyncio.sleep_ms(min(250, until - time.ticks_ms()))
            self._look()

    async def leap(self, seconds):
        """Let time pass at once: whatever was due meanwhile happens behind it, once."""
        self._look()
        time.advance(seconds * 1000)
        await self.run(0.25)

    def _look(self):
        for witness in self.witnesses:
            witness.look()

    async def quiet(self, seconds=3, within_s=120):
        """Wait until the backend has heard nothing new for so long."""
        backend = self.backend
        start = time.ticks_ms()
        await self.until(lambda: time.ticks_ms() - max(start, backend.heard_at) >= seconds * 1000, within_s)


def _restart(cause=0):
    raise Restarted
