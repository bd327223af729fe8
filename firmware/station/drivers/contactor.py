"""The contactor: a coil output and the feedback contact that says where the contacts really are.

`close()` and `open()` move it, `is_closed()` asks the feedback contact. The coil is off from construction on, and
whenever the board is in reset. Judging a difference between wish and feedback is the interlock's work.
"""

from machine import Pin


class Contactor:
    """One connector's contactor; nothing here allocates after construction. `commanded` is what the coil was told."""

    def __init__(self, coil_pin: int, feedback_pin: int) -> None:
        self._coil = Pin(coil_pin, Pin.OUT, value=0)
        self._feedback = Pin(feedback_pin, Pin.IN)
        self.commanded = False

    def close(self) -> None:
        self._coil.value(1)
        self.commanded = True

    def open(self) -> None:
        self._coil.value(0)
        self.commanded = False

    def is_closed(self) -> bool:
        """What the feedback contact says: tens of milliseconds behind `commanded`, for ever if welded or stuck."""
        return self._feedback.value() == 1
