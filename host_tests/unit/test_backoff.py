"""The waits between attempts to reach a backend (OCPP 2.0.1 Part 4 §5.3)."""

import unittest

from station.ocpp.backoff import BackOff


def keys(minimum, repeat, spread):
    return {
        "RetryBackOffWaitMinimum": minimum,
        "RetryBackOffRepeatTimes": repeat,
        "RetryBackOffRandomRange": spread,
    }


def number(value):
    """A source of randomness that always gives this number."""
    return lambda size: value.to_bytes(size, "big")


class BackOffTest(unittest.TestCase):
    def waits(self, back_off, count):
        return [back_off.next_ms() for _ in range(count)]

    def test_it_doubles_so_many_times_and_then_stays(self):
        back_off = BackOff(keys(10, 3, 0), number(0))
        self.assertEqual(self.waits(back_off, 6), [10000, 20000, 40000, 80000, 80000, 80000])

    def test_no_doubling_at_all(self):
        self.assertEqual(self.waits(BackOff(keys(5, 0, 0), number(0)), 3), [5000, 5000, 5000])

    def test_it_starts_again_after_a_reset(self):
        back_off = BackOff(keys(1, 5, 0), number(0))
        self.waits(back_off, 4)
        back_off.reset()
        self.assertEqual(self.waits(back_off, 2), [1000, 2000])

    def test_the_random_part_is_added_and_not_doubled(self):
        back_off = BackOff(keys(10, 2, 4), number(2500))
        self.assertEqual(self.waits(back_off, 4), [12500, 22500, 42500, 42500])

    def test_the_random_part_covers_its_range_ends_included(self):
        settings = keys(10, 0, 1)
        self.assertEqual(BackOff(settings, number(0)).next_ms(), 10000)
        self.assertEqual(BackOff(settings, number(1000)).next_ms(), 11000)
        self.assertEqual(BackOff(settings, number(1001)).next_ms(), 10000)
        self.assertEqual(BackOff(settings, number(0xFFFFFFFF)).next_ms(), 10000 + 0xFFFFFFFF % 1001)

    def test_the_random_part_is_drawn_anew_each_time(self):
        numbers = [b"\0\0\0\1", b"\0\0\0\2"]
        back_off = BackOff(keys(0, 0, 1), lambda size: numbers.pop(0))
        self.assertEqual(self.waits(back_off, 2), [1, 2])

    def test_changed_keys_act_on_the_next_wait(self):
        settings = keys(10, 5, 0)
        back_off = BackOff(settings, number(0))
        self.waits(back_off, 4)
        settings["RetryBackOffRepeatTimes"] = 1
        self.assertEqual(self.waits(back_off, 2), [20000, 20000])
        settings["RetryBackOffRepeatTimes"] = 5
        self.assertEqual(self.waits(back_off, 2), [40000, 80000])

    def test_many_failures_stay_within_a_machine_word(self):
        back_off = BackOff(keys(1, 10, 0), number(0))
        self.waits(back_off, 1000)
        self.assertEqual(back_off.next_ms(), 1024000)
