"""The orderly way down: what is stopped, what is waited for and how long, in which order."""

import asyncio
import time
import unittest

from charging_fakes import FakeLink, settle
from fakes import FakeLog
from station.ocpp.shutdown import Shutdown


class FakeChargePoint:
    def __init__(self):
        self.busy = 0  # so many more times a transaction runs still
        self.reasons = []

    def stop_all(self, reason):
        self.reasons.append(reason)
        self.busy -= 1
        return self.busy >= 0


class Part:
    """Stands for backend, outbox and cache."""

    def __init__(self):
        self.is_online = True
        self.depth = 0
        self.flushed = 0

    def flush(self):
        self.flushed += 1
        return True


class ShutdownTest(unittest.TestCase):
    def setUp(self):
        self.point = FakeChargePoint()
        self.part = Part()
        self.link = FakeLink()
        self.restarts = []
        self.shutdown = Shutdown(self.point, self.part, self.part, self.part, self.link, self.restart, FakeLog())

    def restart(self):
        self.restarts.append((self.link.closed, self.part.flushed))

    def run(self, kind, each=None, most_ms=60_000):
        """Request it; gives the simulated ms until the restart."""

        async def test():
            task = asyncio.create_task(self.shutdown.run())
            await settle()
            self.assertEqual(self.restarts, [])
            self.shutdown.request(kind)
            waited = 0
            while not self.restarts and waited < most_ms:
                await settle(4)
                if self.restarts:
                    break
                time.advance(50)
                waited += 50
                if each:
                    each(waited)
            task.cancel()
            await settle()
            return waited

        return asyncio.run(test())

    def test_soft(self):
        self.point.busy = 2
        self.run("Soft")
        self.assertEqual(set(self.point.reasons), {"SoftReset"})
        self.assertGreaterEqual(len(self.point.reasons), 3)
        self.assertEqual(self.restarts, [(True, 1)])

    def test_hard(self):
        self.point.busy = 1
        self.part.depth = 5
        self.run("Hard")
        self.assertEqual(set(self.point.reasons), {"HardReset"})
        self.assertEqual(self.restarts, [(True, 1)])

    def test_soft_waits_until_the_backend_was_told(self):
        self.part.depth = 3

        def each(waited):
            if waited == 4000:
                self.assertEqual(self.restarts, [])
                self.part.depth = 0

        waited = self.run("Soft", each)
        self.assertTrue(4000 <= waited < 5000, waited)

    def test_soft_does_not_wait_for_ever(self):
        self.part.depth = 3
        self.assertLessEqual(self.run("Soft"), 16_000)
        self.assertEqual(len(self.restarts), 1)

    def test_soft_does_not_wait_offline(self):
        self.part.depth = 3
        self.part.is_online = False
        self.assertLess(self.run("Soft"), 1000)

    def test_soft_that_goes_offline_while_it_waits(self):
        self.part.depth = 3

        def each(waited):
            self.part.is_online = waited < 2000

        self.assertLess(self.run("Soft", each), 3000)

    def test_a_transaction_that_cannot_end_holds_it_up_for_so_long_only(self):
        self.point.busy = 100_000
        self.assertLessEqual(self.run("Hard"), 6000)
        self.assertEqual(len(self.restarts), 1)

    def test_hard_overtakes_soft(self):
        self.part.depth = 3

        def each(waited):
            if waited == 1000:
                self.shutdown.request("Hard")

        self.assertLess(self.run("Soft", each), 2000)

    def test_soft_does_not_slow_hard_down(self):
        self.part.depth = 3

        def each(waited):
            if waited == 50:
                self.shutdown.request("Hard")
                self.shutdown.request("Soft")

        self.assertLess(self.run("Soft", each), 1000)
