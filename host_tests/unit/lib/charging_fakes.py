"""Stand-ins for what a connector drives and for the link to a backend, and a `Bench` that builds charging upon them.

Time moves only by `Bench.advance` (whole seconds of the real `Clock`), the interlock only by `passes`, a connector only
by `step`. What asyncio waits for is hurried by `hurry`, which moves the simulated time along.
"""

import asyncio
import time

from fakes import FakeLog
from flashes import CuttableFlash
from station.charging.connector import Connector, Devices
from station.charging.faults import Faults
from station.charging.interlock import Interlock
from station.charging.transaction import Ledger
from station.clock import Clock
from station.ocpp.calls import NotConnected
from station.settings import Settings
from station.storage.journal import Journal
from station.storage.region import Region

NOON = 1795345200  # 2026-11-22T11:00:00Z
A, B, C, D, E, F, NO_DIODE, LOST = range(8)


class FakePilot:
    """`state` is what the next samples show; `script`, if set, is gone through first."""

    def __init__(self):
        self.state = A
        self.script = None
        self.at = 0
        self.offered = 0

    def sample(self) -> int:
        if self.script is not None and self.at < len(self.script):
            self.at += 1
            return self.script[self.at - 1]
        return self.state

    def offer(self, deciamps: int) -> None:
        self.offered = deciamps

    def off(self) -> None:
        self.offered = 0


class FakeContactor:
    """Follows its coils at once, unless `welded` or `stuck`: poles as bits, True is the first.

    `resting` refuses. `within_move`, if set, is called once in the midst of closing.
    """

    moves_ms = 150

    def __init__(self, poles: int = 1):
        self.count = poles
        self.told = 0
        self.welded = False
        self.stuck = False
        self.resting = False
        self.closings = 0
        self.within_move = None

    @property
    def commanded(self) -> bool:
        return self.told != 0

    def is_rested(self) -> bool:
        return not self.resting

    def step(self, on: int) -> int:
        differ = self.told ^ self._closed()
        if not on:
            self.open()
        elif not self.told:
            if self.within_move:
                self.within_move()
            self.closings += 1
            self.told = (1 << self.count) - 1
        return differ

    def open(self) -> None:
        self.told = 0

    def _closed(self) -> int:
        return self.told & ~self.stuck | self.welded

    def is_closed(self) -> bool:
        return self._closed() != 0


class FakeLock:
    """`jammed` keeps it where it is. `before`, if set, is called before it tells where that is."""

    def __init__(self):
        self.before = None
        self.locked = False
        self.told = False
        self.jammed = False

    def lock(self) -> None:
        self._move(True)

    def unlock(self) -> None:
        self._move(False)

    def _move(self, locked: bool) -> None:
        self.told = locked
        if not self.jammed:
            self.locked = locked

    def is_locked(self) -> bool:
        if self.before:
            self.before()
        return self.locked


class FakeInputs:
    """`alarms` are active; `glitch`: something holds the contactor open and is too short to tell."""

    codes = (
        "EmergencyStop",
        "GroundFailure",
        "HighTemperature",
        "OverCurrentFailure",
        "EnclosureOpen",
        "ResidualCurrent",
        "EVCommunicationError",
        "WeakSignal",
    )

    def __init__(self):
        self.alarms = []
        self.glitch = False

    def any(self) -> bool:
        return self.glitch or len(self.alarms) > 0

    def active(self) -> list:
        return list(self.alarms)


class FakeMeter:
    """`failures` reads fail (-1: all from now on). `during`, if set, is called in the midst of a read."""

    def __init__(self):
        self.energy = 1000  # Wh
        self.failures = 0
        self.reads = 0
        self.during = None

    async def read(self) -> tuple:
        self.reads += 1
        await asyncio.sleep_ms(0)
        if self.during:
            during, self.during = self.during, None
            during()
        if self.failures:
            self.failures -= 1
            raise OSError("meter 1: no answer, 3 tries")
        return (self.energy, 11000, 16000, 15900, 15800, 2301, 2302, 2303, 4998)


class FakeLink:
    """Answers calls from `answers`, a function (action, payload) -> payload or LinkError to raise; keeps `sent`.

    `gate`, if set, is waited for before each answer. It obeys `allow` as the real one does.
    """

    def __init__(self, answers=None):
        self.answers = answers or (lambda action, payload: {})
        self.sent = []  # (action, payload, unique_id)
        self.allow = None
        self.on_up = None
        self.on_down = None
        self.connected = False
        self.closed = False
        self.gate = None

    def up(self) -> None:
        self.connected = True
        if self.on_up:
            self.on_up()

    def down(self) -> None:
        self.connected = False
        if self.on_down:
            self.on_down("test")

    async def close(self) -> None:
        self.closed = True

    async def call(self, action: str, payload: dict, unique_id=None) -> dict:
        if not self.connected:
            raise NotConnected("not connected")
        if self.allow and not self.allow(action):
            raise NotConnected("%s may not be sent now" % action)
        self.sent.append((action, payload, unique_id))
        await asyncio.sleep_ms(0)
        if self.gate:
            await self.gate.wait()
        if not self.connected:
            raise NotConnected("lost", True)
        answer = self.answers(action, payload)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def actions(self) -> list:
        return [row[0] for row in self.sent]

    def payloads(self, action: str) -> list:
        return [row[1] for row in self.sent if row[0] == action]


class Listener:
    """What connectors tell; `statuses` is a list of (connector_id, status, errorCode)."""

    def __init__(self):
        self.statuses = []
        self.readings = []
        self.full = 0
        self.ended = 0

    def status_changed(self, connector) -> None:
        self.statuses.append((connector.connector_id, connector.status, connector.error[0]))

    def aligned(self, connector) -> None:
        self.readings.append((connector.connector_id, connector.measurement))

    def store_full(self) -> None:
        self.full += 1

    def transaction_ended(self, connector) -> None:
        self.ended += 1

    def of(self, connector_id: int) -> list:
        """The statuses of one connector, in order."""
        return [row[1] for row in self.statuses if row[0] == connector_id]


class Outlet:
    """One connector and its devices."""

    def __init__(self, bench, connector_id: int, with_lock: bool, ventilated: bool):
        self.pilot = FakePilot()
        self.contactor = FakeContactor()
        self.lock = FakeLock() if with_lock else None
        self.inputs = FakeInputs()
        self.warnings = FakeInputs()
        self.meter = FakeMeter()
        self.interlock = Interlock(self.pilot, self.contactor, self.inputs, self.lock, ventilated)
        self.faults = Faults(self.inputs, self.warnings, self.interlock)
        devices = Devices(self.interlock, self.pilot, self.meter, self.lock, self.faults)
        self.connector = Connector(
            connector_id, devices, bench.settings, bench.clock, bench.ledger, bench.log, 160, bench.phases
        )

    def passes(self, count: int = 4) -> None:
        for _ in range(count):
            self.interlock.step(None)

    def show(self, state: int) -> None:
        """The car shows a pilot state, for long enough to count."""
        self.pilot.state = state
        self.passes()


class Bench:
    """A board with a journal in RAM flash, a real clock, settings, a ledger and so many outlets.

    `restart()` is a power cut: everything but the flash begins anew.
    """

    def __init__(self, outlets=1, lock=True, ventilated=False, blocks=8, block_size=4096, epoch=NOON, phases=3, **keys):
        self.phases = phases
        self.flash = CuttableFlash(blocks, block_size)
        self._shape = (outlets, lock, ventilated)
        self._keys = keys
        self.boot = 0
        self.listener = Listener()
        self.start(epoch)

    def start(self, epoch: int) -> None:
        self.boot += 1
        self.ms = 0
        self.log = FakeLog()
        self.clock = Clock(self.boot, lambda: self.ms)
        if epoch:
            self.clock.set(epoch)
        outlets, lock, ventilated = self._shape
        self.settings = Settings(None, self.log, self._keys, outlets, self.phases)
        self.journal = Journal(Region(self.flash, 0, self.flash.blocks), self.log)
        self.journal.mount()
        self.ledger = Ledger(self.journal, self.clock, self.log)
        self.outlets = [Outlet(self, i + 1, lock, ventilated) for i in range(outlets)]
        for outlet in self.outlets:
            outlet.connector.listener = self.listener

    def restart(self, epoch: int = 0) -> None:
        self.flash = self.flash.after()
        self.start(epoch)

    def replay(self, *parts) -> None:
        """Boot: read the journal of the lives before into the ledger and these parts, then recover."""
        for seq, kind, payload in self.journal.records(self.journal.oldest):
            for part in (self.ledger,) + parts:
                part.replay(seq, kind, payload)
        self.ledger.recover()

    def advance(self, seconds: int) -> None:
        self.ms += seconds * 1000

    async def step(self, times: int = 1) -> None:
        """Steps of every connector, each after a pass of the interlocks."""
        for _ in range(times):
            for outlet in self.outlets:
                outlet.passes(1)
                await outlet.connector.step()

    def records(self) -> list:
        """(kind, payload) of all that is in the journal."""
        return [(kind, bytes(payload)) for _, kind, payload in self.journal.records(self.journal.oldest)]

    def of_kind(self, kind: int) -> list:
        return [payload for found, payload in self.records() if found == kind]


async def settle(turns: int = 10) -> None:
    """Let every task run as far as it can without waiting."""
    for _ in range(turns):
        await asyncio.sleep_ms(0)


async def hurry(task, *, step_ms: int = 50, each=None, most: int = 2000):
    """The result of `task`, with the time that it waits for moved along; `each()` is called at every move.

    Fails after `most` moves.
    """
    for _ in range(most):
        await settle(4)
        if task.done():
            return await task
        time.advance(step_ms)
        if each:
            result = each()
            if result is not None:
                await result
    task.cancel()
    raise AssertionError("it did not end within %d ms" % (most * step_ms))
