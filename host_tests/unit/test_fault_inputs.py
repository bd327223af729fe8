"""drivers/fault_inputs.py: normally closed alarm contacts and the codes behind them."""

import unittest

import board
import machine
import micropython
from outlet import ALARM_CODES
from station.drivers.fault_inputs import FaultInputs
from world import World


class TestFaultInputs(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.inputs = FaultInputs(board.connector(1)["faults"])

    def test_quiet(self):
        self.assertFalse(self.inputs.any())
        self.assertEqual(self.inputs.active(), [])

    def test_each_code(self):
        for code in ALARM_CODES:
            self.world.outlets[0].alarm(code, True)
            self.assertTrue(self.inputs.any(), code)
            self.assertEqual(self.inputs.active(), [code])
            self.world.outlets[0].alarm(code, False)
            self.assertFalse(self.inputs.any(), code)

    def test_several_at_once_and_the_neighbour_not(self):
        self.world.outlets[0].alarm("GroundFailure", True)
        self.world.outlets[0].alarm("EmergencyStop", True)
        self.world.outlets[1].alarm("HighTemperature", True)
        self.assertEqual(self.inputs.active(), ["EmergencyStop", "GroundFailure"])

    def test_none_at_all(self):
        self.assertFalse(FaultInputs(()).any())

    def test_any_allocates_nothing(self):
        inputs = self.inputs
        micropython.heap_lock()
        try:
            inputs.any()
        finally:
            micropython.heap_unlock()
