"""boards/unix/machine.py: the classes behave as upstream's, wrong arguments raise, reset ends the process with 75.

The small driver files that only wrap `machine` (timer, watchdog, system) are tested here too.
"""

import asyncio
import gc
import time
import unittest

import board
import machine
import utime
from machine import ADC, PWM, RTC, SPI, UART, Pin, Signal, Timer
from rs485 import Line
from station.drivers import system, timer
from station.drivers.watchdog import Watchdog
from world import World


class _Base:
    def setUp(self):
        self.world = World(1, 3)
        machine.attach(self.world)
        self.pins = board.connector(1)

    def until(self, condition):
        """Run the loop until `condition()`; the test's own limit ends a wait in vain."""

        async def main():
            while not condition():
                await asyncio.sleep_ms(1)

        asyncio.run(main())


class TestPin(unittest.TestCase, _Base):
    setUp = _Base.setUp

    def test_output_drives_and_reads_back(self):
        pin = Pin(self.pins["lock"][0], Pin.OUT, value=1)
        self.assertEqual(pin.value(), 1)
        time.advance(100)
        self.assertEqual(Pin(self.pins["lock"][1], Pin.IN)(), 1)
        pin.off()
        self.assertEqual(pin(), 0)
        pin(1)
        self.assertEqual(pin.value(), 1)
        pin.init(Pin.OUT, value=0)
        self.assertEqual(pin.value(), 0)

    def test_input_cannot_be_driven(self):
        with self.assertRaises(ValueError):
            Pin(self.pins["lock"][1], Pin.IN).on()

    def test_unknown_pins_and_modes(self):
        with self.assertRaises(ValueError):
            Pin(1000)
        with self.assertRaises(ValueError):
            Pin(self.pins["lock"][0], 7)

    def test_signal_inverts_it(self):
        signal = Signal(Pin(self.pins["lock"][0], Pin.OUT), invert=True)
        signal.on()
        self.assertEqual(Pin(self.pins["lock"][1], Pin.IN).value(), 0)
        signal.off()
        time.advance(100)
        self.assertEqual(Pin(self.pins["lock"][1], Pin.IN).value(), 1)


class TestAnalog(unittest.TestCase, _Base):
    setUp = _Base.setUp

    def test_pilot_plateaus(self):
        pins = self.pins["pilot"]
        high, low = ADC(Pin(pins["high"])), ADC(pins["low"])
        wave = PWM(Pin(pins["pwm"]), freq=1000, duty_u16=65535)
        self.assertEqual((high.read_u16(), low.read_u16()), (58982, 58982))
        wave.duty_u16(20000)
        self.assertEqual((high.read_u16(), low.read_u16()), (58982, 6553))
        wave.duty_u16(0)
        self.assertEqual((high.read_u16(), low.read_u16()), (6553, 6553))

    def test_pwm_settings(self):
        wave = PWM(self.pins["pilot"]["pwm"], freq=1000, duty_u16=30000)
        self.assertEqual((wave.freq(), wave.duty_u16()), (1000, 30000))
        wave.init(freq=2000)
        self.assertEqual((wave.freq(), wave.duty_u16()), (2000, 30000))
        wave.freq(1000)
        wave.deinit()
        self.assertEqual(self.world.outlets[0].describe()["pilot"], "F")
        for wrong in ({"freq": 0}, {"duty_u16": 65536}, {"duty_u16": -2}):
            with self.assertRaises(ValueError):
                wave.init(**wrong)


class TestBuses(unittest.TestCase, _Base):
    setUp = _Base.setUp

    def test_uart(self):
        line = UART(0, 9600, rxbuf=8)
        self.assertEqual((line.any(), line.read(), line.readinto(bytearray(2))), (0, None, None))
        self.world.reader().rx.extend(b"abcdef")
        self.assertEqual((line.any(), line.read(2)), (6, b"ab"))
        two = bytearray(2)
        self.assertEqual((line.readinto(two), bytes(two)), (2, b"cd"))
        self.assertEqual((line.read(), line.any()), (b"ef", 0))
        self.assertEqual(line.write(b"\x05"), 1)
        self.assertEqual(line.read(), b"\x06")

    def test_uart_overflow_loses_the_latest(self):
        line = UART(0, 9600, rxbuf=8)
        self.world.reader().rx.extend(b"0123456789")
        self.assertEqual(line.any(), 8)
        self.assertEqual(line.read(), b"01234567")

    def test_uart_wrong_arguments(self):
        for wrong in ((99, {}), (0, {"baudrate": 1}), (0, {"bits": 12}), (0, {"stop": 3}), (0, {"parity": 7})):
            with self.assertRaises(ValueError):
                UART(wrong[0], **wrong[1])

    def test_uart_takes_what_a_board_says(self):
        line = UART(0, 19200, bits=8, parity=0, stop=1, tx=17, rx=18, rxbuf=256, txbuf=16, timeout=0, invert=0)
        line.flush()
        self.assertTrue(line.txdone(), "bytes to a simulated device are there at once")

    def test_uart_flush_waits_for_the_last_bit(self):
        wire = Line([], 9600)
        self.world.serial = lambda uart_id: wire
        line = UART(0, 9600)
        wire.drive(0, 1)
        started = utime.ticks_us()
        line.write(b"12345678")
        self.assertFalse(line.txdone())
        line.flush()
        self.assertTrue(line.txdone())
        self.assertTrue(utime.ticks_diff(utime.ticks_us(), started) >= 8333)

    def test_spi_with_nothing_on_it(self):
        bus = SPI(1, baudrate=1_000_000, polarity=0, phase=0)
        read = bytearray(3)
        bus.write_readinto(b"\x01\x02\x03", read)
        self.assertEqual((bytes(read), bus.read(2), bus.write(b"ab")), (b"\xff\xff\xff", b"\xff\xff", 2))
        with self.assertRaises(ValueError):
            bus.write_readinto(b"\x01", read)
        with self.assertRaises(ValueError):
            SPI(1, polarity=2)


class _Counter:
    def __init__(self):
        self.calls = 0

    def call(self, timer):
        self.calls += 1


class TestTimer(unittest.TestCase, _Base):
    setUp = _Base.setUp
    until = _Base.until

    def test_periodic_until_deinit(self):
        calls = []

        def call(timer):
            calls.append(timer)
            if len(calls) == 3:
                timer.deinit()

        ticking = timer.every(2, call)
        other = []
        Timer(-1, mode=Timer.ONE_SHOT, period=50, callback=other.append)
        self.until(lambda: other)
        self.assertEqual(calls, [ticking] * 3)

    def test_one_shot_calls_once(self):
        once, later = [], []
        Timer(-1, mode=Timer.ONE_SHOT, period=1, callback=once.append)
        Timer(-1, mode=Timer.ONE_SHOT, period=20, callback=later.append)
        self.until(lambda: later)
        self.assertEqual(len(once), 1)

    def test_a_callback_may_set_its_own_timer_anew(self):
        calls = []

        def call(timer):
            calls.append("first")
            timer.init(mode=Timer.ONE_SHOT, period=2, callback=lambda _: calls.append("second"))

        timer.every(1, call)
        self.until(lambda: "second" in calls)
        self.assertEqual(calls, ["first", "second"])

    def test_a_failing_callback_stops_its_timer_only(self):
        calls, later = [], []

        def call(timer):
            calls.append(timer)
            raise RuntimeError("expected here: the callback of test_machine.py fails")

        timer.every(1, call)
        Timer(-1, mode=Timer.ONE_SHOT, period=20, callback=later.append)
        self.until(lambda: later)
        self.assertEqual(len(calls), 1)

    def test_time_skipped_gives_one_call(self):
        calls = []
        ticking = timer.every(1000, calls.append)
        self.until(lambda: True)
        time.advance(3_600_000)
        self.until(lambda: calls)
        self.assertEqual(len(calls), 1)
        ticking.deinit()

    def test_a_hard_timer_calls_while_the_loop_computes(self):
        """No task runs, and the heap is collected all the time."""
        counter = _Counter()
        ticking = timer.every(10, counter.call, True)
        began = utime.ticks_ms()
        while counter.calls < 20 and utime.ticks_diff(utime.ticks_ms(), began) < 5000:
            gc.collect()
        lasted = utime.ticks_diff(utime.ticks_ms(), began)
        ticking.deinit()
        self.assertEqual(counter.calls, 20)
        self.assertGreaterEqual(lasted, 199)
        for _ in range(3):
            utime.sleep_ms(20)
        self.assertIn(counter.calls, (20, 21), "it was told to stop")

    def test_a_hard_timer_calls_once_if_asked(self):
        counter = _Counter()
        Timer(-1, mode=Timer.ONE_SHOT, period=5, callback=counter.call, hard=True)
        utime.sleep_ms(60)
        self.assertEqual(counter.calls, 1)

    def test_a_hard_callback_finds_the_heap_locked(self):
        caught = []

        class Greedy:
            def call(self, timer):
                try:
                    bytearray(100)
                except MemoryError:
                    caught[0] += 1

        caught.append(0)
        Timer(-1, mode=Timer.ONE_SHOT, period=5, callback=Greedy().call, hard=True)
        until = utime.ticks_add(utime.ticks_ms(), 5000)
        while not caught[0] and utime.ticks_diff(until, utime.ticks_ms()) > 0:
            bytearray(100)  # ours is not
        self.assertEqual(caught, [1])

    def test_wrong_arguments(self):
        for wrong in ({"period": 0}, {"period": 5, "mode": 3}, {"period": 0, "hard": True}):
            with self.assertRaises(ValueError):
                Timer(-1, callback=print, **wrong)


class TestMask(unittest.TestCase):
    """`disable_irq` and a hard timer: a callback never comes within a section, and once it is over it does."""

    def setUp(self):
        self.inside = False
        self.torn = 0
        self.calls = 0

    def call(self, timer):
        self.calls += 1
        if self.inside:
            self.torn += 1

    def wait(self, calls):
        until = time.ticks_add(time.ticks_ms(), 5000)
        while self.calls < calls and time.ticks_diff(until, time.ticks_ms()) > 0:
            pass
        self.assertGreaterEqual(self.calls, calls)

    def test_no_call_within(self):
        timer = machine.Timer(-1, mode=machine.Timer.PERIODIC, period=1, callback=self.call, hard=True)
        try:
            for _ in range(50):
                state = machine.disable_irq()
                inner = machine.disable_irq()
                self.inside = True
                until = time.ticks_add(time.ticks_us(), 2500)
                while time.ticks_diff(until, time.ticks_us()) > 0:
                    pass
                machine.enable_irq(inner)  # changes nothing: the outer one holds
                self.inside = False
                machine.enable_irq(state)
                self.wait(self.calls + 1)
        finally:
            timer.deinit()
        self.assertEqual(self.torn, 0)


class TestReset(unittest.TestCase, _Base):
    setUp = _Base.setUp
    until = _Base.until

    def test_reset_ends_with_its_status(self):
        with self.assertRaises(SystemExit) as caught:
            system.reset()
        self.assertEqual(caught.exception.args[0], 75)

    def test_watchdog_resets_when_it_is_not_fed(self):
        Watchdog(30)
        with self.assertRaises(SystemExit) as caught:
            self.until(lambda: False)
        self.assertEqual(caught.exception.args[0], machine.RESET_STATUS)

    def test_watchdog_counts_real_time_and_is_quiet_while_fed(self):
        dog = Watchdog(200)
        started = utime.ticks_ms()
        time.advance(3_600_000)

        def fed_long_enough():
            dog.feed()
            return utime.ticks_diff(utime.ticks_ms(), started) > 450

        self.until(fed_long_enough)
        dog._wdt._task.cancel()
        self.until(dog._wdt._task.done)

    def test_watchdog_wrong_timeout(self):
        with self.assertRaises(ValueError):
            Watchdog(0)


class TestRTC(unittest.TestCase):
    def test_unset_at_first(self):
        self.assertEqual(RTC().datetime()[0], 2000)
        self.assertEqual(system.rtc_read(), 0)

    def test_set_and_read_back(self):
        for epoch in (1709164799, 1709164800, 1735689599, 1735689600, 1795345200, 1803859200, 4102444799):
            system.rtc_set(epoch)
            self.assertIn(system.rtc_read() - epoch, (0, 1))

    def test_weekday_and_order(self):
        RTC().datetime((2026, 11, 22, 6, 11, 30, 15, 0))
        self.assertEqual(RTC().datetime()[:6], (2026, 11, 22, 6, 11, 30))

    def test_runs_with_the_clock(self):
        system.rtc_set(1795345200)
        time.advance(86_400_000)
        self.assertIn(system.rtc_read() - 1795345200 - 86400, (0, 1))

    def test_wrong_dates(self):
        for wrong in ((1999, 1, 1, 0, 0, 0, 0, 0), (2026, 13, 1, 0, 0, 0, 0, 0), (2026, 1, 0, 0, 0, 0, 0, 0)):
            with self.assertRaises(ValueError):
                RTC().datetime(wrong)
