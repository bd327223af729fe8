"""Looks at the world every 50 ms: keeps what changed by itself, and tells watchers what changed.

While nobody watches, a look costs next to nothing.
"""

import asyncio
import time

from micropython import const

_PERIOD_MS = const(50)
_ENERGY_MS = const(1000)  # a register that only grows is told this often


class Watch:
    """`emit(event: dict)` is called for each change while `watched`."""

    def __init__(self, world, emit) -> None:
        self._world = world
        self._emit = emit
        self._last = None
        self._told = 0
        self.watched = False

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep_ms(_PERIOD_MS)

    def look(self) -> None:
        """One look."""
        self._world.tidy()
        if not self.watched:
            self._last = None
            return
        rows = self._world.describe()
        energy = self._last is None or time.ticks_diff(time.ticks_ms(), self._told) >= _ENERGY_MS
        if energy:
            self._told = time.ticks_ms()
        if self._last is not None:
            for old, new in zip(self._last, rows):
                self._compare(old, new, energy)
        self._last = rows

    def _compare(self, old: dict, new: dict, energy: bool) -> None:
        number = new["id"]
        if old["ev"] != new["ev"] or old["pilot"] != new["pilot"]:
            self._emit({"event": "ev", "connector": number, "pilot": new["pilot"], "ev": new["ev"]})
        if old["contactor"] != new["contactor"]:
            row = {"event": "contactor", "connector": number, "closed": new["contactor"], "coil_ms": new["coil_ms"]}
            self._emit(row)
        if old["locked"] != new["locked"]:
            self._emit({"event": "lock", "connector": number, "locked": new["locked"]})
        if old["lamp"] != new["lamp"]:
            self._emit({"event": "lamp", "connector": number, "colour": new["lamp"], "percent": new["lamp_percent"]})
        if old["power_w"] != new["power_w"] or (energy and old["energy_wh"] != new["energy_wh"]):
            row = {"event": "meter", "connector": number, "power_w": new["power_w"], "energy_wh": new["energy_wh"]}
            self._emit(row)
        else:
            new["energy_wh"] = old["energy_wh"]  # not told yet
