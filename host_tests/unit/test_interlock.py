"""The interlock: closed only while everything agrees, open in the pass in which anything stops agreeing."""

import unittest

import board
import micropython
from charging_fakes import LOST, NO_DIODE, A, B, C, D, E, F, FakeContactor, FakeInputs, FakeLock, FakePilot
from station.charging import interlock as module
from station.charging.interlock import Interlock
from station.drivers import pilot

ALL = (A, B, C, D, E, F, NO_DIODE, LOST)
PASSES = 5  # the place of `passes` in the interlock's array
SETTLED = 40  # passes after which any contactor has followed


class InterlockTest(unittest.TestCase):
    def setUp(self):
        self.pilot = FakePilot()
        self.contactor = FakeContactor()
        self.faults = FakeInputs()
        self.lock = FakeLock()
        self.lock.locked = True
        self.interlock = self.build()

    def build(self, ventilated=False, lock=True):
        return Interlock(self.pilot, self.contactor, self.faults, self.lock if lock else None, ventilated)

    def passes(self, count):
        for _ in range(count):
            self.interlock.step(None)

    def show(self, state):
        self.pilot.state = state
        self.passes(3)

    def charging(self):
        self.show(C)
        self.assertTrue(self.interlock.close())
        self.passes(SETTLED)
        self.assertTrue(self.contactor.commanded)

    def test_the_states_are_those_of_the_pilot(self):
        names = ("A", "B", "C", "D", "E", "F", "NO_DIODE", "LOST")
        self.assertEqual(tuple([getattr(module, name) for name in names]), ALL)
        self.assertEqual(tuple([getattr(pilot, name) for name in names]), ALL)

    # --- who may close it

    def test_closes_in_c_only(self):
        for state in (A, B, D, E, F, NO_DIODE, LOST):
            self.show(state)
            self.assertFalse(self.interlock.close(), "state %d" % state)
            self.assertFalse(self.contactor.commanded)
        self.show(C)
        self.assertTrue(self.interlock.close())
        self.passes(1)
        self.assertTrue(self.contactor.commanded)

    def test_closes_in_d_where_the_place_is_ventilated(self):
        self.interlock = self.build(ventilated=True)
        for state in (A, B, E, F, NO_DIODE, LOST):
            self.show(state)
            self.assertFalse(self.interlock.close(), "state %d" % state)
        self.show(D)
        self.assertTrue(self.interlock.close())
        self.show(C)
        self.assertTrue(self.contactor.commanded)

    def test_closes_with_no_fault_only(self):
        self.show(C)
        self.faults.alarms = ["GroundFailure"]
        self.assertFalse(self.interlock.close())
        self.faults.alarms = []
        self.assertTrue(self.interlock.close())

    def test_closes_with_the_cable_locked_only(self):
        self.show(C)
        self.lock.locked = False
        self.assertFalse(self.interlock.close())
        self.lock.locked = True
        self.assertTrue(self.interlock.close())

    def test_no_lock_none_needed(self):
        self.interlock = self.build(lock=False)
        self.show(C)
        self.assertTrue(self.interlock.close())

    def test_nothing_closes_it_but_the_wish(self):
        for state in ALL:
            self.show(state)
            self.assertEqual(self.contactor.closings, 0)

    # --- what opens it

    def test_opens_within_four_passes_of_every_state_that_is_not_c(self):
        for state in (A, B, D, E, F, NO_DIODE, LOST):
            self.setUp()
            self.charging()
            self.pilot.state = state
            passes = 0
            while self.contactor.commanded and passes < 10:
                self.interlock.step(None)
                passes += 1
            self.assertLessEqual(passes, 4, "state %d: the 100 ms of IEC 61851-1 are 10 passes" % state)
            self.assertFalse(self.interlock.wanted)

    def test_does_not_close_again_by_itself(self):
        self.charging()
        self.show(B)
        self.show(C)
        self.assertFalse(self.contactor.commanded)
        self.assertTrue(self.interlock.close())

    def test_opens_in_the_pass_of_a_fault(self):
        self.charging()
        self.faults.alarms = ["OverCurrentFailure"]
        self.interlock.step(None)
        self.assertFalse(self.contactor.commanded)

    def test_opens_in_the_pass_in_which_the_lock_lets_go(self):
        self.charging()
        self.lock.locked = False
        self.interlock.step(None)
        self.assertFalse(self.contactor.commanded)

    def test_opens_when_the_wish_is_taken_back_without_any_pass(self):
        self.charging()
        self.interlock.open()
        self.assertFalse(self.contactor.commanded)

    def test_a_spike_of_two_samples_opens_nothing(self):
        self.charging()
        self.pilot.script = (A, A, C, E, F, C, B, B, C)
        self.passes(len(self.pilot.script))
        self.assertTrue(self.contactor.commanded)
        self.assertEqual(self.interlock.state, C)

    def test_opens_though_the_pilot_flickers_between_two_other_states(self):
        self.charging()
        self.pilot.script = (B, A) * 5
        self.passes(4)
        self.assertFalse(self.contactor.commanded)

    def test_a_flickering_pilot_keeps_it_open(self):
        self.show(C)
        self.pilot.script = (B, E) * 10
        for _ in range(len(self.pilot.script)):
            self.interlock.step(None)
        self.assertFalse(self.interlock.close())
        self.passes(1)
        self.assertTrue(self.interlock.close(), "steady again")

    # --- the pilot's states

    def test_a_state_counts_after_three_equal_samples(self):
        for state in (B, C, D, E, F, NO_DIODE, LOST, A):
            before = self.interlock.state
            self.pilot.state = state
            self.passes(2)
            self.assertEqual(self.interlock.state, before)
            self.passes(1)
            self.assertEqual(self.interlock.state, state)

    def test_samples_that_differ_do_not_add_up(self):
        self.pilot.script = (B, C, B, C, B, A, B, B, A, B)
        self.passes(len(self.pilot.script))
        self.assertEqual(self.interlock.state, A)

    # --- the feedback contact

    def test_a_contact_may_take_its_time(self):
        self.show(C)
        self.contactor.stuck = True
        self.interlock.close()
        self.passes(14)
        self.contactor.stuck = False
        self.passes(SETTLED)
        self.assertEqual(self.interlock.switch, module.SWITCH_OK)
        self.assertTrue(self.interlock.is_closed())

    def test_stuck_is_noticed_opened_and_kept(self):
        self.show(C)
        self.contactor.stuck = True
        self.interlock.close()
        self.passes(SETTLED)
        self.assertEqual(self.interlock.switch, module.SWITCH_STUCK)
        self.assertFalse(self.contactor.commanded)
        self.contactor.stuck = False
        self.passes(SETTLED)
        self.assertEqual(self.interlock.switch, module.SWITCH_STUCK)
        self.assertFalse(self.interlock.close())
        self.interlock.clear()
        self.assertTrue(self.interlock.close())

    def test_one_that_was_stuck_gets_its_time_anew(self):
        for _ in range(2):
            self.show(C)
            self.contactor.stuck = True
            self.interlock.close()
            self.passes(SETTLED)
            self.assertEqual(self.interlock.switch, module.SWITCH_STUCK)
            self.interlock.clear()
            self.interlock.close()
            self.passes(14)
            self.assertEqual(self.interlock.switch, module.SWITCH_OK)
            self.contactor.stuck = False
            self.passes(SETTLED)
            self.assertEqual(self.interlock.switch, module.SWITCH_OK)
            self.interlock.open()

    def test_a_contact_that_drops_while_the_coil_is_on_is_stuck(self):
        self.charging()
        self.contactor.stuck = True
        self.passes(SETTLED)
        self.assertEqual(self.interlock.switch, module.SWITCH_STUCK)
        self.assertFalse(self.contactor.commanded)

    def test_welded_is_noticed_in_every_state(self):
        for state in ALL:
            self.setUp()
            self.charging()
            self.contactor.welded = True
            self.interlock.open()
            self.pilot.state = state
            self.passes(SETTLED)
            self.assertEqual(self.interlock.switch, module.SWITCH_WELDED, "state %d" % state)
            self.assertFalse(self.interlock.close())

    def test_welded_heals_itself_once_the_contact_opens(self):
        self.contactor.welded = True
        self.passes(SETTLED)
        self.assertEqual(self.interlock.switch, module.SWITCH_WELDED)
        self.contactor.welded = False
        self.passes(1)
        self.assertEqual(self.interlock.switch, module.SWITCH_OK)

    def test_welded_cannot_be_cleared_while_it_lasts(self):
        self.contactor.welded = True
        self.passes(SETTLED)
        self.interlock.clear()
        self.assertEqual(self.interlock.switch, module.SWITCH_WELDED)

    def test_one_pole_of_two_that_welds_or_sticks_is_found_and_named(self):
        for pole in (1, 2):
            for how in ("welded", "stuck"):
                self.setUp()
                self.contactor = FakeContactor(2)
                self.interlock = self.build()
                self.charging()
                self.assertEqual((self.interlock.poles, self.interlock.switch), (2, module.SWITCH_OK))
                setattr(self.contactor, how, pole)  # the number of a pole is its bit as well
                if how == "welded":
                    self.interlock.open()
                self.passes(SETTLED)
                found = module.SWITCH_WELDED if how == "welded" else module.SWITCH_STUCK
                self.assertEqual((self.interlock.switch, self.interlock.pole), (found, pole))
                self.assertFalse(self.contactor.commanded)

    def test_stuck_is_remembered_while_another_pole_is_welded(self):
        self.contactor = FakeContactor(2)
        self.interlock = self.build()
        self.charging()
        self.contactor.stuck = 2
        self.passes(SETTLED)
        self.contactor.welded = 1
        self.passes(SETTLED)
        self.assertEqual((self.interlock.switch, self.interlock.pole), (module.SWITCH_WELDED, 1))
        self.contactor.welded = 0
        self.passes(SETTLED)
        self.assertEqual((self.interlock.switch, self.interlock.pole), (module.SWITCH_STUCK, 2))

    def test_the_stated_time_is_counted_in_passes_of_the_board(self):
        for period, passes in ((10, 16), (20, 9), (50, 4)):
            contactor = FakeContactor()
            interlock = Interlock(self.pilot, contactor, self.faults, period_ms=period)
            contactor.welded = 1
            count = 0
            while interlock.switch == module.SWITCH_OK:
                interlock.step(None)
                count += 1
            self.assertEqual(count, passes, "150 ms at %d ms a pass, and the one that finds it" % period)

    def test_refuses_a_time_that_it_cannot_count(self):
        contactor = FakeContactor()
        contactor.moves_ms = 2560
        with self.assertRaises(ValueError) as caught:
            Interlock(self.pilot, contactor, self.faults)
        self.assertIn("2560", str(caught.exception))

    # --- the contacts' rest

    def test_contacts_that_must_rest_are_not_closed(self):
        self.show(C)
        self.contactor.resting = True
        self.assertFalse(self.interlock.close())
        self.assertFalse(self.interlock.wanted)
        self.contactor.resting = False
        self.assertTrue(self.interlock.close())

    # --- how soon

    def test_the_worst_case_is_what_it_says(self):
        """The car leaves C just after a sample: the most passes until the coil is off, times the period."""
        most = 0
        for state in (A, B, D, E, F, NO_DIODE, LOST):
            self.setUp()
            self.charging()
            self.pilot.state = state
            passes = 0
            while self.contactor.commanded:
                self.interlock.step(None)
                passes += 1
            most = max(most, passes)
        for period in (5, 10, 20):
            self.assertEqual(module.opens_within(period), most * period)
        self.assertEqual(module.opens_within(10, 7), most * 10 + 7)

    def test_the_board_states_no_less_and_the_standard_allows_it(self):
        self.assertGreaterEqual(board.INTERLOCK_OPENS_MS, module.opens_within(board.INTERLOCK_PERIOD_MS))
        self.assertLessEqual(board.INTERLOCK_OPENS_MS, 100)

    # --- as an interrupt

    def test_allocates_nothing_in_any_state_and_between_any_two(self):
        for lock in (True, False):
            for first in ALL:
                for second in ALL:
                    self.setUp()
                    self.interlock = self.build(ventilated=first == D, lock=lock)
                    self.through(first, second)

    def through(self, first, second):
        interlock, pilot, faults = self.interlock, self.pilot, self.faults
        codes = ["GroundFailure"]
        none = []
        step = interlock.step
        states = (first, second)
        micropython.heap_lock()
        try:
            for state in states:
                pilot.state = state
                for _ in range(5):
                    step(None)
                interlock.close()
                step(None)
                step(None)
            faults.alarms = codes
            step(None)
            faults.alarms = none
            interlock.close()
            step(None)
            interlock.open()
            interlock.clear()
        finally:
            micropython.heap_unlock()
        self.assertEqual(interlock.state, second)
        self.assertEqual(interlock.failures, 0, "states %d, %d: a device raised" % (first, second))

    def test_allocates_nothing_with_any_defect(self):
        for poles in (1, 2):
            for how in ("welded", "stuck"):
                for which in range(1, 1 << poles):
                    self.setUp()
                    self.contactor = FakeContactor(poles)
                    self.interlock = self.build()
                    self.charging()
                    setattr(self.contactor, how, which)
                    micropython.heap_lock()
                    try:
                        for _ in range(SETTLED):
                            self.interlock.step(None)
                        self.interlock.open()
                        for _ in range(SETTLED):
                            self.interlock.step(None)
                        self.interlock.clear()
                    finally:
                        micropython.heap_unlock()
                    self.assertEqual(self.interlock.failures, 0)

    def test_allocates_nothing_though_the_count_of_passes_is_large(self):
        self.interlock._set(PASSES, 0x3FFFFFFE)
        micropython.heap_lock()
        try:
            for _ in range(4):
                self.interlock.step(None)
        finally:
            micropython.heap_unlock()
        self.assertEqual(self.interlock.passes, 2)

    def test_several_are_served_by_one_timer(self):
        others = [self.build(), self.build(), self.build()]
        self.assertEqual(module.together(others[:1]), others[0].step)
        step = module.together(others)
        micropython.heap_lock()
        try:
            step(None)
            step(None)
        finally:
            micropython.heap_unlock()
        self.assertEqual([one.passes for one in others], [2, 2, 2])

    def test_only_a_pass_gives_the_coil_current(self):
        self.show(C)
        self.interlock.close()
        self.assertFalse(self.contactor.commanded)
        self.passes(1)
        self.assertTrue(self.contactor.commanded)

    def test_a_pass_in_the_midst_of_closing_leaves_no_coil_on(self):
        """It may come between the connector's asking whether all agree and its wish."""
        self.show(C)

        def interrupt():
            self.lock.before = None
            self.faults.alarms = ["GroundFailure"]
            self.interlock.step(None)

        self.lock.before = interrupt
        self.assertTrue(self.interlock.close(), "the fault came too late for it")
        self.passes(1)
        self.assertFalse(self.contactor.commanded)
        self.assertEqual(self.contactor.closings, 0)

    def test_an_opening_in_the_midst_of_a_pass_is_obeyed_by_the_next(self):
        """As far as a board without interrupts has threads: there the two run at once."""
        self.show(C)
        self.interlock.close()
        self.contactor.within_move = self.interlock.open
        self.passes(2)
        self.assertFalse(self.contactor.commanded)
        self.assertFalse(self.interlock.wanted)

    # --- a device that fails

    def breakable(self, device, method):
        """The method raises while `self.broken`."""
        working = getattr(device, method)
        self.broken = False

        def call(*given):
            if self.broken:
                raise OSError("expected here: a device of test_interlock.py fails")
            return working(*given)

        setattr(device, method, call)

    def test_a_device_that_raises_opens_it(self):
        for device, method in (("pilot", "sample"), ("faults", "any"), ("lock", "is_locked"), ("contactor", "step")):
            self.setUp()
            self.breakable(getattr(self, device), method)
            self.interlock = self.build()
            self.charging()
            self.broken = True
            self.passes(1)
            self.assertFalse(self.contactor.commanded, device)
            self.assertEqual((self.interlock.state, self.interlock.failures), (LOST, 1), device)
            self.broken = False
            self.passes(4)
            self.assertEqual(self.interlock.state, C, device)
            self.assertFalse(self.interlock.wanted)
            self.assertTrue(self.interlock.close())
