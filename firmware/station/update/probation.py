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
    from typing import Callable

    from station.log import Log
    from station.settings import Settings
    from station.supervisor import Supervisor
    from station.update.slots import Slots

_LOOK_MS = const(250)
_IN_A_ROW = const(8)  # looks at which all must be well


class Probation:
    """Healthy: every task of `supervisor` is up and none had to be restarted; no connector's device fails
    (`is_well()`) and the backend is connected (`is_online()`), or neither was so under the application before.

    `on_confirmed()` is called when it stays; `restart()` never returns.
    """

    def __init__(
        self,
        slots: "Slots",
        supervisor: "Supervisor",
        settings: "Settings",
        is_well: "Callable[[], bool]",
        is_online: "Callable[[], bool]",
        on_confirmed: "Callable[[], None]",
        restart: "Callable[[], None]",
        log: "Log",
    ) -> None:
        self._slots = slots
        self._supervisor = supervisor
        self._settings = settings
        self._is_well = is_well
        self._is_online = is_online
        self._on_confirmed = on_confirmed
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
                self._log.error("probation", "%s: the former application comes back", missing)
                self._slots.revert(boot_choice.UNHEALTHY, missing)
                self._restart()
        self._slots.confirm()
        self._on_confirmed()

    def missing(self) -> str:
        """What it lacks to be healthy; empty if nothing."""
        if self._supervisor.restarts or self._supervisor.down:
            names = sorted(set(self._supervisor.restarts) | self._supervisor.down)
            return "task %s died" % ", ".join(names)
        if self._slots.was_well and not self._is_well():
            return "a device fails that did not"
        if self._slots.was_online and not self._is_online():
            return "no backend, there was one"
        return ""
