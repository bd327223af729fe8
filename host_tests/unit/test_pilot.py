"""drivers/pilot.py: duty and current both ways (IEC 61851-1 Annex A), states with hysteresis, the diode."""

import unittest

import board
import machine
import micropython
from ev import offered_ma
from station.drivers import pilot
from station.drivers.pilot import Pilot
from station.drivers.pilot_current import DIGITAL, current_of, duty_of, is_digital
from world import World


def counts(millivolts):
    return 32768 + millivolts * 32768 // 15000


class _Line:
    """A pilot line with voltages that the test sets, in place of the world."""

    def __init__(self):
        self.high = counts(12000)
        self.low = counts(-12000)
        self.duty = None

    def terminal(self, pin):
        return self, pin

    def wave(self, terminal, frequency, duty_u16):
        self.frequency = frequency
        self.duty = duty_u16

    def analog(self, terminal):
        return self.high if terminal == 1 else self.low


class TestDuty(unittest.TestCase):
    def percent(self, deciamps):
        return duty_of(deciamps) * 100 / 65535

    def test_table_of_the_standard(self):
        for amps, percent in ((6, 10), (10, 16.67), (16, 26.67), (32, 53.33), (51, 85), (63, 89.2), (80, 96)):
            self.assertAlmostEqual(self.percent(amps * 10), percent, 1)

    def test_there_and_back_is_the_same_current(self):
        for deciamps in range(60, 801):
            expected = 510 if 510 < deciamps <= 525 else deciamps
            self.assertEqual(current_of(duty_of(deciamps)), expected)

    def test_never_offers_more_than_asked_by_the_model_of_a_car(self):
        for deciamps in range(60, 801):
            self.assertLessEqual(offered_ma(duty_of(deciamps), 1000), deciamps * 100)

    def test_where_the_duty_offers_nothing(self):
        for percent in (0, 2, 3, 5, 7, 7.9, 97.1, 100):
            self.assertEqual(current_of(round(percent * 65535 / 100)), 0, percent)

    def test_ends_of_the_table(self):
        self.assertEqual(current_of(round(0.08 * 65535) + 1), 60)
        self.assertEqual(current_of(round(0.09 * 65535)), 60)
        self.assertEqual(current_of(round(0.965 * 65535)), 800)
        self.assertEqual(current_of(round(0.97 * 65535) - 1), 800)

    def test_every_duty_of_the_table(self):
        """IEC 61851-1 table A.8, row by row, at each of the 65536 duties."""
        whole = 65535
        for duty in range(whole + 1):
            percent = 100 * duty  # of `whole`: in whole numbers, because a board's floats have 24 bits
            current = current_of(duty)
            self.assertEqual(is_digital(duty), 3 * whole <= percent <= 7 * whole, duty)
            if percent < 8 * whole or percent > 97 * whole:
                self.assertEqual(current, 0, duty)
            elif percent < 10 * whole:
                self.assertEqual(current, 60, duty)
            elif percent <= 85 * whole:  # 0.6 A for each, rounded to 0.1 A
                self.assertLessEqual(2 * abs(current * whole - duty * 600), whole, duty)
            elif percent <= 96 * whole:
                self.assertLessEqual(2 * abs((current + 1600) * whole - duty * 2500), whole, duty)
            else:
                self.assertEqual(current, 800, duty)

    def test_five_percent_is_digital_and_offers_nothing_by_itself(self):
        self.assertAlmostEqual(DIGITAL / 655.35, 5, 2)
        self.assertTrue(is_digital(DIGITAL))
        self.assertEqual((current_of(DIGITAL), offered_ma(DIGITAL, 1000)), (0, 0))

    def test_refuses_what_cannot_be_offered(self):
        for deciamps in (1, 59, 801, -60):
            with self.assertRaises(ValueError) as caught:
                duty_of(deciamps)
            self.assertIn(str(deciamps), str(caught.exception))


class TestStates(unittest.TestCase):
    def setUp(self):
        self.line = _Line()
        machine.attach(self.line)
        self.pilot = Pilot(0, 1, 2)

    def at(self, millivolts):
        self.line.high = counts(millivolts)
        return self.pilot.sample()

    def test_nominal_levels_and_their_tolerance(self):
        for state, levels in (
            (pilot.A, (11000, 12000, 13000)),
            (pilot.B, (8000, 9000, 10000)),
            (pilot.C, (5000, 6000, 7000)),
            (pilot.D, (2000, 3000, 4000)),
            (pilot.E, (-500, 0, 1000)),
            (pilot.F, (-13000, -12000, -11000)),
        ):
            for level in levels:
                for before in (12000, -12000, 6000):
                    self.at(before)
                    self.assertEqual(self.at(level), state, (level, before))

    def test_hysteresis_holds_the_state_around_each_threshold(self):
        for upper, threshold in ((pilot.A, 10500), (pilot.B, 7500), (pilot.C, 4500), (pilot.D, 1500), (pilot.E, -6000)):
            self.at(threshold + 1000)
            self.assertEqual(self.at(threshold - 250), upper)
            self.assertEqual(self.at(threshold - 350), upper + 1)
            self.assertEqual(self.at(threshold + 250), upper + 1)
            self.assertEqual(self.at(threshold + 350), upper)

    def test_calibration(self):
        calibrated = Pilot(0, 1, 2, 30000, 20000)
        self.line.high = 30000 + 6000 * 32768 // 20000
        self.assertEqual(calibrated.sample(), pilot.C)

    def test_missing_diode_shows_only_while_the_wave_swings(self):
        self.line.low = counts(-6000)
        self.assertEqual(self.at(6000), pilot.C)
        self.pilot.offer(160)
        self.assertEqual(self.at(6000), pilot.NO_DIODE)
        self.assertEqual(self.at(9000), pilot.NO_DIODE)
        self.assertEqual(self.at(12000), pilot.A)
        self.pilot.offer(0)
        self.assertEqual(self.at(6000), pilot.C)

    def test_diode_with_hysteresis(self):
        self.pilot.offer(160)
        self.at(6000)
        for low, state in ((-10300, pilot.C), (-10100, pilot.NO_DIODE), (-10700, pilot.NO_DIODE), (-10900, pilot.C)):
            self.line.low = counts(low)
            self.assertEqual(self.pilot.sample(), state, low)

    def test_wave(self):
        self.assertEqual((self.line.frequency, self.line.duty, self.pilot.offered), (1000, 65535, 0))
        self.pilot.offer(160)
        self.assertEqual((self.line.duty, self.pilot.offered), (duty_of(160), 160))
        self.pilot.offer(0)
        self.assertEqual((self.line.duty, self.pilot.offered), (65535, 0))
        self.pilot.offer(160)
        self.pilot.off()
        self.assertEqual((self.line.duty, self.pilot.offered), (0, 0))

    def test_digital_communication(self):
        self.pilot.offer(160)
        self.pilot.offer_digital()
        self.assertEqual((self.line.duty, self.pilot.offered), (DIGITAL, 0))
        self.line.low = counts(-6000)
        self.assertEqual(self.at(9000), pilot.NO_DIODE)  # it swings, so the diode shows
        self.pilot.off()
        self.assertEqual(self.at(9000), pilot.B)

    def test_refused_offer_leaves_the_one_before(self):
        self.pilot.offer(160)
        with self.assertRaises(ValueError):
            self.pilot.offer(900)
        self.assertEqual((self.line.duty, self.pilot.offered), (duty_of(160), 160))


class TestWithCar(unittest.TestCase):
    def setUp(self):
        self.world = World(1, 3)
        machine.attach(self.world)
        self.outlet = self.world.outlets[0]
        self.pilot = Pilot(**board.connector(1)["pilot"])

    def test_each_state_of_the_model(self):
        self.assertEqual(self.pilot.sample(), pilot.A)
        self.outlet.plug({})
        self.assertEqual(self.pilot.sample(), pilot.B)
        self.pilot.offer(60)
        self.assertEqual(self.pilot.sample(), pilot.C)
        self.outlet.shorted = True
        self.assertEqual(self.pilot.sample(), pilot.E)
        self.outlet.shorted = False
        self.pilot.off()
        self.assertEqual(self.pilot.sample(), pilot.F)
        self.outlet.unplug()
        self.pilot.offer(60)
        self.outlet.plug({"ventilation": True})
        self.assertEqual(self.pilot.sample(), pilot.D)
        self.outlet.unplug()
        self.assertEqual(self.pilot.sample(), pilot.A)
        self.outlet.plug({"diode_fail_after_s": 0})
        self.assertEqual(self.pilot.sample(), pilot.NO_DIODE)

    def test_sample_allocates_nothing_in_any_state(self):
        for parameters, offer in (({}, 0), ({}, 160), ({"ventilation": True}, 160), ({"diode_fail_after_s": 0}, 160)):
            self.pilot.offer(offer)
            self.outlet.plug(parameters)
            driver = self.pilot
            micropython.heap_lock()
            try:
                driver.sample()
            finally:
                micropython.heap_unlock()
            self.outlet.unplug()
