"""The alarm contacts of one connector: emergency stop, residual-current device, enclosure, …, each with its code.

`any()` is for the interlock, which opens at the first sample that is not well, however short. `active()` is for the
report: it is called twenty times a second, and tells a contact that alarmed at two looks in a row. Both let go late:
a contact must be well for half a second, so that one that chatters does not make the contactor chatter.

What only the interlock has seen is not forgotten: a contact that trips for 10 ms between two looks counts as an alarm
at the next one. Contacts are closed while all is well, so that a cut wire is an alarm.
"""

import micropython
from machine import Pin
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    ptr8: "Callable[[Any], Any]" = None  # viper knows the word by itself: the bytes of a buffer

_REPORT = const(2)  # looks in a row at which it alarms, until it is told
_RELEASE = const(10)  # looks in a row at which it is well, until the contactor may close again


class AlarmContacts:
    """`inputs`: ((pin, code, level while all is well), …). Codes are those of ChargePointErrorCode (OCPP 1.6 §7.6), and
    those of charging/faults.py. One of `at_once` is told at the first look: that it tripped counts, not for how long.
    """

    def __init__(self, inputs: "tuple[tuple[int, str, int], ...]", at_once: "tuple[str, ...]" = ()) -> None:
        # the pull is away from the level while all is well: a wire that is cut shows as an alarm
        pins = [Pin(pin, Pin.IN, Pin.PULL_DOWN if well else Pin.PULL_UP) for pin, _, well in inputs]
        self._reads = tuple([pin.value for pin in pins])  # bound methods, made once: making one allocates
        self._count = len(inputs)
        self._well = bytes([well for _, _, well in inputs])
        self._needed = bytes([1 if code in at_once else _REPORT for _, code, _ in inputs])
        # a byte for each input that `any` saw alarm since the last look; then: it saw any, and a look holds it open
        self._seen = bytearray(len(inputs) + 2)
        self._looks = bytearray(len(inputs))  # in a row at which it alarmed, up to those needed; they stay until
        self._quiet = bytearray(len(inputs))  # so many looks at which it is well have passed
        self.codes = tuple([code for _, code, _ in inputs])

    @micropython.viper
    def any(self) -> bool:
        """Is a contact not as it is while all is well, or was it so just now? Allocates nothing; for an interrupt."""
        seen = ptr8(self._seen)
        well = ptr8(self._well)
        reads = self._reads
        count = int(self._count)
        at = 0
        while at < count:
            if int(reads[at]()) != well[at]:
                seen[at] = 1
                seen[count] = 1
            at += 1
        return seen[count] != 0 or seen[count + 1] != 0

    def active(self) -> "list[str]":
        """One look. The codes of the contacts that alarm, in the order of the inputs."""
        found = []
        held = 0
        # An interrupt may come anywhere in here. After an alarm it must find no moment at which nothing holds it open;
        # while all is well it must find none at which something does.
        if self._seen[self._count]:
            self._seen[self._count + 1] = 1
            self._seen[self._count] = 0
        for at, read in enumerate(self._reads):
            alarms = read() != self._well[at]
            if self._seen[at]:
                self._seen[at] = 0
                alarms = True
            if self._look(at, alarms):
                found.append(self.codes[at])
            if self._quiet[at]:
                held = 1
        self._seen[self._count + 1] = held
        return found

    def _look(self, at: int, alarms: bool) -> bool:
        """Count; is this contact's alarm to be told?"""
        needed = self._needed[at]
        if alarms:
            self._quiet[at] = _RELEASE
            self._looks[at] = min(self._looks[at] + 1, needed)
        elif self._quiet[at]:
            self._quiet[at] -= 1
            if not self._quiet[at] or self._looks[at] < needed:
                self._looks[at] = 0
        return self._looks[at] >= needed
