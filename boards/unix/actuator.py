"""Something that a coil or a motor moves and a feedback contact watches: the contactor, the connector lock.

It follows its drive `delay_ms` later, unless it is held where it is, or elsewhere, by a fault.
"""


class Actuator:
    """`position` is 0 or 1 as of the last `settle`; `how` is the fault's name or "ok".

    `driven_at` is when the drive last changed.
    """

    def __init__(self, delay_ms: int) -> None:
        self._delay = delay_ms
        self._target = 0
        self.driven_at = 0
        self.moves_at = delay_ms
        self.position = 0
        self.how = "ok"
        self._held = None

    def drive(self, level: int, now: int) -> None:
        """The coil's level from now on."""
        if level != self._target:
            self._target = level
            self.driven_at = now
            self.moves_at = now + self._delay

    def hold(self, how: str, position: int) -> None:
        """A fault keeps it at `position`."""
        self.how = how
        self._held = position

    def release(self) -> None:
        """The fault is mended."""
        self.how = "ok"
        self._held = None

    def settle(self, now: int) -> bool:
        """Move as far as time allows; True if the position changed."""
        if self._held is not None:
            position = self._held
        elif now >= self.moves_at:
            position = self._target
        else:
            return False
        changed = position != self.position
        self.position = position
        return changed
