"""What this station can measure, in OCPP's words (OCPP 1.6 §7.31): the one table behind keys, flash and messages.

A measurement is what `meter.read()` gives, and what the pilot offers behind it: a tuple of integers in the order of
the indices below. A mask is a set of measurands, bit i for `MEASURANDS[i]`. The energy register is an integer number
of Wh from the meter's registers to the wire and never passes through a float.
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
