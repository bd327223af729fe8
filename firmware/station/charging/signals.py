"""What the lamps say: a pattern for each status of a connector, and a short one for a card that was read.

`PATTERNS` is the table, to be read with a finger. `run()` looks at the statuses and moves the lamps; a card's answer
goes before the status until it has blinked `BlinkRepeat` times (OCPP 1.6 §9.1.4). While the backend cannot be reached
a white dash comes over the status now and then. `LightIntensity` (§9.1.11) dims all. A step allocates nothing.
"""

import asyncio
import time

from micropython import const

from station.charging import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.settings import Settings

# sums of the colours of a lamp
DARK = const(0)
RED = const(1)
GREEN = const(2)
YELLOW = const(3)
BLUE = const(4)
CYAN = const(6)
WHITE = const(7)

# status: colour, ms on, ms off; 0 ms off is steady
PATTERNS = {
    status.AVAILABLE: (GREEN, 1000, 0),
    status.PREPARING: (GREEN, 500, 500),
    status.CHARGING: (BLUE, 1000, 0),
    status.SUSPENDED_EV: (BLUE, 1500, 500),
    status.SUSPENDED_EVSE: (BLUE, 500, 1500),
    status.FINISHING: (CYAN, 500, 500),
    status.RESERVED: (YELLOW, 1000, 0),
    status.UNAVAILABLE: (RED, 200, 1800),
    status.FAULTED: (RED, 1000, 0),
}
STARTING = (WHITE, 200, 200)
ACCEPTED = (GREEN, 150, 150)
REFUSED = (RED, 150, 150)
OFFLINE = (WHITE, 100, 2900)  # over the pattern of the status, which goes on behind it

_STEP_MS = const(50)


class Signal:
    """One connector's lamp: which colour it shows when. Times are `ticks_ms`."""

    def __init__(self, lamp: "Any") -> None:
        self._lamp = lamp
        self._pattern: "tuple[int, int, int] | None" = None
        self._since = 0
        self._answer: "tuple[int, int, int] | None" = None
        self._blinks = 0

    def answer(self, accepted: bool, repeat: int, now: int) -> None:
        """A card was read: blink so many times, then go back to the status."""
        self._answer = (ACCEPTED if accepted else REFUSED) if repeat else None
        self._blinks = repeat
        self._since = now

    def show(self, pattern: "tuple[int, int, int]", intensity: int, now: int, online: bool = True) -> None:
        """Move the lamp to where it should be at `now`."""
        if self._answer:
            _, on_ms, off_ms = self._answer
            if time.ticks_diff(now, self._since) >= self._blinks * (on_ms + off_ms):
                self._answer = None
                self._since = now
        elif pattern is not self._pattern:
            self._since = now  # a new status begins with its colour
        self._pattern = pattern
        colour, on_ms, off_ms = self._answer or pattern
        phase = time.ticks_diff(now, self._since) % (on_ms + off_ms)
        if phase >= on_ms:
            colour = DARK
        if not online and not self._answer and now % (OFFLINE[1] + OFFLINE[2]) < OFFLINE[1]:
            colour = OFFLINE[0]
        self._lamp.show(colour, intensity)


class Signals:
    """The lamps of the station: `lamps` has one for each of `connectors`, or None where there is none.

    `is_online()` tells whether the backend can be reached.
    """

    def __init__(
        self,
        connectors: "Any",
        lamps: "list",
        settings: "Settings",
        is_online: "Callable[[], bool]",
        ticks_ms: "Callable[[], int] | None" = None,
    ) -> None:
        self._is_online = is_online
        self._settings = settings
        self._ticks_ms = ticks_ms or time.ticks_ms
        self._rows = [(connector, Signal(lamp)) for connector, lamp in zip(connectors, lamps) if lamp]

    def answered(self, accepted: bool, connector_ids: "tuple[int, ...]") -> None:
        """A card at a reader that serves these connectors was accepted or refused."""
        for connector, signal in self._rows:
            if connector.connector_id in connector_ids:
                signal.answer(accepted, self._settings["BlinkRepeat"], self._ticks_ms())

    def step(self) -> None:
        """One look at every connector."""
        intensity = self._settings["LightIntensity"]
        now = self._ticks_ms()
        online = self._is_online()
        for connector, signal in self._rows:
            if connector.looked.is_set():
                signal.show(PATTERNS[connector.status], intensity, now, online)
            else:
                signal.show(STARTING, intensity, now)

    async def run(self) -> None:
        """The task of the lamps; ends at once where there are none."""
        while self._rows:
            self.step()
            await asyncio.sleep_ms(_STEP_MS)
