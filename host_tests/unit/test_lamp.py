"""drivers/lamp.py: colours, intensity and polarity at the pins."""

import unittest

import board
import machine
from station.drivers.lamp import BLUE, GREEN, RED, Lamp
from world import World


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
