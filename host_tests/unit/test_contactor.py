"""drivers/contactor.py against the contactor's model: coils, feedback, travel time, order, rest, defects."""

import time
import unittest

import board
import machine
import micropython
import outlet
from station.charging import interlock as module
from station.charging.interlock import Interlock
from station.drivers.contactor import Contactor
from world import World

PERIOD_MS = 10
PIN = 2 * outlet.TERMINALS  # the first of connector 2


class _Base:
    poles = 1

    def setUp(self):
        self.world = World(2, 3, None, self.poles)
        machine.attach(self.world)
        self.outlet = self.world.outlets[1]
        self.contactor = self.build()

    def build(self, **changes):
        row = board.contactor_of(PIN, self.poles)
        row["min_off_ms"] = 0
        row.update(changes)
        return Contactor(period_ms=PERIOD_MS, **row)

    def passes(self, count, on=1):
        for _ in range(count):
            time.advance(PERIOD_MS)
            self.differs = self.contactor.step(on)

    def positions(self):
        """Poles and pre-charge relay, after a pass."""
        self.outlet.settle()
        return [pole.position for pole in self.outlet.poles] + [self.outlet.precharge.position]


class TestOnePole(unittest.TestCase, _Base):
    setUp = _Base.setUp

    def settled(self, on):
        self.passes(12, on)
        return self.contactor.is_closed()

    def test_off_at_construction(self):
        self.assertFalse(self.contactor.commanded)
        time.advance(100)
        self.assertFalse(self.contactor.is_closed())

    def test_feedback_follows_the_coil_after_its_travel(self):
        self.passes(1)
        self.assertTrue(self.contactor.commanded)
        self.passes(1)
        self.assertEqual(self.differs, 1, "on its way")
        self.assertFalse(self.contactor.is_closed())
        self.passes(1)
        self.assertEqual(self.differs, 0)
        self.assertTrue(self.contactor.is_closed())
        self.contactor.open()
        self.assertFalse(self.contactor.commanded)
        time.advance(100)
        self.assertFalse(self.contactor.is_closed())

    def test_a_pass_without_the_wish_opens(self):
        self.assertTrue(self.settled(1))
        self.passes(1, 0)
        self.assertFalse(self.contactor.commanded)
        self.assertFalse(self.settled(0))

    def test_every_pass_without_the_wish_writes_the_coil_low_again(self):
        self.passes(1, 0)
        self.outlet.drive(outlet.COIL, 1)  # by what no driver knows of
        self.passes(1, 0)
        time.advance(100)
        self.assertEqual(self.positions()[0], 0)

    def test_deinit_opens(self):
        self.assertTrue(self.settled(1))
        self.contactor.deinit()
        time.advance(100)
        self.assertEqual(self.positions()[0], 0)

    def test_a_new_driver_finds_a_closed_contact_and_opens_it(self):
        self.assertTrue(self.settled(1))
        self.contactor = self.build()
        self.assertFalse(self.settled(0))

    def test_only_its_own_connector(self):
        self.assertTrue(self.settled(1))
        other = Contactor(**board.contactor_of(outlet.TERMINALS, 1))
        self.assertFalse(other.is_closed())

    def test_welded_stays_closed(self):
        self.assertTrue(self.settled(1))
        self.outlet.break_contactor("welded")
        self.assertTrue(self.settled(0))
        self.assertEqual(self.differs, 1)
        self.outlet.break_contactor("ok")
        self.assertFalse(self.settled(0))
        self.assertEqual(self.differs, 0)

    def test_stuck_stays_open(self):
        self.outlet.break_contactor("stuck")
        self.assertFalse(self.settled(1))
        self.assertEqual(self.differs, 1)
        self.outlet.break_contactor("ok")
        self.assertTrue(self.settled(1))

    def test_without_feedback_the_coil_is_believed(self):
        for contacts in ((), (None,), (None, None)):
            self.contactor = self.build(poles=((PIN + outlet.COIL, contacts),))
            self.passes(1)
            self.assertEqual((self.differs, self.contactor.is_closed()), (0, True))
            self.passes(1, 0)
            self.assertEqual((self.differs, self.contactor.is_closed()), (0, False))

    # --- the rest of the contacts

    def test_does_not_close_before_its_time_after_opening(self):
        self.contactor = self.build(min_off_ms=95)
        self.passes(10, 0)  # since construction: what was before a start is not known
        self.assertTrue(self.contactor.is_rested())
        self.passes(1)
        self.assertTrue(self.contactor.commanded)
        self.passes(5)
        self.contactor.open()
        for _ in range(10):
            self.assertFalse(self.contactor.is_rested())
            self.passes(1, 1)  # though one asks
            self.assertFalse(self.contactor.commanded)
            self.passes(1, 0)
        self.assertTrue(self.contactor.is_rested())
        self.passes(1)
        self.assertTrue(self.contactor.commanded)

    def test_rests_after_a_start(self):
        self.contactor = self.build(min_off_ms=95)
        self.assertFalse(self.contactor.is_rested())
        self.passes(9, 0)
        self.assertFalse(self.contactor.is_rested())
        self.passes(1, 0)
        self.assertTrue(self.contactor.is_rested())

    def test_allocates_nothing(self):
        contactor = self.build(min_off_ms=20)
        micropython.heap_lock()
        try:
            for _ in range(4):
                contactor.step(0)
            for _ in range(4):
                contactor.step(1)
            contactor.is_closed()
            contactor.is_rested()
            contactor.open()
            contactor.step(0)
        finally:
            micropython.heap_unlock()


class TestTwoPoles(unittest.TestCase, _Base):
    poles = 2
    setUp = _Base.setUp

    def test_order(self):
        """Pre-charge relay, first pole, second pole when the first is closed, pre-charge relay off."""
        seen = [[0, 0, 0]]
        for _ in range(40):
            self.passes(1)
            now = self.positions()
            if now != seen[-1]:
                seen.append(now)
        self.assertEqual(seen, [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [1, 1, 0]])
        self.assertEqual((self.contactor.told, self.differs), (3, 0))

    def test_precharge_lasts_as_long_as_the_board_says(self):
        for ms in (10, 50, 200):
            self.setUp()
            self.contactor = self.build(precharge=(PIN + outlet.PRECHARGE, ms))
            self.passes(1)
            count = 0
            while not self.contactor.told:
                self.passes(1)
                count += 1
            self.assertGreaterEqual(count * PERIOD_MS, ms)
            self.assertLessEqual(count * PERIOD_MS, ms + PERIOD_MS)

    def test_opens_all_at_once(self):
        for passes in range(1, 20):
            self.setUp()
            self.passes(passes)
            self.contactor.open()
            time.advance(100)
            self.assertEqual(self.positions(), [0, 0, 0], "after %d passes" % passes)
            self.assertFalse(self.contactor.commanded)

    def test_goes_through_the_order_again(self):
        self.passes(40)
        self.passes(5, 0)
        self.test_order()

    def test_the_second_waits_for_the_first_for_ever(self):
        self.outlet.break_contactor("stuck", 1)
        self.passes(100)
        self.assertEqual((self.contactor.told, self.differs), (1, 1))

    def test_a_pole_that_nobody_watches_gets_its_time(self):
        poles = ((PIN + outlet.COIL, (None,)), (PIN + outlet.COIL_2, (PIN + outlet.COIL_2_FEEDBACK,)))
        self.contactor = self.build(poles=poles, precharge=None, moves_ms=100)
        self.passes(1)
        self.assertEqual(self.contactor.told, 1)
        self.passes(10)
        self.assertEqual(self.contactor.told, 1)
        self.passes(1)
        self.assertEqual(self.contactor.told, 3)

    def test_each_defect_of_each_pole_differs_there(self):
        for pole in (1, 2):
            self.setUp()
            self.outlet.break_contactor("welded", pole)
            self.passes(1, 0)
            self.assertEqual(self.differs, pole)
            self.setUp()
            self.passes(40)
            self.outlet.break_contactor("stuck", pole)
            self.passes(1)
            self.assertEqual(self.differs, pole)

    def test_one_feedback_contact_of_several_that_differs_is_enough(self):
        """The auxiliary contact and the mirror contact of a pole contradict each other."""
        level = self.outlet.level
        for terminal in (outlet.COIL_FEEDBACK, outlet.MIRROR, outlet.COIL_2_FEEDBACK, outlet.MIRROR_2):
            for on in (0, 1):
                self.passes(40, on)
                self.assertEqual(self.differs, 0)
                self.outlet.level = lambda asked, broken=terminal: level(asked) ^ (asked == broken)
                self.passes(1, on)
                self.assertEqual(self.differs, 1 if terminal in (outlet.COIL_FEEDBACK, outlet.MIRROR) else 2)
                self.outlet.level = level

    def test_energy_flows_only_with_both(self):
        self.passes(40)
        self.assertTrue(self.outlet.describe()["contactor"])
        for pole in (1, 2):
            self.outlet.break_contactor("stuck", pole)
            row = self.outlet.describe()
            self.assertEqual((row["contactor"], row["poles"]), (False, [pole == 2, pole == 1]))
            self.outlet.break_contactor("ok", pole)

    def test_there_is_no_third_pole(self):
        with self.assertRaises(ValueError) as caught:
            self.outlet.break_contactor("welded", 3)
        self.assertIn("3", str(caught.exception))

    def test_allocates_nothing(self):
        contactor = self.contactor
        micropython.heap_lock()
        try:
            for _ in range(40):
                contactor.step(1)
            contactor.open()
            contactor.step(0)
        finally:
            micropython.heap_unlock()


class _Pilot:
    def sample(self):
        return module.C


class _Nothing:
    def any(self):
        return False


class TestWithInterlock(unittest.TestCase, _Base):
    """The stated time in which a weld and a stuck contact are found, with real travel times."""

    poles = 2
    setUp = _Base.setUp

    def run_until(self, condition, most):
        passes = 0
        while not condition() and passes <= most:
            time.advance(PERIOD_MS)
            self.interlock.step(None)
            passes += 1
        return passes

    def closed(self):
        return self.contactor.told == 3 and self.outlet.is_live()

    def test_found_within_the_stated_time(self):
        most = self.contactor.moves_ms // PERIOD_MS + 2
        for pole in (1, 2):
            for how in ("welded", "stuck"):
                self.setUp()
                self.interlock = Interlock(_Pilot(), self.contactor, _Nothing(), period_ms=PERIOD_MS)
                self.run_until(lambda: False, 5)
                self.assertTrue(self.interlock.close())
                self.run_until(lambda: self.positions() == [1, 1, 0], 60)
                self.assertEqual(self.positions(), [1, 1, 0])
                self.outlet.break_contactor(how, pole)
                if how == "welded":
                    self.interlock.open()
                passes = self.run_until(lambda: self.interlock.switch != module.SWITCH_OK, 100)
                self.assertLessEqual(passes, most, (pole, how))
                self.assertEqual(self.interlock.pole, pole)
                self.assertFalse(self.contactor.commanded)
