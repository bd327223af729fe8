"""A stored reading becomes an OCPP MeterValue (OCPP 1.6 §7.33, §7.43): numbers become the texts of SampledValues."""

from station import measurands
from station.charging import metering

_VOLTS = 230  # nominal, for Power.Offered

# by the index of a measurement: unit (OCPP 1.6 §7.45; it has none for Frequency), divisor
_UNITS = {
    measurands.ENERGY: ("Wh", 1),
    measurands.POWER: ("W", 1),
    measurands.CURRENT: ("A", 1000),
    measurands.VOLTAGE: ("V", 10),
    measurands.FREQUENCY: (None, 100),
    measurands.OFFERED: ("A", 10),
}
_DIGITS = {1: 0, 10: 1, 100: 2, 1000: 3}


def decimal(number: int, divisor: int) -> str:
    """`number / divisor` (1, 10, 100 or 1000) as text, exactly: no float."""
    if divisor == 1:
        return str(number)
    return "%d.%0*d" % (number // divisor, _DIGITS[divisor], number % divisor)


def sampled_values(mask: int, stored: int, values, context: int, phases: int) -> list:
    """The SampledValues of the measurands in `mask`; `values` are those of the mask `stored`, which includes it.

    `phases` of the station, for Power.Offered.
    """
    found = []
    index = 0
    for bit, (measurand, source, phase) in enumerate(measurands.MEASURANDS):
        if not stored >> bit & 1:
            continue
        number = values[index]
        index += 1
        if mask >> bit & 1:
            found.append(_sampled_value(measurand, source, phase, number, context, phases))
    return found


def _sampled_value(measurand, source, phase, number, context, phases) -> dict:
    if measurand == "Power.Offered":
        unit, text = "W", str(number * phases * _VOLTS // 10)
    else:
        unit, divisor = _UNITS[source - phase + 1 if phase else source]
        text = decimal(number, divisor)
    value = {"value": text, "context": metering.CONTEXTS[context], "measurand": measurand}
    if unit:
        value["unit"] = unit
    if phase:
        value["phase"] = "L%d" % phase if unit == "A" else "L%d-N" % phase
    return value
