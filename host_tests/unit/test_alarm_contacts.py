"""drivers/alarm_contacts.py: closed contacts, the codes behind them, and what a glitch does."""

import unittest

import board
import machine
import micropython
from outlet import ALARM_CODES
from station.drivers.alarm_contacts import AlarmContacts
from world import World


class TestAlarmContacts(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.inputs = AlarmContacts(board.connector(1)["inputs"])

    def active(self):
        self.inputs.active()
        return self.inputs.active()

    def test_quiet(self):
        self.assertFalse(self.inputs.any())
        self.assertEqual(self.active(), [])
        self.assertEqual(self.inputs.codes, ALARM_CODES)

    def test_each_code(self):
        for code in ALARM_CODES:
            self.world.outlets[0].alarm(code, True)
            self.assertTrue(self.inputs.any(), code)
            self.assertEqual(self.active(), [code])
            self.world.outlets[0].alarm(code, False)
            self.assertFalse(self.inputs.any(), code)
            self.assertEqual(self.inputs.active(), [])

    def test_a_glitch_is_seen_by_the_interlock_and_not_reported(self):
        self.inputs.active()
        self.world.outlets[0].alarm("EmergencyStop", True)
        self.assertTrue(self.inputs.any())
        self.assertEqual(self.inputs.active(), [])
        self.world.outlets[0].alarm("EmergencyStop", False)
        self.assertEqual(self.inputs.active(), [])
        self.world.outlets[0].alarm("EmergencyStop", True)
        self.assertEqual(self.inputs.active(), [], "two looks in a row")
        self.assertEqual(self.inputs.active(), ["EmergencyStop"])

    def test_several_at_once_and_the_neighbour_not(self):
        self.world.outlets[0].alarm("GroundFailure", True)
        self.world.outlets[0].alarm("EmergencyStop", True)
        self.world.outlets[1].alarm("HighTemperature", True)
        self.assertEqual(self.active(), ["EmergencyStop", "GroundFailure"])

    def test_a_contact_that_reads_high_while_all_is_well(self):
        rows = board.connector(1)["inputs"]
        inputs = AlarmContacts(tuple([(pin, code, 1) for pin, code, _ in rows[:2]]))
        self.assertTrue(inputs.any(), "both read low: a wire is cut")
        self.world.outlets[0].alarm("EmergencyStop", True)
        self.world.outlets[0].alarm("GroundFailure", True)
        self.assertFalse(inputs.any())

    def test_none_at_all(self):
        inputs = AlarmContacts(())
        self.assertFalse(inputs.any())
        self.assertEqual(inputs.active(), [])

    def test_any_allocates_nothing(self):
        inputs = self.inputs
        self.world.outlets[0].alarm("ResidualCurrent", True)
        micropython.heap_lock()
        try:
            found = inputs.any()
        finally:
            micropython.heap_unlock()
        self.assertTrue(found)
