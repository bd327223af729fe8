"""The trial of a new application: healthy in time, then it stays; else the former one comes back, by itself.

Until then no connector is in service: a transaction that began on trial could be cut off by the way back. A crash, a
hang and a reset by the watchdog end a trial without this file, see boot_choice.py.
"""

import asyncio
import time

import boot_choice
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from station.log import Log
    from station.settings import Settings
    from station.supervisor import Supervisor
    from station.update.health import Health
    from station.update.slots import Slots

_LOOK_MS = const(250)
_IN_A_ROW = const(8)  # looks at which all must be well


class Probation:
    """Healthy: every task of `supervisor` is up and none had to be restarted, and the station is as well as it was
    under the application before.

    `await conclude()` is for when it is: it confirms the slot, or gives it up, within `limit_s()` seconds. `restart()`
    never returns.
    """

    def __init__(
        self,
        slots: "Slots",
        supervisor: "Supervisor",
        settings: "Settings",
        health: "Health",
        conclude: "Callable[[], Awaitable[None]]",
        limit_s: "Callable[[], int]",
        restart: "Callable[[], None]",
        log: "Log",
    ) -> None:
        self._slots = slots
        self._supervisor = supervisor
        self._settings = settings
        self._health = health
        self._conclude = conclude
        self._limit_s = limit_s
        self._restart = restart
        self._log = log

    async def run(self) -> None:
        """Watch until it is decided. Raises OSError if the flash does not take the decision."""
        self._log.info("probation", "%s, version %s, is on trial", self._slots.running, self._slots.version)
        began = time.ticks_ms()
        in_a_row = 0
        while in_a_row < _IN_A_ROW:
            await asyncio.sleep_ms(_LOOK_MS)
            missing = self.missing()
            in_a_row = 0 if missing else in_a_row + 1
            late = time.ticks_diff(time.ticks_ms(), began) > self._settings["FirmwareProbation"] * 1000
            if missing and late:
                self._give_up(missing)
        try:
            await asyncio.wait_for(self._conclude(), self._limit_s())
        except asyncio.TimeoutError:
            self._give_up("the update came to no end")

    def _give_up(self, why: str) -> None:
        self._log.error("probation", "%s: the former application comes back", why)
        self._slots.revert(boot_choice.UNHEALTHY, why)
        self._restart()

    def missing(self) -> str:
        """What it lacks to be healthy; empty if nothing."""
        if self._supervisor.restarts or self._supervisor.down:
            names = sorted(set(self._supervisor.restarts) | self._supervisor.down)
            return "task %s died" % ", ".join(names)
        return self._health.missing(self._slots.was_online, self._slots.was_well)
