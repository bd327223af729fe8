"""drivers/alarm_contacts.py: closed contacts, the codes behind them, what a glitch does, and who lets go when."""

import unittest

import board
import machine
import micropython
from outlet import ALARM_CODES
from station.drivers import alarm_contacts
from station.drivers.alarm_contacts import AlarmContacts
from world import World

RELEASE = 10  # looks
TWENTY_TIMES = 20


class TestAlarmContacts(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.inputs = AlarmContacts(board.connector(1)["inputs"])

    def active(self):
        self.inputs.active()
        return self.inputs.active()

    def looks(self, count, inputs=None):
        """The codes told at each of so many looks."""
        return [(inputs or self.inputs).active() for _ in range(count)]

    def alarm(self, code, on=True):
        self.world.outlets[0].alarm(code, on)

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
            self.assertEqual(self.looks(RELEASE), [[code]] * (RELEASE - 1) + [[]])
            self.assertFalse(self.inputs.any(), code)

    def test_a_glitch_is_seen_by_the_interlock_and_not_reported(self):
        self.inputs.active()
        self.alarm("HighTemperature")
        self.assertTrue(self.inputs.any())
        self.assertEqual(self.inputs.active(), [])
        self.alarm("HighTemperature", False)
        self.assertEqual(self.inputs.active(), [])
        self.alarm("HighTemperature")
        self.assertEqual(self.inputs.active(), [], "two looks in a row")
        self.assertEqual(self.inputs.active(), ["HighTemperature"])

    def test_what_the_interlock_alone_saw_holds_it_open_until_it_was_well_for_a_while(self):
        self.alarm("HighTemperature")
        self.assertTrue(self.inputs.any())
        self.alarm("HighTemperature", False)
        for look in range(RELEASE):
            self.assertTrue(self.inputs.any(), look)
            self.assertEqual(self.inputs.active(), [])
        self.assertTrue(self.inputs.any(), "the first look was the one that alarmed")
        self.assertEqual(self.inputs.active(), [])
        self.assertFalse(self.inputs.any())

    def test_without_a_look_nobody_lets_go(self):
        self.alarm("HighTemperature")
        self.inputs.any()
        self.alarm("HighTemperature", False)
        for _ in range(1000):
            self.assertTrue(self.inputs.any())

    def test_a_contact_that_chatters_is_held_open_all_the_time(self):
        for _ in range(TWENTY_TIMES):
            self.alarm("HighTemperature")
            self.inputs.any()
            self.alarm("HighTemperature", False)
            for _ in range(RELEASE // 2):
                self.assertEqual(self.inputs.active(), [])
                self.assertTrue(self.inputs.any())

    def test_one_that_trips_at_every_look_is_reported_though_no_look_finds_it_open(self):
        told = []
        for _ in range(3):
            self.alarm("HighTemperature")
            self.inputs.any()
            self.alarm("HighTemperature", False)
            told.append(self.inputs.active())
        self.assertEqual(told, [[], ["HighTemperature"], ["HighTemperature"]])

    def test_what_counts_at_once_is_told_though_it_was_over_before_the_look(self):
        inputs = AlarmContacts(board.connector(1)["inputs"], ("ResidualCurrent",))
        for code in ("ResidualCurrent", "GroundFailure"):
            self.alarm(code)
            inputs.any()
            self.alarm(code, False)
        self.assertEqual(self.looks(RELEASE + 1, inputs), [["ResidualCurrent"]] * RELEASE + [[]])

    def test_an_interrupt_in_the_midst_of_a_look_is_not_lost(self):
        """Wherever within the look it comes, and whatever it sees there: something holds the contactor open."""
        for moment in range(len(self.inputs.codes)):
            for code in self.inputs.codes:
                self.setUp()
                self.interrupt_at(moment, code)
                self.inputs.active()
                self.assertTrue(self.inputs.any(), (moment, code))
                self.inputs.active()
                self.assertTrue(self.inputs.any(), (moment, code))

    def test_a_look_while_all_is_well_opens_nothing(self):
        """Whatever moment of it an interrupt finds."""
        read, seen = self.inputs._reads[0], []

        def interrupted():
            if not seen:
                seen.append(None)  # the pass reads the input, too
                seen[0] = self.inputs.any()
            return read()

        self.inputs._reads = (interrupted,) + self.inputs._reads[1:]
        self.assertEqual(self.inputs.active(), [])
        self.assertEqual(seen, [False])

    def interrupt_at(self, moment, code):
        """While the look reads this input a pass of the interlock comes, during which `code` alarms."""
        reads = list(self.inputs._reads)
        read = reads[moment]
        come = []

        def interrupted():
            if come:
                return read()
            come.append(True)
            level = read()
            self.alarm(code)
            self.assertTrue(self.inputs.any())
            self.alarm(code, False)
            self.assertTrue(self.inputs.any())
            return level

        reads[moment] = interrupted
        self.inputs._reads = tuple(reads)

    def test_several_at_once_and_the_neighbour_not(self):
        self.world.outlets[0].alarm("GroundFailure", True)
        self.world.outlets[0].alarm("EmergencyStop", True)
        self.world.outlets[1].alarm("HighTemperature", True)
        self.assertEqual(self.active(), ["EmergencyStop", "GroundFailure"])

    def test_a_contact_that_reads_high_while_all_is_well(self):
        rows = board.connector(1)["inputs"]
        inputs = AlarmContacts(tuple([(pin, code, 1) for pin, code, _ in rows[:2]]))
        self.assertTrue(inputs.any(), "both read low: a wire is cut")
        self.assertEqual(self.looks(2, inputs), [[], ["EmergencyStop", "GroundFailure"]])
        self.alarm("EmergencyStop")
        self.alarm("GroundFailure")
        self.looks(RELEASE, inputs)
        self.assertFalse(inputs.any())
        self.assertEqual(inputs.active(), [])

    def test_the_pull_shows_a_cut_wire_as_an_alarm(self):
        pulls = []

        class Pin(machine.Pin):
            def __init__(self, pin, mode, pull):
                pulls.append((mode, pull))
                super().__init__(pin, mode, pull)

        pins = [pin for pin, _, _ in board.connector(1)["inputs"]]
        kept = alarm_contacts.Pin
        alarm_contacts.Pin = Pin
        try:
            AlarmContacts(((pins[0], "EmergencyStop", 0), (pins[1], "GroundFailure", 1)))
        finally:
            alarm_contacts.Pin = kept
        self.assertEqual(pulls, [(Pin.IN, Pin.PULL_UP), (Pin.IN, Pin.PULL_DOWN)])

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

    def test_any_allocates_nothing_when_all_is_well(self):
        inputs = self.inputs
        micropython.heap_lock()
        try:
            found = inputs.any()
        finally:
            micropython.heap_unlock()
        self.assertFalse(found)
