"""The energy meter: Modbus RTU over a UART, every quantity an integer.

`await read()` gives one measurement, or raises MeterError after three tries. The register map is data. A meter's
IEEE 754 single is taken apart as an integer: on a board a float has 24 bits, too few for a register in Wh.
"""

import asyncio
import time

from machine import UART
from micropython import const

from station.drivers import modbus

_BAUD = const(9600)
_TRIES = const(3)
_TIMEOUT_MS = const(400)  # the reply takes 160 ms at 9600 baud, the meter thinks for up to 60 ms
_POLL_MS = const(5)

# Eastron SDM630: function, first register, count (at most 80 in a request), and for each number of a measurement its
# register and how many decimals to keep: kWh to Wh, W, A to mA, V to 0.1 V, Hz to 0.01 Hz. Singles, big-endian.
SDM630 = (
    modbus.READ_INPUT,
    0x0000,
    74,
    (
        (0x0048, 3),  # total import
        (0x0034, 0),  # total power
        (0x0006, 3),
        (0x0008, 3),
        (0x000A, 3),  # current of L1, L2, L3
        (0x0000, 1),
        (0x0002, 1),
        (0x0004, 1),  # voltage of L1, L2, L3
        (0x0046, 2),  # frequency
    ),
)


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


class Meter:
    """One connector's meter at `address` on UART `uart_id`. Reads that overlap wait for one another."""

    def __init__(self, uart_id: int, address: int, registers: tuple = SDM630) -> None:
        self._uart = UART(uart_id, _BAUD, rxbuf=256)
        self._address = address
        self._function, self._first, self._count, self._fields = registers
        self._request = modbus.request(address, self._function, self._first, self._count)
        self._reply = bytearray(2 * self._count + modbus.OVERHEAD)
        self._lock = asyncio.Lock()

    async def read(self) -> "tuple[int, ...]":
        """(energy_wh, power_w, i1_ma, i2_ma, i3_ma, v1_dv, v2_dv, v3_dv, frequency_chz): Wh, W, mA, 0.1 V, 0.01 Hz."""
        problem = None
        async with self._lock:
            for _ in range(_TRIES):
                size = await self._exchange()
                try:
                    reply = memoryview(self._reply)[:size]
                    return self._decode(modbus.parse(reply, self._address, self._function, self._count))
                except (modbus.ModbusError, ValueError) as error:
                    problem = error
        raise MeterError("meter %d: %s, %d tries" % (self._address, problem, _TRIES))

    async def _exchange(self) -> int:
        """Send the request; returns how many bytes of reply are in the buffer when it is full or time is up."""
        while self._uart.any():  # the late rest of an earlier reply
            self._uart.readinto(self._reply)
        self._uart.write(self._request)
        started = time.ticks_ms()
        view = memoryview(self._reply)
        size = 0
        while True:
            # bytes first and the clock afterwards: a loop that was late must not take a reply for none
            if self._uart.any():
                size += self._uart.readinto(view[size:]) or 0
            if size == len(view) or (size >= modbus.EXCEPTION_SIZE and view[1] & 0x80):
                return size
            if time.ticks_diff(time.ticks_ms(), started) > _TIMEOUT_MS:
                return size
            await asyncio.sleep_ms(_POLL_MS)

    def _decode(self, data: memoryview) -> "tuple[int, ...]":
        numbers = []
        for register, decimals in self._fields:
            at = 2 * (register - self._first)
            bits = data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
            numbers.append(scaled(bits, decimals))
        if numbers[0] < 0:
            raise ValueError("negative energy register %d Wh" % numbers[0])
        return tuple(numbers)
