"""drivers/modbus_bus.py on an RS-485 line in real time: direction pin, silence, echo, several meters, bounded time."""

import asyncio
import time
import unittest

import machine
import utime
from meter_models import MODELS
from modbus_slave import Meter as Slave
from modbus_slave import framed
from rs485 import Line
from station.drivers import meter_types, modbus
from station.drivers.meter import Meter, MeterError
from station.drivers.modbus_bus import Bus

PIN = 40
KIND = meter_types.TYPES["SDM630"]
QUICK = KIND[:4] + (60,) + KIND[5:]  # a meter that thinks for 60 ms at most


class Bench:
    """Stands for the world: one line and the pin that turns it."""

    def __init__(self, line):
        self.line = line

    def serial(self, uart_id):
        return self.line

    def terminal(self, pin):
        assert pin == PIN, pin
        return self.line, 0


def slave(address, energy_wh=1000):
    return Slave(MODELS["SDM630"], lambda: (energy_wh, 16000, 3, 2300), lambda: None, address)


class Babble:
    """From the first byte that it is sent it says something whenever one listens."""

    begun = False

    def write(self, data):
        self.begun = True

    @property
    def rx(self):
        return b"\x55" * 20 if self.begun else b""

    @rx.setter
    def rx(self, data):
        pass


class _Case:
    baudrate = 115200

    def use(self, slaves, direction=PIN, parity=None, **how):
        self.line = Line(slaves, self.baudrate, parity, direction=direction is not None, **how)
        machine.attach(Bench(self.line))
        self.bus = Bus({"id": 1, "tx": 4, "rx": 5, "direction": direction}, self.baudrate, parity)
        return self.bus

    def clean(self, action, slaves, **how):
        """The result of `action()` on a line on which not a byte was lost.

        A busy machine may hold the process up just when the driver is to be released: what is late by itself is late
        each time.
        """
        for _ in range(5):
            self.use(slaves, **how)
            try:
                result = action()
            except (modbus.ModbusError, MeterError):
                continue
            if (self.line.lost, self.line.collisions) == (0, 0):
                return result
        raise AssertionError("lost %d, collisions %d" % (self.line.lost, self.line.collisions))

    def read(self, address=1, kind=QUICK):
        return asyncio.run(Meter(self.bus, address, kind).read())

    def exchange(self, count=2, thinks_ms=60):
        return asyncio.run(self.bus.exchange(1, 4, 0x46, count, thinks_ms))


class TestDirection(_Case, unittest.TestCase):
    def test_the_driver_is_on_just_while_we_send(self):
        self.use([slave(1)])
        self.assertFalse(self.line.sending)
        self.assertEqual(self.clean(self.read, [slave(1)])[0], 1000)
        self.assertFalse(self.line.sending)

    def test_slow_lines_too(self):
        for self.baudrate, parity in ((9600, None), (9600, 0), (2400, 1)):
            silence_us = 7 * 11 * 1_000_000 // self.baudrate // 2  # of a meter that answers as soon as it may
            found = self.clean(self.exchange, [slave(1)], parity=parity, thinks_us=silence_us)
            self.assertEqual(found, b"\x42\x48\x00\x00", self.baudrate)

    def test_released_too_early_the_request_is_cut(self):
        self.use([slave(1)])
        self.bus._uart.flush = lambda: None
        flush, machine.UART.flush = machine.UART.flush, lambda uart: None
        try:
            with self.assertRaises(modbus.ModbusError) as caught:
                self.exchange()
        finally:
            machine.UART.flush = flush
        self.assertIn("no reply", str(caught.exception))
        self.assertGreater(self.line.lost, 0)

    def test_released_too_late_the_reply_is_lost(self):
        self.use([slave(1)], thinks_us=1000)
        flush = machine.UART.flush

        def late(uart):
            flush(uart)
            utime.sleep_ms(8)

        machine.UART.flush = late
        try:
            with self.assertRaises(modbus.ModbusError):
                self.exchange()
        finally:
            machine.UART.flush = flush
        self.assertGreater(self.line.collisions, 0)

    def test_a_port_without_flush_waits_for_the_bytes_all_the_same(self):
        flush = machine.UART.flush
        del machine.UART.flush
        try:
            self.assertEqual(self.clean(self.exchange, [slave(1)]), b"\x42\x48\x00\x00")
        finally:
            machine.UART.flush = flush

    def test_the_driver_is_off_after_an_error_and_after_a_cancelled_wait(self):
        self.baudrate = 2400
        self.use([slave(1)])

        async def main():
            task = asyncio.create_task(self.bus.exchange(1, 4, 0x46, 2, 60))
            while not self.line.sending:
                await asyncio.sleep_ms(1)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
            self.assertFalse(self.line.sending)
            self.assertFalse(self.bus._lock.locked())

        asyncio.run(main())
        self.assertEqual(self.read()[0], 1000, "and the line is of use again")

    def test_the_loop_is_held_for_10_ms_at_most(self):
        flush = machine.UART.flush
        held = []

        def watch(uart):
            held.append(utime.ticks_diff(self.line._out[-1][0], utime.ticks_us()) if self.line._out else 0)
            flush(uart)

        machine.UART.flush = watch
        try:
            for self.baudrate in (2400, 4800, 9600, 115200):
                self.clean(self.exchange, [slave(1)], thinks_us=20_000)
        finally:
            machine.UART.flush = flush
        self.assertGreaterEqual(len(held), 4)
        self.assertLess(max(held), 11_000)


class TestLine(_Case, unittest.TestCase):
    def test_an_adapter_that_echoes(self):
        self.use([slave(1)], direction=None, echo=True)
        self.assertEqual(self.read()[:3], (1000, 11040, 16000))

    def test_an_echo_and_no_meter(self):
        self.use([], direction=None, echo=True)
        with self.assertRaises(MeterError) as caught:
            self.read()
        self.assertIn("no reply", str(caught.exception), "what we hear is ourselves")

    def test_several_meters_on_one_line(self):
        async def main():
            meters = [Meter(self.bus, address, QUICK) for address in (7, 8, 9)]
            return await asyncio.gather(*[meter.read() for meter in meters + meters])

        slaves = [slave(7, 7000), slave(8, 8000), slave(9, 9000)]
        rows = self.clean(lambda: asyncio.run(main()), slaves, thinks_us=20_000)
        self.assertEqual([row[0] for row in rows], [7000, 8000, 9000, 7000, 8000, 9000])

    def test_a_dead_meter_does_not_take_the_line_from_the_others(self):
        dead, well = slave(1), slave(2, 2000)
        dead.how = "silent"
        self.use([dead, well])

        async def main():
            return await asyncio.gather(
                Meter(self.bus, 1, QUICK).read(), Meter(self.bus, 2, QUICK).read(), return_exceptions=True
            )

        failed, found = asyncio.run(main())
        self.assertIsInstance(failed, MeterError)
        self.assertEqual(found[0], 2000)

    def test_requests_keep_the_silence_of_3_5_characters(self):
        self.baudrate = 9600
        moments = []
        self.use([slave(1)], direction=None)
        went_out = self.line._went_out

        def watch(at, byte):
            moments.append(at)
            went_out(at, byte)

        self.line._went_out = watch

        async def main():
            for _ in range(3):
                await self.bus.exchange(1, 4, 0x46, 2, 60)
                moments.append(utime.ticks_us())  # the reply is whole: silence begins about here

        asyncio.run(main())
        for last, first in ((moments[8], moments[9]), (moments[17], moments[18])):
            self.assertGreaterEqual(utime.ticks_diff(first, last), 3646 + 1000, "and the first byte itself")

    def test_what_comes_before_the_request_is_dropped(self):
        self.use([slave(1)], direction=None)
        self.line.rx = framed(b"\x01\x04\x04\x00\x00\x00\x00")  # a reply that nobody waits for any more
        self.assertEqual(self.exchange(), b"\x42\x48\x00\x00")

    def test_babble_without_end(self):
        babble = Babble()
        babble.write(b"")
        machine.attach(Bench(babble))
        self.bus = Bus({"id": 1, "direction": None}, self.baudrate)
        started = time.ticks_ms()
        with self.assertRaises(MeterError) as caught:
            self.read()
        self.assertIn("never silent", str(caught.exception))
        self.assertLess(time.ticks_diff(time.ticks_ms(), started), 3 * 400)

    def test_babble_that_begins_with_the_request(self):
        machine.attach(Bench(Babble()))
        bus = Bus({"id": 1, "direction": None}, self.baudrate)
        started = time.ticks_ms()
        with self.assertRaises(modbus.ModbusError):
            asyncio.run(bus.exchange(1, 4, 0x46, 2, 60))
        self.assertLess(time.ticks_diff(time.ticks_ms(), started), 500)

    def test_a_silent_meter_costs_a_bounded_time(self):
        self.use([])
        started = time.ticks_ms()
        with self.assertRaises(MeterError):
            self.read()
        self.assertLess(time.ticks_diff(time.ticks_ms(), started), 3 * (60 + 50 + 20 + 60))

    def test_a_loop_that_comes_late_takes_a_reply_for_a_reply(self):
        self.use([slave(1)], direction=None)

        async def main():
            task = asyncio.create_task(self.bus.exchange(1, 4, 0x46, 2, 60))
            await asyncio.sleep_ms(5)
            utime.sleep_ms(300)  # somebody else's
            return await task

        self.assertEqual(asyncio.run(main()), b"\x42\x48\x00\x00")
