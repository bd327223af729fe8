"""What a meter measures, in OCPP's words, and when it is read: sampled intervals and clock-aligned ones.

A measurement is what `meter.read()` gives: a tuple of integers in the order of the indices below (OCPP 1.6
§7.31, §7.43). A mask is a set of measurands, bit i for `MEASURANDS[i]`. The energy register is an integer
number of Wh from the meter's registers to the wire and never passes through a float.
"""

from micropython import const

# indices into a measurement; currents and voltages have three phases each
ENERGY = const(0)  # Wh
POWER = const(1)  # W
CURRENT = const(2)  # mA, phases L1, L2, L3
VOLTAGE = const(5)  # 0.1 V, phases L1, L2, L3
FREQUENCY = const(8)  # 0.01 Hz
OFFERED = const(9)  # 0.1 A that the pilot offers; appended by the connector

# name, index, phase (0: none): bit i of a mask is row i, in flash too: append only
MEASURANDS = (
    ("Energy.Active.Import.Register", ENERGY, 0),
    ("Power.Active.Import", POWER, 0),
    ("Frequency", FREQUENCY, 0),
    ("Current.Offered", OFFERED, 0),
    ("Power.Offered", OFFERED, 0),
    ("Current.Import", CURRENT, 1),
    ("Current.Import", CURRENT + 1, 2),
    ("Current.Import", CURRENT + 2, 3),
    ("Voltage", VOLTAGE, 1),
    ("Voltage", VOLTAGE + 1, 2),
    ("Voltage", VOLTAGE + 2, 3),
)
NAMES = ("Energy.Active.Import.Register", "Power.Active.Import", "Frequency", "Current.Offered", "Power.Offered")
PHASED = ("Current.Import", "Voltage")  # may also be asked for by phase: "Voltage.L1" (OCPP 1.6 §9.1.17)

# contexts of OCPP 1.6 §7.37, in the order of their numbers in flash: append only
CONTEXTS = ("Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger", "Other")
PERIODIC = const(0)
CLOCK = const(1)
BEGIN = const(2)
END = const(3)

_DAY = const(86400)


def mask_of(names: str, phases: int) -> int:
    """The mask of a comma-separated list of measurands, as the configuration keys hold it.

    A measurand without its phase means all phases of the station.
    """
    mask = 0
    if names:
        for name in names.split(","):
            for bit, (measurand, _, phase) in enumerate(MEASURANDS):
                if phase <= phases and name in (measurand, "%s.L%d" % (measurand, phase)):
                    mask |= 1 << bit
    return mask


def select(mask: int, measurement: "tuple[int, ...]") -> "list[int]":
    """The numbers of a measurement that `mask` names, in the order of its bits; a negative one counts as 0.

    Only import is billed: a meter that shows export, or is wired the wrong way round, imports nothing.
    """
    return [max(0, measurement[row[1]]) for bit, row in enumerate(MEASURANDS) if mask >> bit & 1]


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
