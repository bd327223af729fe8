"""boards/unix/ev.py and outlet.py: what a car does by itself, and the energy of it, however seldom we look."""

import unittest

import ev
from ev import EV, NEVER, A, B, C, D, offered_ma
from outlet import COIL, LOCK, LOCK_FEEDBACK, PILOT, Outlet

SIXTEEN = 160 * 65535 // 600  # duty
WH = 3_600_000_000  # mW ms
HOUR = 3_600_000


class TestOffer(unittest.TestCase):
    def test_table_of_the_standard(self):
        for percent, milliamps in (
            (10, 6000),
            (26.667, 16000),
            (53.333, 32000),
            (84.99, 51000),
            (90, 65000),
        ):
            self.assertLessEqual(abs(offered_ma(round(percent * 65535 / 100), 1000) - milliamps), 30)

    def test_nothing_offered(self):
        for percent in (0, 5, 7.5, 98, 100):
            self.assertEqual(offered_ma(round(percent * 65535 / 100), 1000), 0)
        self.assertEqual(offered_ma(SIXTEEN, 500), 0)


class TestEV(unittest.TestCase):
    def test_plug_delay_then_b(self):
        car = EV({"plug_delay_s": 2}, 1000)
        self.assertEqual([car.state(t) for t in (1000, 2999, 3000)], [A, A, B])
        self.assertEqual(car.describe(1000)["doing"], "arriving")

    def test_asks_for_energy_after_draw_delay_from_the_offer(self):
        car = EV({"draw_delay_s": 1.5}, 0)
        self.assertEqual(car.state(100_000), B)
        car.offer(16000, 100_000)
        self.assertEqual([car.state(t) for t in (101_499, 101_500)], [B, C])
        car.offer(10000, 101_600)  # another current, the same wish
        self.assertEqual(car.state(101_600), C)
        car.offer(0, 102_000)
        self.assertEqual(car.state(102_000), B)

    def test_an_offer_before_the_plug_counts_from_the_plug(self):
        car = EV({"plug_delay_s": 5, "draw_delay_s": 1}, 0)
        car.offer(16000, 0)
        self.assertEqual([car.state(t) for t in (4999, 5000, 5999, 6000)], [A, B, B, C])

    def test_ventilation(self):
        car = EV({"ventilation": True}, 0)
        car.offer(16000, 0)
        self.assertEqual(car.state(0), D)

    def test_no_current_without_contact_and_for_the_ramp(self):
        car = EV({"ramp_s": 3}, 0)
        car.offer(16000, 0)
        self.assertEqual(car.current_ma(60_000), 0)
        car.energize(True, 60_000)
        self.assertEqual([car.current_ma(t) for t in (60_000, 62_999, 63_000)], [0, 0, 16000])
        self.assertEqual(car.next_event(60_000), 63_000)
        self.assertEqual(car.describe(61_000)["doing"], "waiting")
        self.assertEqual(car.describe(63_000)["doing"], "charging")
        car.energize(False, 70_000)
        self.assertEqual(car.current_ma(80_000), 0)

    def test_draws_the_least_of_wish_and_offer(self):
        car = EV({"current_a": 13.5}, 0)
        car.offer(16000, 0)
        car.energize(True, 0)
        self.assertEqual(car.current_ma(0), 13500)
        car.offer(6000, 10)
        self.assertEqual(car.current_ma(10), 6000)

    def test_pause_and_resume(self):
        car = EV({}, 0)
        car.offer(16000, 0)
        car.energize(True, 0)
        car.pause()
        self.assertEqual((car.state(10), car.current_ma(10), car.describe(10)["doing"]), (B, 0, "paused"))
        car.resume(20)
        self.assertEqual((car.state(20), car.current_ma(20)), (C, 16000))

    def test_leaves_by_itself(self):
        car = EV({"plug_delay_s": 1, "auto_unplug_s": 10}, 0)
        self.assertEqual([car.state(t) for t in (10_999, 11_000)], [B, A])
        self.assertEqual(EV({}, 0).leave_at, NEVER)

    def test_diode_fails_after_a_while(self):
        car = EV({"plug_delay_s": 1, "diode_fail_after_s": 2}, 0)
        self.assertEqual([car.diode(t) for t in (2999, 3000)], [True, False])


class TestOutlet(unittest.TestCase):
    """Energy and positions, with a clock that the test sets."""

    def setUp(self):
        self.clock = 0
        self.outlet = Outlet(1, 3, lambda: self.clock, lambda: None, ticks_ms=lambda: self.clock)
        self.outlet.wave(PILOT, 1000, SIXTEEN)

    def at(self, ms):
        self.clock = ms
        return self.outlet.describe()

    def milliwatts(self):
        return offered_ma(SIXTEEN, 1000) * 3 * 230

    def test_energy_begins_when_the_contact_has_closed_and_the_ramp_is_over(self):
        self.outlet.plug({"ramp_s": 5})
        self.outlet.drive(COIL, 1)
        self.at(HOUR + 5020)
        self.assertEqual(self.outlet.energy, self.milliwatts() * HOUR)

    def test_energy_is_the_same_however_often_one_looks(self):
        energies = []
        for step in (7, 1000, 61_000, 3 * HOUR):
            self.setUp()
            self.outlet.plug({"plug_delay_s": 2, "draw_delay_s": 3, "ramp_s": 4, "auto_unplug_s": 3600})
            self.outlet.drive(COIL, 1)
            for ms in range(0, 2 * HOUR if step > 1000 else 20_000, step):
                self.at(ms)
            self.at(2 * HOUR)
            energies.append(self.outlet.energy)
        self.assertEqual(energies, [self.milliwatts() * (HOUR - 7000)] * 4)

    def test_energy_ends_when_the_contact_opens(self):
        self.outlet.plug({})
        self.outlet.drive(COIL, 1)
        self.at(10_000)
        self.outlet.drive(COIL, 0)
        self.assertEqual(self.at(20_000)["power_w"], 0)
        self.assertEqual(self.outlet.energy, self.milliwatts() * 10_000)

    def test_a_station_of_one_phase_gives_one(self):
        self.outlet = Outlet(1, 1, lambda: self.clock, lambda: None, ticks_ms=lambda: self.clock)
        self.outlet.wave(PILOT, 1000, SIXTEEN)
        self.outlet.plug({"current_a": 10, "phases": 3})
        self.outlet.drive(COIL, 1)
        self.assertEqual(self.at(20)["power_w"], 2300)

    def test_describe(self):
        row = self.at(0)
        self.assertEqual((row["pilot"], row["contactor"], row["locked"], row["ev"]), ("A", False, False, None))
        self.outlet.plug({"current_a": 10})
        self.outlet.drive(COIL, 1)
        self.outlet.drive(LOCK, 1)
        row = self.at(HOUR)
        self.assertEqual((row["id"], row["pilot"], row["contactor"], row["locked"]), (1, "C", True, True))
        self.assertEqual((row["power_w"], row["energy_wh"]), (6900, 6899))
        self.assertEqual(row["ev"], {"doing": "charging", "current_a": 10.0, "phases": 3})
        self.outlet.wave(PILOT, 1000, 0)
        self.assertEqual(self.at(HOUR)["pilot"], "F")
        self.outlet.shorted = True
        self.assertEqual(self.at(HOUR)["pilot"], "E")

    def test_one_car_at_a_time(self):
        self.outlet.plug({})
        for wrong, word in ((lambda: self.outlet.plug({}), "has a car"), (self.twice, "no car")):
            with self.assertRaises(ValueError) as caught:
                wrong()
            self.assertIn(word, str(caught.exception))

    def twice(self):
        self.outlet.unplug()
        self.outlet.unplug()

    def test_a_car_that_left_may_be_followed_by_another(self):
        self.outlet.plug({"auto_unplug_s": 1})
        self.assertIsNone(self.at(1000)["ev"])
        self.assertTrue(self.outlet.dirty)
        self.outlet.plug({})

    def test_welding_closes_an_open_contact_and_energy_flows(self):
        self.outlet.plug({})
        self.at(1000)
        self.outlet.break_contactor("welded")
        self.at(2000)
        self.assertEqual(self.outlet.energy, self.milliwatts() * 1000)

    def test_lock_moves_with_a_delay(self):
        self.outlet.drive(LOCK, 1)
        self.assertEqual(self.outlet.level(LOCK_FEEDBACK), 0)
        self.at(50)
        self.assertEqual(self.outlet.level(LOCK_FEEDBACK), 1)

    def test_a_quick_change_of_mind_leaves_the_contact_open(self):
        self.at(100)
        self.outlet.drive(COIL, 1)
        self.at(110)
        self.outlet.drive(COIL, 0)
        self.assertFalse(self.at(125)["contactor"])
        self.assertFalse(self.at(200)["contactor"])

    def test_inputs_cannot_be_driven(self):
        with self.assertRaises(ValueError):
            self.outlet.drive(LOCK_FEEDBACK, 1)
        with self.assertRaises(ValueError):
            self.outlet.wave(COIL, 1000, 5)

    def test_every_parameter_has_bounds_and_a_default_within(self):
        for name, (low, high, default) in ev.PARAMETERS.items():
            self.assertTrue(default is None or low <= default <= high, name)
