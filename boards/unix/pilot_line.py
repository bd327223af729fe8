"""The control pilot's line between station and car: its voltage at this very moment, as the firmware's pins see it.

The outlet lays out a `plan`, the two plateaus from now on and from the times at which the car will change them by
itself. `held`, `sense` and `wave_mv` only look at the clock and find their place in it: they allocate nothing and may
be called from a hard interrupt, however long nobody comes to lay out a new plan.
"""

import time

from machine import disable_irq, enable_irq
from micropython import const

PLANNED = const(6)  # plateaus that a plan has at most

_STEADY = const(65535)
_EDGE_US = const(5)  # after an edge the line is not yet where it goes (IEC 61851-1 table A.2: 2 us to 13 us)


class PilotLine:
    """`ticks_ms` and `ticks_us` stand for those of `time`."""

    def __init__(self, ticks_ms, ticks_us=time.ticks_us) -> None:
        self._ticks_ms = ticks_ms
        self._ticks_us = ticks_us
        self._count = 1
        self._from = [0] * PLANNED  # ticks, of all but the first
        self._high = [12000] * PLANNED  # mV
        self._low = [-12000] * PLANNED
        self._period_us = 1000
        self._width_us = 0

    # --- the pins' side

    def held(self, low: bool) -> int:
        """What a front end that holds the plateaus shows of the low one, or of the high one; a steady line is both."""
        row = self._row()
        if self._width_us and not (low and self._width_us < self._period_us):
            return self._high[row]
        return self._low[row]

    def sense(self) -> int:
        """The level of the wave that the station drives."""
        return 1 if self._ticks_us() % self._period_us < self._width_us else 0

    def wave_mv(self) -> int:
        """The line at this very microsecond."""
        row = self._row()
        width = self._width_us
        phase = self._ticks_us() % self._period_us
        since = phase if phase < width else phase - width
        if since < _EDGE_US and 0 < width < self._period_us:
            return (self._high[row] + self._low[row]) >> 1
        return self._high[row] if phase < width else self._low[row]

    def _row(self) -> int:
        row = 1
        now = self._ticks_ms()
        while row < self._count and time.ticks_diff(now, self._from[row]) >= 0:
            row += 1
        return row - 1

    # --- the outlet's side

    def wave(self, frequency: int, duty_u16: int) -> None:
        period = 1_000_000 // frequency if frequency else 1000
        width = period if duty_u16 == _STEADY else duty_u16 * period // _STEADY
        if duty_u16:
            width = max(1, width)
        state = disable_irq()
        self._period_us, self._width_us = period, width
        enable_irq(state)

    def plan(self, rows: "list[tuple[int, int, int]]") -> None:
        """[(ticks, high, low), …] in order of time, at most PLANNED; the first holds from now on. mV."""
        state = disable_irq()
        try:
            for at, (ticks, high, low) in enumerate(rows):
                self._from[at], self._high[at], self._low[at] = ticks, high, low
            self._count = len(rows)
        finally:
            enable_irq(state)
