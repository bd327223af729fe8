"""drivers/lamp.py: colours, intensity and polarity at the pins."""

import unittest

import board
import machine
import micropython
import outlet
from station.drivers import lamp as module
from station.drivers.lamp import BLUE, GREEN, RED, Lamp
from world import World


class NoPWM:
    """Of a pin without a timer."""

    def __init__(self, pin, *, freq, duty_u16):
        raise ValueError("pin has no timer")


class CountedPWM:
    duties = {}

    def __init__(self, pin, *, freq, duty_u16):
        self._pin = pin
        self.duty_u16(duty_u16)

    def duty_u16(self, duty):
        self.duties[self._pin.terminal] = duty


class TestLamp(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.outlet = self.world.outlets[1]
        self.pins = board.connector(2)["leds"]

    def test_dark_at_first(self):
        Lamp(self.pins)
        self.assertEqual(self.outlet.lamp(), ("dark", 0))

    def test_colours(self):
        lamp = Lamp(self.pins)
        for colours, name in ((RED, "red"), (GREEN, "green"), (BLUE, "blue"), (RED | GREEN, "yellow"), (7, "white")):
            lamp.show(colours)
            self.assertEqual(self.outlet.lamp(), (name, 100))
        lamp.show(0)
        self.assertEqual(self.outlet.lamp(), ("dark", 0))
        self.assertEqual(self.world.outlets[0].lamp(), ("dark", 0))

    def test_intensity(self):
        lamp = Lamp(self.pins)
        for percent in (100, 50, 1):
            lamp.show(GREEN, percent)
            self.assertEqual(self.outlet.lamp(), ("green", percent))
        lamp.show(GREEN, 0)
        self.assertEqual(self.outlet.lamp(), ("dark", 0))

    def test_diodes_that_shine_at_the_low_level(self):
        lamp = Lamp(self.pins, active=0)
        self.assertEqual(self.outlet.lamp(), ("white", 100), "all pins high: all dark")
        lamp.show(7)
        self.assertEqual(self.outlet.lamp(), ("dark", 0))

    def test_a_pin_without_pulse_width_is_on_or_off(self):
        for active in (1, 0):
            lamp = self.build(NoPWM, active=active)
            lit, dark = ("green", "magenta") if active else ("magenta", "green")
            for percent in (100, 30, 1):
                lamp.show(0)
                self.assertEqual(self.outlet.lamp()[0], "dark" if active else "white")
                lamp.show(GREEN, percent)
                self.assertEqual(self.outlet.lamp(), (lit, 100), (active, percent))
            lamp.show(RED | BLUE, 50)
            self.assertEqual(self.outlet.lamp(), (dark, 100))
            lamp.show(RED | BLUE, 0)
            self.assertEqual(self.outlet.lamp()[0], "dark" if active else "white")

    def test_a_diode_that_is_missing(self):
        """What is there of the colour, else all that is there."""
        red, green, blue = self.pins
        for pins, shown in (
            ((red, green, None), (("red", RED), ("green", GREEN), ("yellow", BLUE), ("yellow", RED | GREEN))),
            ((red, None, blue), (("magenta", GREEN), ("red", RED | GREEN), ("magenta", 7))),
            ((None, green, None), (("green", RED), ("green", BLUE), ("green", GREEN))),
        ):
            self.setUp()
            lamp = Lamp(pins)
            for name, colours in shown:
                lamp.show(colours, 50)
                self.assertEqual(self.outlet.lamp(), (name, 50), pins)
                lamp.show(0)
                self.assertEqual(self.outlet.lamp(), ("dark", 0), pins)

    def test_allocates_nothing(self):
        for active in (1, 0):
            lamp = self.build(CountedPWM, active=active)
            sequence = (RED, 7, 0, GREEN, GREEN)
            micropython.heap_lock()
            try:
                for colours in sequence:
                    lamp.show(colours, 40)
            finally:
                micropython.heap_unlock()
            duties = [CountedPWM.duties[pin % outlet.TERMINALS] for pin in self.pins]
            off, on = (0, 26214) if active else (65535, 39321)
            self.assertEqual(duties, [off, on, off])

    def build(self, pwm, **options):
        kept, module.PWM = module.PWM, pwm
        try:
            return Lamp(self.pins, **options)
        finally:
            module.PWM = kept
