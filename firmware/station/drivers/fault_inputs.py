"""The alarm contacts of one connector, each with the OCPP error code that it stands for.

`any()` is for the interlock, `active()` for the report. The contacts are normally closed against ground, so that a
cut wire counts as a fault.
"""

from machine import Pin


class FaultInputs:
    """`inputs`: ((pin, code), …); codes are those of ChargePointErrorCode (OCPP 1.6 §7.6) and "EmergencyStop"."""

    def __init__(self, inputs: "tuple[tuple[int, str], ...]") -> None:
        self._pins = tuple([Pin(pin, Pin.IN, Pin.PULL_UP) for pin, _ in inputs])
        self._codes = tuple([code for _, code in inputs])

    def any(self) -> bool:
        """Is at least one contact open? Allocates nothing."""
        for pin in self._pins:  # noqa: SIM110 - any() with a generator would allocate
            if pin.value():
                return True
        return False

    def active(self) -> "list[str]":
        """The codes of the open contacts, in the order of the inputs."""
        return [code for pin, code in zip(self._pins, self._codes) if pin.value()]
