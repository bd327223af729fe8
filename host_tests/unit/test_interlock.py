"""The interlock: closed only while everything agrees, open in the pass in which anything stops agreeing."""

import unittest

import micropython
from charging_fakes import NO_DIODE, A, B, C, D, E, F, FakeContactor, FakeInputs, FakeLock, FakePilot
from station.charging import interlock as module
from station.charging.interlock import Interlock

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
            self.interlock.step()

    def show(self, state):
        self.pilot.state = state
        self.passes(3)

    def charging(self):
        self.show(C)
        self.assertTrue(self.interlock.close())
        self.passes(SETTLED)
        self.assertTrue(self.contactor.commanded)

    def test_the_states_are_those_of_the_pilot(self):
        ours = (module.A, module.B, module.C, module.D, module.E, module.F, module.NO_DIODE)
        self.assertEqual(ours, (A, B, C, D, E, F, NO_DIODE))

    # --- who may close it

    def test_closes_in_c_only(self):
        for state in (A, B, D, E, F, NO_DIODE):
            self.show(state)
            self.assertFalse(self.interlock.close(), "state %d" % state)
            self.assertFalse(self.contactor.commanded)
        self.show(C)
        self.assertTrue(self.interlock.close())
        self.assertTrue(self.contactor.commanded)

    def test_closes_in_d_where_the_place_is_ventilated(self):
        self.interlock = self.build(ventilated=True)
        for state in (A, B, E, F, NO_DIODE):
            self.show(state)
            self.assertFalse(self.interlock.close(), "state %d" % state)
        self.show(D)
        self.assertTrue(self.interlock.close())
        self.show(C)
        self.assertTrue(self.contactor.commanded)

    def test_closes_with_no_fault_only(self):
        self.show(C)
        self.faults.codes = ["GroundFailure"]
        self.assertFalse(self.interlock.close())
        self.faults.codes = []
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
        for state in (A, B, C, D, E, F, NO_DIODE):
            self.show(state)
            self.assertEqual(self.contactor.closings, 0)

    # --- what opens it

    def test_opens_within_four_passes_of_every_state_that_is_not_c(self):
        for state in (A, B, D, E, F, NO_DIODE):
            self.setUp()
            self.charging()
            self.pilot.state = state
            passes = 0
            while self.contactor.commanded and passes < 10:
                self.interlock.step()
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
        self.faults.codes = ["OverCurrentFailure"]
        self.interlock.step()
        self.assertFalse(self.contactor.commanded)

    def test_opens_in_the_pass_in_which_the_lock_lets_go(self):
        self.charging()
        self.lock.locked = False
        self.interlock.step()
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
            self.interlock.step()
        self.assertFalse(self.interlock.close())
        self.passes(1)
        self.assertTrue(self.interlock.close(), "steady again")

    # --- the pilot's states

    def test_a_state_counts_after_three_equal_samples(self):
        for state in (B, C, D, E, F, NO_DIODE, A):
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

    def test_a_contact_that_drops_while_the_coil_is_on_is_stuck(self):
        self.charging()
        self.contactor.stuck = True
        self.passes(SETTLED)
        self.assertEqual(self.interlock.switch, module.SWITCH_STUCK)
        self.assertFalse(self.contactor.commanded)

    def test_welded_is_noticed_in_every_state(self):
        for state in (A, B, C, D, E, F, NO_DIODE):
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

    # --- as an interrupt

    def test_allocates_nothing(self):
        self.pilot.script = (C, C, C, C, A, A, A, A, C, C, C, C)
        micropython.heap_lock()
        try:
            for _ in range(4):
                self.interlock.step()
            self.interlock.close()
            for _ in range(SETTLED):
                self.interlock.step()
            self.contactor.welded = True
            for _ in range(SETTLED):
                self.interlock.step()
            self.interlock.open()
            self.interlock.clear()
        finally:
            micropython.heap_unlock()
        self.assertEqual(self.interlock.switch, module.SWITCH_WELDED)

    def test_allocates_nothing_though_the_count_of_passes_is_large(self):
        self.interlock.passes = 0x3FFFFFFE
        micropython.heap_lock()
        try:
            for _ in range(4):
                self.interlock.step()
        finally:
            micropython.heap_unlock()
        self.assertEqual(self.interlock.passes, 2)

    def test_a_pass_in_the_midst_of_closing_leaves_no_coil_on(self):
        self.show(C)

        def interrupt():
            self.faults.codes = ["GroundFailure"]
            self.interlock.step()

        self.contactor.within_close = interrupt
        self.interlock.close()
        self.interlock.step()
        self.assertFalse(self.contactor.commanded, "the next pass opens it at the latest")
