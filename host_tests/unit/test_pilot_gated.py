"""drivers/pilot_gated.py on a wave that runs microsecond by microsecond: plateaus only, whatever the phase.

The clock moves with each look at the pin, with each conversion, and by what interrupts the driver in between. A
conversion sees the line at its middle. Random phases and interruptions come of a seed that a failure names.
"""

import random
import time
import unittest

import machine
import micropython
import outlet as wiring
from charging_fakes import FakeContactor, FakeInputs
from outlet import Outlet
from station.charging import interlock as module
from station.charging.interlock import Interlock
from station.drivers import pilot, pilot_gated
from station.drivers.pilot_current import duty_of
from station.drivers.pilot_gated import GatedPilot

SEED = time.ticks_us() & 0xFFFF
PLATEAUS = (12000, 9000, 6000, 3000, 0, -12000, -9000, -6000, -3000)


class _Site:
    """An outlet at pins 0 to 39, and how long the firmware's looks at it take."""

    def __init__(self):
        self.us = 0
        self.look_us = 1
        self.conversion_us = 16
        self.interruption = None  # called between any two accesses; returns us
        self.conversions = 0
        self.sense = None  # a level at which the sense pin is stuck
        self.outlet = Outlet(1, 3, self.ms, lambda: None, ticks_ms=self.ms, ticks_us=self.ticks_us)

    def ms(self):
        return self.us // 1000

    def ticks_us(self):
        return self.us

    def driver_us(self):
        self.pass_us(0)
        return self.us

    def pass_us(self, us):
        self.us += us
        if self.interruption:
            self.us += self.interruption()

    def terminal(self, pin):
        return self, pin

    def level(self, terminal):
        self.pass_us(self.look_us)
        found = self.outlet.level(terminal)
        return found if self.sense is None else self.sense

    def analog(self, terminal):
        self.conversions += 1
        half = self.conversion_us >> 1
        self.us += half
        found = self.outlet.analog(terminal)
        self.pass_us(self.conversion_us - half)
        return found

    def wave(self, terminal, frequency, duty_u16):
        self.outlet.wave(terminal, frequency, duty_u16)


class GatedTest(unittest.TestCase):
    def setUp(self):
        random.seed(SEED)
        self.told = "seed %d" % SEED
        self.site = _Site()
        machine.attach(self.site)
        self._ticks_us = time.ticks_us
        time.ticks_us = self.site.driver_us
        self.pilot = self.build()
        self.outlet = self.site.outlet

    def tearDown(self):
        time.ticks_us = self._ticks_us

    def build(self, **more):
        return GatedPilot(pwm=wiring.PILOT, adc=wiring.PILOT_WAVE, sense=wiring.PILOT_SENSE, **more)

    def samples(self, count=50):
        """The states of so many passes at random phases, each once."""
        found = set()
        for _ in range(count):
            self.site.us += 9000 + random.randrange(2000)
            found.add(self.pilot.sample())
            for value in (self.pilot._high, self.pilot._low):
                self.assertIn(value, EXACT, "no plateau has %d, %s" % (value, self.told))
        return found

    def car(self, **parameters):
        if self.outlet.ev:
            self.outlet.unplug()
        self.outlet.plug(parameters)

    def test_each_state_at_each_current(self):
        for deciamps in (60, 61, 70, 100, 160, 320, 480, 500, 510, 530, 600, 650):
            self.pilot.offer(deciamps)
            self.assertEqual(self.pilot.offered, deciamps)
            self.assertEqual(self.samples(), {pilot.A})
            self.car()
            self.assertEqual(self.samples(), {pilot.C}, deciamps)
            self.outlet.ev.pause()
            self.assertEqual(self.samples(), {pilot.B})
            self.car(ventilation=True)
            self.assertEqual(self.samples(), {pilot.D})
            self.car(diode_fail_after_s=0)
            self.assertEqual(self.samples(), {pilot.NO_DIODE})
            self.outlet.shorted = True
            self.assertEqual(self.samples(), {pilot.E})
            self.outlet.shorted = False
            self.outlet.unplug()

    def test_a_fast_adc_waits_for_the_edge_to_be_over(self):
        self.car()
        for conversion in (1, 2, 5, 10):
            self.site.conversion_us = conversion
            for deciamps in (60, 160, 650):
                self.pilot.offer(deciamps)
                self.assertEqual(self.samples(200), {pilot.C})

    def test_a_steady_line_is_soon_measured(self):
        for act, state in ((self.pilot.off, pilot.F), (lambda: self.pilot.offer(0), pilot.A), (self.car, pilot.B)):
            act()
            self.site.conversions = 0
            self.assertEqual(self.pilot.sample(), state)
            self.assertLessEqual(self.site.conversions, 3)

    def test_offers_no_more_than_leaves_a_plateau(self):
        self.pilot.offer(800)
        self.assertEqual(self.pilot.offered, 650)
        self.assertEqual(self.pilot._pwm.duty_u16(), duty_of(650))
        self.pilot = self.build(plateau_us=50)
        self.pilot.offer(800)
        self.assertEqual(self.pilot.offered, 775)
        for wrong in (59, 801):
            with self.assertRaises(ValueError):
                self.pilot.offer(wrong)
        self.assertEqual(self.pilot.offered, 775)

    def test_refuses_what_it_cannot_measure(self):
        for wrong in (0, 101):
            with self.assertRaises(ValueError) as caught:
                self.build(plateau_us=wrong)
            self.assertIn(str(wrong), str(caught.exception))
        with self.assertRaises(ValueError):
            self.pilot.offer_digital()

    def test_interrupted_anywhere_it_shows_the_true_state_or_none(self):
        """By anything up to some periods, in every thirtieth gap between two accesses."""
        self.site.interruption = lambda: random.randrange(3000) if random.randrange(30) == 0 else 0
        for deciamps, conversion in ((60, 16), (160, 2), (160, 16), (650, 2)):
            self.pilot.offer(deciamps)
            self.site.conversion_us = conversion
            for parameters, state in (({}, pilot.C), ({"ventilation": True}, pilot.D)):
                self.car(**parameters)
                found = self.samples(800)
                self.assertIn(state, found)
                found.discard(state)
                found.discard(pilot.LOST)
                self.assertEqual(found, set(), self.told)

    def test_an_adc_too_slow_for_a_plateau_finds_none(self):
        self.site.conversion_us = 120
        self.pilot.offer(60)
        self.car()
        self.assertEqual(self.samples(), {pilot.LOST})

    def test_a_sense_pin_that_is_stuck_never_shows_c(self):
        self.pilot.offer(160)
        self.car()
        self.pilot.sample()
        for level in (0, 1):
            self.site.sense = level
            for _ in range(200):
                self.site.us += 9000 + random.randrange(2000)
                self.assertNotEqual(self.pilot.sample(), pilot.C)

    def test_a_wave_that_stops_is_no_c(self):
        """The timer behind the PWM stands still, at either level, though a current is on offer."""
        self.pilot.offer(160)
        self.car()
        self.assertEqual(self.samples(), {pilot.C})
        for width in (0, 1000):
            self.outlet.line._width_us = width
            self.site.us += 5000
            self.assertEqual(self.pilot.sample(), pilot.LOST)

    def test_a_pass_is_bounded(self):
        """However long the plateaus stay away: by its window and by its number of conversions."""
        self.pilot.offer(60)
        self.site.sense = 0
        for look, conversion in ((1, 16), (0, 0), (40, 100)):
            self.site.look_us, self.site.conversion_us = look, conversion
            self.site.conversions, began = 0, self.site.us
            self.assertEqual(self.pilot.sample(), pilot.LOST)
            self.assertLessEqual(self.site.us - began, pilot_gated.WINDOW_US + 2 * (3 * look + conversion))
            self.assertLessEqual(self.site.conversions, pilot_gated.TRIES)
        self.assertEqual(pilot_gated.TRIES, 400)

    def test_a_plateau_that_is_lost_opens_in_the_stated_time(self):
        contactor = FakeContactor()
        interlock = Interlock(self.pilot, contactor, FakeInputs())
        self.pilot.offer(160)
        self.car()
        for losing in (lambda: setattr(self.site, "sense", 1), lambda: setattr(self.site, "conversion_us", 400)):
            self.site.sense, self.site.conversion_us = None, 16
            for _ in range(5):
                interlock.step(None)
            self.assertTrue(interlock.close())
            interlock.step(None)
            self.assertTrue(contactor.commanded)
            losing()
            passes = 0
            while contactor.commanded:
                interlock.step(None)
                passes += 1
            self.assertLessEqual(passes, module.opens_within(1))
            for _ in range(20):
                interlock.step(None)
                self.assertFalse(interlock.close())

    def test_allocates_nothing_in_any_state(self):
        for deciamps in (0, 60, 160, 650):
            self.pilot.offer(deciamps)
            for parameters in ({}, {"ventilation": True}, {"diode_fail_after_s": 0}):
                self.car(**parameters)
                for sense in (None, 0, 1):
                    self.site.sense = sense
                    sample = self.pilot.sample
                    micropython.heap_lock()
                    try:
                        sample()
                        sample()
                    finally:
                        micropython.heap_unlock()


def _exact():
    found = [0]
    for millivolts in PLATEAUS:
        found.append(32768 + millivolts * 32768 // 15000)
    return tuple(found)


EXACT = _exact()
