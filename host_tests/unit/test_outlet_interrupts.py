"""The models of boards/unix as an interrupt meets them: nothing allocates, nothing gets torn, no time is too long.

What the pins' side answers must be what the world, settled afterwards, says it was.
"""

import time
import unittest

import ev
import machine
import micropython
import outlet as wiring
from outlet import Outlet
from world import World

SIXTEEN = 160 * 65535 // 600
TURN = time.ticks_add(0, -1) + 1  # of the ticks
DAY_MS = 86_400_000
INPUTS = (
    wiring.COIL_FEEDBACK,
    wiring.COIL_2_FEEDBACK,
    wiring.MIRROR,
    wiring.MIRROR_2,
    wiring.LOCK_FEEDBACK,
    wiring.PILOT_SENSE,
    wiring.ALARMS,
)
ANALOG = (wiring.PILOT_HIGH, wiring.PILOT_LOW, wiring.PILOT_WAVE)
COILS = (wiring.COIL, wiring.COIL_2, wiring.PRECHARGE)
DUTIES = (0, 3277, SIXTEEN, 65535)
CARS = (None, {}, {"ventilation": True}, {"diode_fail_after_s": 0}, {"plug_delay_s": 5}, {"draw_delay_s": 5})


class AllocationTest(unittest.TestCase):
    def setUp(self):
        self.world = World(1, 3, None, 2)
        machine.attach(self.world)
        self.outlet = self.world.outlets[0]

    def pin(self, terminal):
        return wiring.TERMINALS + terminal

    def test_pins_and_adcs_in_every_state(self):
        inputs = tuple([machine.Pin(self.pin(terminal), machine.Pin.IN) for terminal in INPUTS])
        coils = tuple([machine.Pin(self.pin(terminal), machine.Pin.OUT, value=0) for terminal in COILS])
        channels = tuple([machine.ADC(self.pin(terminal)) for terminal in ANALOG])
        for duty in DUTIES:
            for parameters in CARS:
                for how in wiring.CONTACTOR_HOWS:
                    for shorted in (False, True):
                        self.state(duty, parameters, how, shorted)
                        self.look(inputs, coils, channels)

    def state(self, duty, parameters, how, shorted):
        if self.outlet.ev:
            self.outlet.unplug()
        self.outlet.wave(wiring.PILOT, 1000, duty)
        if parameters is not None:
            self.outlet.plug(parameters)
        self.outlet.break_contactor(how)
        self.outlet.shorted = shorted

    def look(self, inputs, coils, channels):
        micropython.heap_lock()
        try:
            for level in (1, 0):
                for coil in coils:
                    coil.value(level)
                for pin in inputs:
                    pin.value()
                for channel in channels:
                    channel.read_u16()
        finally:
            micropython.heap_unlock()

    def test_many_switchings_that_nobody_settles(self):
        """More than the ring has room for: the position stays right."""
        coil = machine.Pin(self.pin(wiring.COIL), machine.Pin.OUT, value=0)
        micropython.heap_lock()
        try:
            for _ in range(50):
                coil.value(1)
                coil.value(0)
            coil.value(1)
        finally:
            micropython.heap_unlock()
        time.advance(100)
        self.assertEqual(self.outlet.level(wiring.COIL_FEEDBACK), 1)
        self.outlet.settle()
        self.assertEqual(self.outlet.contactor.position, 1)


class TimeTest(unittest.TestCase):
    """A clock whose ticks wrap around, as those of a 32-bit board do after 12 days."""

    def setUp(self):
        self.clock = 0
        self.outlet = Outlet(1, 3, self.now, lambda: None, 2, ticks_ms=self.ticks)
        self.outlet.wave(wiring.PILOT, 1000, SIXTEEN)

    def now(self):
        return self.clock

    def ticks(self):
        return self.clock % TURN

    def closed(self):
        return [self.outlet.level(terminal) for terminal in (wiring.COIL_FEEDBACK, wiring.COIL_2_FEEDBACK)]

    def millivolts(self):
        return (self.outlet.analog(wiring.PILOT_HIGH) - 32768) * 15000 / 32768

    def test_energy_of_switchings_that_are_settled_long_after(self):
        """The interrupt switches, nobody looks for a minute: exact all the same."""
        self.outlet.plug({})
        for at, terminal, level in ((1000, 0, 1), (1050, 30, 1), (9000, 0, 0), (20_000, 0, 1), (31_000, 30, 0)):
            self.clock = at
            self.outlet.drive(terminal, level)
        self.clock = 60_000
        self.outlet.settle()
        closed_ms = (9020 - 1070) + (31_020 - 20_020)
        self.assertEqual(self.outlet.energy, self.expected(closed_ms))
        self.assertEqual(self.outlet.describe()["coil_ms"], 31_000)

    def expected(self, ms):
        return ev.offered_ma(SIXTEEN, 1000) * 3 * 230 * ms

    def test_days_without_a_switching(self):
        for days in (1, 3, 7, 13, 40):
            self.setUp()
            self.outlet.drive(wiring.COIL, 1)
            self.outlet.drive(wiring.COIL_2, 1)
            self.outlet.plug({})
            for _ in range(days * 24):
                self.clock += DAY_MS // 24
                self.assertEqual(self.closed(), [1, 1])
                self.assertEqual(round(self.millivolts()), 6000)
                self.outlet.settle()
            self.assertEqual(self.outlet.energy, self.expected(days * DAY_MS - 20))

    def test_a_leap_of_any_length(self):
        """As `advance` makes it: the clocks leap, then the outlet is told."""
        for days in (0, 1, 5, 6, 7, 12, 13, 100, 366):
            self.setUp()
            self.outlet.plug({"draw_delay_s": 10})
            self.outlet.drive(wiring.COIL, 1)
            self.outlet.settle()
            self.clock += days * DAY_MS + 20_000
            self.outlet.skipped()
            self.assertEqual(self.closed(), [1, 0], days)
            self.assertEqual(round(self.millivolts()), 6000, days)

    def test_what_the_car_will_do_is_seen_though_nobody_settles(self):
        """The event loop is blocked: the plug goes in, the car asks, its diode fails, it leaves."""
        self.outlet.plug({"plug_delay_s": 1, "draw_delay_s": 1, "diode_fail_after_s": 2, "auto_unplug_s": 3})
        seen = []
        for self.clock in range(0, 5000, 10):
            low = (self.outlet.analog(wiring.PILOT_LOW) - 32768) * 15000 / 32768
            now = (round(self.millivolts(), -2), round(low, -2))
            if not seen or seen[-1][1] != now:
                seen.append((self.clock, now))
        expected = [(0, (12000, -12000)), (1000, (9000, -12000)), (2000, (6000, -12000)), (3000, (6000, -6000))]
        self.assertEqual(seen, expected + [(4000, (12000, -12000))])

    def test_pins_and_world_agree(self):
        """The feedback contact as the pin saw it, and the position that the world works out afterwards."""
        drives = {3: 1, 30: 0, 35: 1, 40: 0, 90: 1, 200: 0, 210: 1, 225: 0}
        looks = []
        for self.clock in range(400):
            if self.clock in drives:
                self.outlet.drive(wiring.COIL, drives[self.clock])
            looks.append(self.outlet.level(wiring.COIL_FEEDBACK))
        pole = self.outlet.contactor
        pole.take(399, self.ticks(), 0)
        for at, seen in enumerate(looks):
            pole.settle(at)
            self.assertEqual(pole.position, seen, "at %d ms" % at)


class WaveTest(unittest.TestCase):
    """The line microsecond by microsecond."""

    def setUp(self):
        self.us = 0
        self.outlet = Outlet(1, 3, lambda: self.us // 1000, lambda: None, ticks_us=lambda: self.us)
        self.outlet.plug({})

    def period(self, duty):
        """(level of the sense pin, mV) of each microsecond."""
        self.outlet.wave(wiring.PILOT, 1000, duty)
        found = []
        for self.us in range(1000):
            level = self.outlet.level(wiring.PILOT_SENSE)
            found.append((level, round((self.outlet.analog(wiring.PILOT_WAVE) - 32768) * 15000 / 32768)))
        return found

    def test_duty(self):
        for percent in (5, 10, 27, 85, 96):
            found = self.period(round(655.35 * percent))
            high = [level for level, _ in found].count(1)
            self.assertLessEqual(abs(high - 10 * percent), 1)
            self.assertEqual([level for level, _ in found], [1] * high + [0] * (1000 - high))

    def test_plateaus_and_edges(self):
        levels = [millivolts for _, millivolts in self.period(SIXTEEN)]
        width = SIXTEEN * 1000 // 65535
        self.assertEqual(set(levels[5:width]), {6000})
        self.assertEqual(set(levels[width + 5 :]), {-12000})
        self.assertEqual(set(levels[:5] + levels[width : width + 5]), {-3000})

    def test_steady_lines_have_no_edges(self):
        self.assertEqual(set(self.period(65535)), {(1, 9000)})
        self.assertEqual(set(self.period(0)), {(0, -12000)})
