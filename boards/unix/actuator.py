"""Something that a coil or a motor moves and a feedback contact watches: a pole of a contactor, the connector lock.

It follows its drive `delay_ms` later, unless it is held where it is, or elsewhere, by a fault.

Two sides look at it. The firmware's pins call `drive` and `level`, perhaps from a hard interrupt: these allocate
nothing and keep times as ticks. The world, outside interrupts, reads the same drives later from a small ring, as exact
times (`take`, `settle`), so that energy is right to the millisecond whoever switched, and when.
"""

import time

from machine import disable_irq, enable_irq
from micropython import const

_RING = const(16)  # drives that may wait for the world; of more only the last is kept, and energy is not exact


class Actuator:
    """`position` is 0 or 1 as of the last `settle`; `how` is the fault's name or "ok".

    `driven_at` is when the drive last changed, in ms.
    """

    def __init__(self, delay_ms: int, ticks=time.ticks_ms) -> None:
        self._delay = delay_ms
        self._ticks = ticks
        # the pins' side
        self._target = 0
        self._was = 0
        self._since = ticks()
        self._moving = True
        self._held = -1
        self._when = [0] * _RING
        self._what = [0] * _RING
        self._head = 0
        self._tail = 0
        # the world's side
        self._drives = []  # [(ms, level)]
        self._goal = 0
        self.driven_at = 0
        self.moves_at = delay_ms
        self.position = 0
        self.how = "ok"

    # --- the pins' side

    def drive(self, level: int) -> None:
        """The coil's level from now on."""
        if level == self._target:
            return
        now = self._ticks()
        self._was = self._follow(now)
        self._target = level
        self._since = now
        self._moving = True
        head = self._head
        if head - self._tail == _RING:
            head -= 1
        self._when[head % _RING] = now
        self._what[head % _RING] = level
        self._head = head + 1

    def level(self) -> int:
        """What the feedback contact says now."""
        return self._held if self._held >= 0 else self._follow(self._ticks())

    def _follow(self, now: int) -> int:
        if self._moving and time.ticks_diff(now, self._since) < self._delay:
            return self._was
        return self._target

    # --- the world's side

    def restore(self, position: int) -> None:
        """It was left there by the process before."""
        self.position = self._was = position

    def hold(self, how: str, position: int) -> None:
        """A fault keeps it at `position`."""
        self.how = how
        self._held = position

    def release(self) -> None:
        """The fault is mended."""
        self.how = "ok"
        self._was = self._target
        self._held = -1

    def take(self, now: int, ticks: int, since: int) -> None:
        """Take over what the pins did until `now` (ms, at these ticks), nothing of it earlier than `since`."""
        state = disable_irq()
        try:
            while self._tail != self._head:
                at = self._tail % _RING
                when = max(since, now - time.ticks_diff(ticks, self._when[at]))
                self._drives.append((when, self._what[at]))
                self._tail += 1
            self._head = self._tail = 0
            if time.ticks_diff(ticks, self._since) >= self._delay:
                self._moving = False  # before ticks wrap around
        finally:
            enable_irq(state)

    def skipped(self) -> None:
        """Time has leapt forward, by more than ticks may tell: what moves is where it goes if that is so."""
        if self._moving and time.ticks_diff(self._ticks(), self._since) < 0:
            self._moving = False

    def next_event(self, after: int) -> int:
        """The next time after `after` at which something happens to it, or one that is not after it."""
        at = self._drives[0][0] if self._drives else self.moves_at
        return min(at, self.moves_at) if self.moves_at > after else at

    def settle(self, now: int) -> bool:
        """Move as far as time allows; True if the position changed."""
        before = self.position
        while self._drives and self._drives[0][0] <= now:
            at, level = self._drives.pop(0)
            self._arrive(at)
            self._goal = level
            self.driven_at = at
            self.moves_at = at + self._delay
        self._arrive(now)
        return self.position != before

    def _arrive(self, now: int) -> None:
        if self._held >= 0:
            self.position = self._held
        elif now >= self.moves_at:
            self.position = self._goal
