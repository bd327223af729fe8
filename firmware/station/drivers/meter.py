"""An energy meter on a Modbus line, every quantity an integer.

`await read()` gives one measurement, or raises MeterError; each request is tried three times. What the meter has in
which register is data: `meter_types.py`. An IEEE 754 single is taken apart as an integer: on a board a float has 24
bits, too few for a register in Wh.
"""

from micropython import const

from station.drivers import meter_types, modbus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.drivers.modbus_bus import Bus

_TRIES = const(3)
_ENERGY = const(0)


class MeterError(OSError):
    """The meter gave no usable answer; the text says why."""


def scaled(bits: int, decimals: int) -> int:
    """The single whose bits these are, times 10 ** decimals, rounded to the nearest integer, exactly.

    Raises ValueError for infinities and NaN.
    """
    exponent = bits >> 23 & 255
    mantissa = bits & 0x7FFFFF
    if exponent == 255:
        raise ValueError("not a number")
    if exponent:
        mantissa |= 0x800000
    else:
        exponent = 1
    mantissa *= 10**decimals
    shift = 150 - exponent
    mantissa = mantissa + (1 << shift >> 1) >> shift if shift >= 0 else mantissa << -shift
    return -mantissa if bits >> 31 else mantissa


def number(data: "bytes | memoryview", at: int, kind: int, order: int, exponent: int) -> "int | None":
    """The number whose registers begin at byte `at`, times 10 ** exponent, rounded to the nearest integer.

    None if the meter has no value for it: all ones (unsigned), the highest number (signed), no number (single).
    """
    words = meter_types.WORDS[kind]
    bits = 0
    for word in range(words):
        index = at + 2 * (word if order == meter_types.HIGH_FIRST else words - 1 - word)
        bits = bits << 16 | data[index] << 8 | data[index + 1]
    if kind == meter_types.F32:
        try:
            return scaled(bits, exponent)
        except ValueError:
            return None
    width = 16 * words
    if kind in (meter_types.I16, meter_types.I32, meter_types.I64):
        if bits == (1 << width - 1) - 1:
            return None
        if bits >> width - 1:
            bits -= 1 << width
    elif bits == (1 << width) - 1:
        return None
    if exponent >= 0:
        return bits * 10**exponent
    divisor = 10**-exponent
    return -((divisor // 2 - bits) // divisor) if bits < 0 else (bits + divisor // 2) // divisor


class Meter:
    """The meter at `address` on a line; `kind` is a row of `meter_types.TYPES`."""

    def __init__(self, bus: "Bus", address: int, kind: tuple) -> None:
        self._bus = bus
        self._address = address
        _, _, self._function, self._order, self._thinks_ms, self._requests, self._fields = kind

    async def read(self) -> "tuple[int, ...]":
        """(energy_wh, power_w, i1_ma, i2_ma, i3_ma, v1_dv, v2_dv, v3_dv, frequency_chz): Wh, W, mA, 0.1 V, 0.01 Hz.

        What the meter does not measure, or has no value for, is 0; without its energy register there is no measurement.
        """
        numbers = [0] * len(self._fields)
        for first, count in self._requests:
            self._decode(await self._ask(first, count), first, count, numbers)
        return tuple(numbers)

    async def _ask(self, first: int, count: int) -> bytes:
        problem = None
        for _ in range(_TRIES):
            try:
                return await self._bus.exchange(self._address, self._function, first, count, self._thinks_ms)
            except (modbus.ModbusError, OSError) as error:
                problem = error
        raise MeterError("meter %d: %s, %d tries" % (self._address, problem, _TRIES))

    def _decode(self, data: bytes, first: int, count: int, numbers: "list[int]") -> None:
        """Put into `numbers` what these registers hold."""
        for index, field in enumerate(self._fields):
            if field is None or not first <= field[0] < first + count:
                continue
            register, kind, exponent = field
            value = number(data, 2 * (register - first), kind, self._order, exponent)
            if index == _ENERGY:
                if value is None:
                    raise MeterError("meter %d: no value in its energy register" % self._address)
                if value < 0:
                    raise MeterError("meter %d: negative energy register %d Wh" % (self._address, value))
            numbers[index] = value or 0
