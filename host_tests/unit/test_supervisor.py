"""The supervisor: what happens to a task that dies, to one that ends, to all when they are stopped."""

import asyncio
import unittest

from fakes import FakeLog
from station.supervisor import Supervisor


async def forever():
    await asyncio.Event().wait()


def reporting(run):
    """As a critical task that reports in once and then runs."""

    async def critical(report):
        report()
        await run()

    return critical


async def settle():
    """Let every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep_ms(0)


class SupervisorTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.pauses = []
        self.ticks = 0
        self.runs = 0
        self.supervisor = Supervisor(self.log, self.sleep_ms, lambda: self.ticks)
        self.gate = None

    async def sleep_ms(self, duration):
        self.pauses.append(duration)
        if self.gate:
            await self.gate.wait()
        else:
            await asyncio.sleep_ms(0)

    def dying(self, times, lived_ms=0):
        async def run():
            self.runs += 1
            self.ticks += lived_ms
            if self.runs <= times:
                raise ValueError("death %d" % self.runs)
            await forever()

        return run

    def test_a_task_that_dies_is_logged_counted_and_restarted(self):
        async def test():
            self.supervisor.start("meter", self.dying(3))
            await settle()

        asyncio.run(test())
        self.assertEqual(self.runs, 4)
        self.assertEqual(self.supervisor.restarts, {"meter": 3})
        self.assertEqual(self.pauses, [1000, 2000, 4000])
        errors = self.log.at("error")
        self.assertEqual(len(errors), 3)
        self.assertIn("meter", errors[0])
        self.assertIn("death 1", errors[0])

    def test_the_pause_has_a_limit(self):
        async def test():
            self.supervisor.start("meter", self.dying(9))
            await settle()
            await settle()

        asyncio.run(test())
        self.assertEqual(self.pauses[5:], [32000, 60000, 60000, 60000])

    def test_health_resets_the_pause(self):
        async def test():
            self.supervisor.start("meter", self.dying(3, lived_ms=60_000))
            await settle()

        asyncio.run(test())
        self.assertEqual(self.pauses, [1000, 1000, 1000])
        self.assertEqual(self.supervisor.restarts["meter"], 3)

    def test_healthy_is_about_critical_tasks_that_wait_for_their_restart(self):
        async def test():
            self.gate = asyncio.Event()
            self.supervisor.start("extra", self.dying(1))
            await settle()
            seen = [self.supervisor.healthy()]
            self.runs = 0
            self.supervisor.start_critical("interlock", reporting(self.dying(1)), 3)
            seen.append(self.supervisor.healthy())
            await settle()
            seen.append(self.supervisor.healthy())
            self.gate.set()
            await settle()
            seen.append(self.supervisor.healthy())
            return seen

        self.assertEqual(asyncio.run(test()), [True, True, False, True])

    def test_a_critical_task_that_returns_is_missed_another_is_not(self):
        async def once():
            self.runs += 1

        async def test():
            self.supervisor.start("extra", once)
            await settle()
            healthy = self.supervisor.healthy()
            self.supervisor.start_critical("interlock", reporting(once), 3)
            await settle()
            return healthy, self.supervisor.healthy()

        self.assertEqual(asyncio.run(test()), (True, False))
        self.assertEqual(self.runs, 2)
        self.assertEqual(self.supervisor.restarts, {})

    def test_a_critical_task_that_hangs_is_missed_until_it_goes_on(self):
        goes_on = asyncio.Event()

        async def hanging(report):
            report()
            await goes_on.wait()
            while True:
                report()
                await asyncio.sleep_ms(0)

        async def test():
            self.supervisor.start_critical("connector", hanging, 2)
            await settle()
            looks = [self.supervisor.healthy() for _ in range(5)]
            goes_on.set()
            await settle()
            return looks, self.supervisor.healthy()

        looks, healed = asyncio.run(test())
        self.assertEqual(looks, [True, True, True, False, False])
        self.assertEqual(self.log.at("error"), ["task connector has not reported in"])
        self.assertTrue(healed)

    def test_a_task_that_has_not_begun_is_given_its_time(self):
        async def test():
            self.supervisor.start_critical("connector", reporting(forever), 1)
            return [self.supervisor.healthy() for _ in range(2)]

        self.assertEqual(asyncio.run(test()), [True, False])

    def test_a_name_is_free_again_once_its_task_has_ended(self):
        async def once():
            self.runs += 1

        async def test():
            self.supervisor.start("reset", once)
            with self.assertRaises(ValueError) as caught:
                self.supervisor.start("reset", once)
            self.assertIn("reset", str(caught.exception))
            await settle()
            self.supervisor.start("reset", once)
            await settle()

        asyncio.run(test())
        self.assertEqual(self.runs, 2)

    def test_stop_ends_all_but_the_caller(self):
        ended = []

        async def run():
            try:
                await forever()
            finally:
                ended.append(True)

        async def stopper():
            self.supervisor.stop()
            await settle()
            ended.append("stopper lives")
            await forever()

        async def test():
            self.supervisor.start("one", run)
            self.supervisor.start("two", run)
            await settle()
            self.supervisor.start("stopper", stopper)
            await settle()
            await settle()

        asyncio.run(test())
        self.assertEqual(ended, [True, True, "stopper lives"])
        self.assertEqual(self.log.at("error"), [])
        self.assertEqual(self.supervisor.restarts, {})

    def test_an_end_of_the_program_is_not_held_up(self):
        async def leave():
            raise SystemExit(75)

        async def test():
            self.supervisor.start("reset", leave)
            await forever()

        with self.assertRaises(SystemExit) as caught:
            asyncio.run(test())
        self.assertEqual(caught.exception.value, 75)
        self.assertEqual(self.pauses, [])
