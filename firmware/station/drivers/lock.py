"""The connector lock: an output that holds the plug, and the contact that says whether it does.

`lock()` and `unlock()` ask for a position, `is_locked()` tells the real one, a moment later. Without power the
lock lets go, so that nobody's cable is caught by a power cut.
"""

from machine import Pin


class Lock:
    """One connector's lock; unlocked at construction. `is_locked()` allocates nothing."""

    def __init__(self, out_pin: int, feedback_pin: int) -> None:
        self._out = Pin(out_pin, Pin.OUT, value=0)
        self._feedback = Pin(feedback_pin, Pin.IN)

    def lock(self) -> None:
        self._out.value(1)

    def unlock(self) -> None:
        self._out.value(0)

    def is_locked(self) -> bool:
        return self._feedback.value() == 1
