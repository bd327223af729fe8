"""A Modbus RTU line: one UART, and on RS-485 the pin that switches its driver, shared by all who are on it.

`await ask()` sends a request and returns the data of its reply, or raises ModbusError within a bounded time;
`await exchange()` reads registers by it. One request at a time; whoever comes meanwhile waits for its turn. (Modbus
over Serial Line 1.02 §2.4, §2.5.1.)
"""

import asyncio
import time

from machine import UART, Pin
from micropython import const

from station.drivers import modbus

_ROOM = const(256)  # bytes of a reply with all that may be around it; the longest of our meters' has 153
_TURN_MS = const(10)  # at most so long is the loop held, so that the driver is off right after the last bit
_BUSY_MS = const(250)  # a line on which bytes come for so long before a request is not ours to use
_AFTER_FAILURE_MS = const(50)  # silence before the next request, so that a late reply has gone by
_GAP_MS = const(30)  # after as many bytes as the reply has, so long a silence ends a reply that cannot be used
_LOOK_MS = const(20)  # between two looks at the line


class Bus:
    """`uart` are the arguments of machine.UART without baud rate and format, and "direction", the number of the pin
    that is high while we send, or None. `parity` None, 0 (even) or 1 (odd); 8 data bits and 1 stop bit."""

    def __init__(self, uart: dict, baudrate: int, parity: "int | None" = None) -> None:
        arguments = dict(uart)
        direction = arguments.pop("direction", None)
        self._direction = None if direction is None else Pin(direction, Pin.OUT, value=0)
        uart_id = arguments.pop("id")
        self._uart = UART(uart_id, baudrate, bits=8, parity=parity, stop=1, rxbuf=_ROOM, **arguments)
        self._character_us = (10 if parity is None else 11) * 1_000_000 // baudrate
        # 3.5 characters, but 1.75 ms above 19200 baud (§2.5.1.1); one more for the tick that has begun
        silence_us = 1750 if baudrate > 19200 else 7 * self._character_us // 2
        self._silence_ms = (silence_us + 999) // 1000 + 1
        self._received = bytearray(_ROOM)
        self._view = memoryview(self._received)
        self._sent = b""
        self._echoes = False  # our own requests are heard back
        self._failed = False  # the last exchange brought nothing usable: its reply may still come
        self._heard = time.ticks_ms()  # the end of the last exchange
        self._lock = asyncio.Lock()

    async def exchange(self, address: int, function: int, register: int, count: int, thinks_ms: int) -> bytes:
        """The `2 * count` bytes of these registers. Raises ModbusError, or OSError if the UART fails.

        Bound: `thinks_ms`, the time that the bytes take, and about 0.3 s before the request if the line is not silent.
        """
        return await self.ask(modbus.request(address, function, register, count), thinks_ms)

    async def ask(self, request: bytes, thinks_ms: int) -> bytes:
        """The data of the reply to any request that `modbus` makes; errors and bound are those of `exchange`."""
        async with self._lock:
            silence_ms = _AFTER_FAILURE_MS if self._failed else self._silence_ms
            self._failed = True
            await self._await_silence(silence_ms)
            try:
                await self._send(request)
                start, size = await self._receive(request, thinks_ms)
            finally:  # whoever waits may be cancelled, too
                self._heard = time.ticks_ms()
            if start < 0:
                return bytes(modbus.parse(self._view[self._begin(size) : size], request))  # raises
            self._failed = False
            self._echoes = self._begin(size) > 0 and start > 0
            return bytes(modbus.unpack(self._received, start))

    async def _await_silence(self, silence_ms: int) -> None:
        """Drop what comes until nothing has come for so long."""
        started = time.ticks_ms()
        heard = self._heard
        while True:
            now = time.ticks_ms()
            if self._uart.any():
                self._uart.readinto(self._received)
                heard = now
                if time.ticks_diff(now, started) > _BUSY_MS:
                    raise modbus.ModbusError("the line is never silent")
            elif not 0 <= time.ticks_diff(now, heard) < silence_ms:  # or so long ago that ticks have gone round
                return
            await asyncio.sleep_ms(2)

    async def _send(self, request: bytes) -> None:
        """Send it; the driver is on from before the first bit until after the last, and not longer: the meter may
        answer 3.5 characters later."""
        self._sent = request
        if self._direction is None:
            self._uart.write(request)
            return
        sending_us = len(request) * self._character_us
        self._direction(1)
        try:
            self._uart.write(request)
            if sending_us > 1000 * _TURN_MS:
                # a millisecond for the part of one, another for the tick that has begun
                await asyncio.sleep_ms(sending_us // 1000 + 2 - _TURN_MS)
            # the rest is waited for without the loop, which could come back late
            flush = getattr(self._uart, "flush", None)
            if flush:
                flush()
            else:
                time.sleep_us(min(sending_us, 1000 * _TURN_MS) + self._character_us)
        finally:
            self._direction(0)

    async def _receive(self, request: bytes, thinks_ms: int) -> "tuple[int, int]":
        """(Where the reply begins, or -1 if it is not going to come; how many bytes there are)."""
        whole = modbus.reply_size(request)
        begin = len(request) if self._echoes and request[1] == modbus.WRITE_FILE else 0
        # the request is on its way still where no driver was waited for
        patience_ms = thinks_ms + (whole + 2 * len(request)) * self._character_us // 1000 + 2 * self._silence_ms
        started = heard = time.ticks_ms()
        size = 0
        while True:
            # bytes first and the clock afterwards: a loop that was late must not take a reply for none
            fresh = 0
            if size < _ROOM and self._uart.any():
                fresh = self._uart.readinto(self._view[size:]) or 0
            now = time.ticks_ms()
            if fresh:
                heard = now
                size += fresh
                start = modbus.find(self._received, size, request, begin)
                if start >= 0:
                    return start, size
            waited_ms = time.ticks_diff(now, started)
            if waited_ms > patience_ms and not fresh:
                return -1, size  # it does not come
            if size >= self._begin(size) + whole and time.ticks_diff(now, heard) > _GAP_MS:
                return -1, size  # it came, and is of no use
            if size == _ROOM or waited_ms > 2 * patience_ms:
                return -1, size  # bytes without end
            missing_ms = (whole - size) * self._character_us // 1000
            await asyncio.sleep_ms(max(2, min(_LOOK_MS, missing_ms)))

    def _begin(self, size: int) -> int:
        """Where a reply begins if our own request comes before it, as an adapter echoes it."""
        length = len(self._sent)
        return length if size >= length and self._received[:length] == self._sent else 0
