"""boards/unix/time.py: the clocks move together, asyncio's timers follow, and never backwards."""

import asyncio
import time
import unittest

import utime

HOUR_MS = 3_600_000


class TestTime(unittest.TestCase):
    def test_has_every_name_of_the_built_in(self):
        for name in dir(utime):
            self.assertIn(name, dir(time))

    def test_advance_moves_ticks_and_wall_clock_together(self):
        ms, us, wall, ns = time.ticks_ms(), time.ticks_us(), time.time(), time.time_ns()
        real = utime.ticks_ms()
        time.advance(HOUR_MS)
        passed = time.ticks_diff(utime.ticks_ms(), real) + 1
        self.assertGreaterEqual(time.ticks_diff(time.ticks_ms(), ms), HOUR_MS)
        self.assertLessEqual(time.ticks_diff(time.ticks_ms(), ms), HOUR_MS + passed + 1)
        self.assertGreaterEqual(time.ticks_diff(time.ticks_us(), us), HOUR_MS * 1000)
        self.assertGreaterEqual(time.time() - wall, HOUR_MS // 1000)
        self.assertGreaterEqual(time.time_ns() - ns, HOUR_MS * 1_000_000)

    def test_calendar_follows(self):
        day = time.gmtime()[7]
        time.advance(24 * HOUR_MS)
        self.assertIn(time.gmtime()[7], (day + 1, 1))
        self.assertIn(time.localtime()[0], (time.gmtime()[0] - 1, time.gmtime()[0], time.gmtime()[0] + 1))

    def test_calendar_of_a_given_second(self):
        self.assertEqual(time.gmtime(0)[:6], (1970, 1, 1, 0, 0, 0))
        self.assertEqual(time.mktime(time.localtime(86400)), 86400)

    def test_never_backwards(self):
        with self.assertRaises(ValueError) as caught:
            time.advance(-1)
        self.assertIn("-1", str(caught.exception))

    def test_asyncio_timers_follow(self):
        order = []

        async def later(name, s):
            await asyncio.sleep(s)
            order.append(name)

        async def main():
            tasks = [asyncio.create_task(later("three hours", 10800)), asyncio.create_task(later("hour", 3600))]
            await asyncio.sleep_ms(0)
            self.assertEqual(order, [])
            time.advance(4 * HOUR_MS)
            await asyncio.gather(*tasks)

        asyncio.run(main())
        self.assertEqual(order, ["hour", "three hours"])
