"""The alarm contacts of one connector: emergency stop, residual-current device, enclosure, …, each with its code.

`any()` is for the interlock, which opens at the first sample that is not well; `active()` is for the report, which
waits until a contact is seen so twice. The contacts are closed while all is well, so that a cut wire is an alarm.
"""

from machine import Pin


class AlarmContacts:
    """`inputs`: ((pin, code, level while all is well), …). Codes are those of ChargePointErrorCode (OCPP 1.6 §7.6), and
    those of charging/faults.py.
    """

    def __init__(self, inputs: "tuple[tuple[int, str, int], ...]") -> None:
        # the pull is away from the level while all is well: a wire that is cut shows as an alarm
        pins = [Pin(pin, Pin.IN, Pin.PULL_DOWN if well else Pin.PULL_UP) for pin, _, well in inputs]
        self._reads = tuple([pin.value for pin in pins])  # bound methods, made once: making one allocates
        self._well = bytes([well for _, _, well in inputs])
        self._before = bytearray(len(inputs))  # was it an alarm at the last look?
        self.codes = tuple([code for _, code, _ in inputs])

    def any(self) -> bool:
        """Is at least one contact not as it is while all is well? Allocates nothing."""
        at = 0
        for read in self._reads:
            if read() != self._well[at]:
                return True
            at += 1  # noqa: SIM113 - enumerate() would allocate
        return False

    def active(self) -> "list[str]":
        """The codes of the contacts that alarm now and did at the call before, in the order of the inputs."""
        found = []
        for at, read in enumerate(self._reads):
            alarms = read() != self._well[at]
            if alarms and self._before[at]:
                found.append(self.codes[at])
            self._before[at] = alarms
        return found
