"""When a meter is read, and what for: sampled and clock-aligned intervals, a transaction's ends (OCPP 1.6 §4.7)."""

from micropython import const

# contexts of OCPP 1.6 §7.37, in the order of their numbers in flash: append only
CONTEXTS = ("Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger", "Other")
PERIODIC = const(0)
CLOCK = const(1)
BEGIN = const(2)
END = const(3)
OTHER = const(5)

_DAY = const(86400)


class Schedule:
    """When a connector's next sampled and clock-aligned readings are due.

    `MeterValueSampleInterval` counts from `begin()`; `ClockAlignedDataInterval` from midnight UTC
    (OCPP 1.6 §9.1.5); 0 switches either off. Both are read at each call: a change works at once.
    """

    def __init__(self, settings, clock) -> None:
        self._settings = settings
        self._clock = clock
        self._sampled_at = 0
        self._interval = 0
        self._slot = 0

    def begin(self) -> None:
        """A transaction begins: the sampled interval starts here."""
        self._sampled_at = self._clock.uptime()

    def sample_due(self) -> bool:
        """Is a `Sample.Periodic` reading due? Says so once; a reading missed while busy is not made up."""
        interval = self._settings["MeterValueSampleInterval"]
        if interval <= 0:
            return False
        elapsed = self._clock.uptime() - self._sampled_at
        if elapsed < interval:
            return False
        self._sampled_at += elapsed - elapsed % interval
        return True

    def aligned_due(self) -> bool:
        """Has a clock-aligned slot begun since the last call? Never while the clock is unset."""
        interval = self._settings["ClockAlignedDataInterval"]
        now = self._clock.now()
        if interval <= 0 or not now:
            self._interval = 0
            return False
        slot = now // _DAY * _DAY + now % _DAY // interval
        due = interval == self._interval and slot != self._slot
        self._interval = interval
        self._slot = slot
        return due
