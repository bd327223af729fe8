"""Registration: BootNotification and its answers, who may speak when, heartbeats and the clock."""

import asyncio
import time
import unittest

from charging_fakes import NOON, FakeLink, settle
from fakes import FakeLog
from station.clock import Clock
from station.ocpp.calls import CallRefused, LinkError, NoAnswer
from station.ocpp.registration import Registration
from station.settings import Settings

TIME = "2026-11-22T11:00:00Z"
PAYLOAD = {"chargePointVendor": "Seed", "chargePointModel": "One"}


def answer(status, interval=300, at=TIME):
    return {"status": status, "interval": interval, "currentTime": at}


class _Case:
    def setUp(self):
        self.log = FakeLog()
        self.clock = Clock(1)
        self.settings = Settings(None, self.log)
        self.answers = []
        self.times = []
        self.link = FakeLink(self.answer)
        self.link.connected = True
        self.registration = Registration(self.link, self.settings, self.clock, self.log, PAYLOAD)

    def answer(self, action, payload):
        self.times.append(time.ticks_ms())
        return self.answers.pop(0)

    def waits(self):
        """Seconds between the calls."""
        times = self.times
        return [time.ticks_diff(times[i + 1], times[i]) // 1000 for i in range(len(times) - 1)]

    def run(self, work, until=None, most_s=10_000):
        """Run `work()` until it ends or `until()`; gives the LinkError that ended it, else None."""
        failures = []

        async def guarded():
            try:
                await work()
            except LinkError as error:
                failures.append(error)

        async def test():
            task = asyncio.create_task(guarded())
            for _ in range(most_s * 2):
                await settle(5)
                if task.done() or (until and until()):
                    break
                time.advance(500)
            task.cancel()
            await settle()

        asyncio.run(test())
        return failures[0] if failures else None


class BootTest(_Case, unittest.TestCase):
    def register(self, *answers, until=None):
        self.answers = list(answers)
        return self.run(self.registration.register, until)

    def test_accepted(self):
        self.assertFalse(self.registration.accepted)
        self.assertIsNone(self.register(answer("Accepted", 77)))
        self.assertTrue(self.registration.accepted)
        self.assertEqual(self.link.sent, [("BootNotification", PAYLOAD, None)])
        self.assertEqual(self.settings["HeartbeatInterval"], 77)
        self.assertTrue(NOON <= self.clock.now() < NOON + 5)

    def test_once_a_boot(self):
        self.register(answer("Accepted"))
        self.register()
        self.assertEqual(len(self.link.sent), 1)

    def test_asked_again_after_the_interval(self):
        for status in ("Pending", "Rejected"):
            self.setUp()
            self.assertIsNone(self.register(answer(status, 45), answer(status, 7), answer("Accepted")))
            self.assertEqual(self.waits(), [45, 7])
            self.assertTrue(self.registration.accepted)
            self.assertEqual(self.settings["HeartbeatInterval"], 300, "that of the Accepted")

    def test_an_interval_of_nothing_is_left_to_us(self):
        for interval in (0, -5):
            self.setUp()
            self.register(answer("Pending", interval), answer("Accepted", interval))
            self.assertGreaterEqual(self.waits()[0], 10)
            self.assertEqual(self.settings["HeartbeatInterval"], 300)

    def test_an_absurd_interval(self):
        self.register(answer("Accepted", 10**9))
        self.assertEqual(self.settings["HeartbeatInterval"], 86400)
        self.setUp()
        self.register(answer("Rejected", 10**12), until=lambda: len(self.link.sent) > 1)
        self.assertEqual(len(self.link.sent), 1)

    def test_an_error_or_no_answer_is_asked_again(self):
        failure = self.register(CallRefused("InternalError", "", {}), NoAnswer("no answer"), answer("Accepted"))
        self.assertIsNone(failure)
        self.assertTrue(self.registration.accepted)
        self.assertEqual(len(self.log.at("warning")), 2)
        self.assertTrue(all([wait >= 5 for wait in self.waits()]))

    def test_a_lost_connection_is_for_the_caller(self):
        self.link.connected = False
        self.assertIsInstance(self.register(), LinkError)

    def test_a_time_that_is_none(self):
        for text in ("soon", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            self.setUp()
            self.assertIsNone(self.register(answer("Accepted", at=text)))
            self.assertTrue(self.registration.accepted)
            self.assertFalse(self.clock.is_set)
            self.assertEqual(len(self.log.at("warning")), 1)

    def test_the_clock_is_set_while_pending_too(self):
        self.register(answer("Pending"), until=lambda: len(self.link.sent) == 1 and self.clock.is_set)
        self.assertTrue(self.clock.is_set)


class WhoMaySpeakTest(_Case, unittest.TestCase):
    def stand(self, status):
        if status:
            self.answers = [answer(status)]
            self.run(self.registration.register, until=lambda: self.registration.state == status)

    def test_ours(self):
        for status, others in ((None, False), ("Pending", False), ("Rejected", False), ("Accepted", True)):
            self.setUp()
            self.stand(status)
            self.assertTrue(self.registration.allows("BootNotification"))
            for action in ("Heartbeat", "StatusNotification", "Authorize", "StartTransaction", "DataTransfer"):
                self.assertEqual(self.registration.allows(action), others, "%s, %s" % (status, action))

    def test_the_backends(self):
        for status, admitted in ((None, True), ("Pending", True), ("Rejected", False), ("Accepted", True)):
            self.setUp()
            self.stand(status)
            self.assertEqual(self.registration.admits(), admitted, str(status))


class HeartbeatTest(_Case, unittest.TestCase):
    def beat(self, count, *answers, **settings):
        for name, text in settings.items():
            self.settings.change(name, text)
        self.answers = list(answers)
        return self.run(self.registration.heartbeats, until=lambda: len(self.link.sent) >= count)

    def setUp(self):
        super().setUp()
        self.registration.state = "Accepted"
        self.clock.set(NOON)

    def test_at_its_interval(self):
        began = time.ticks_ms()
        self.beat(3, *[{"currentTime": TIME}] * 3, HeartbeatInterval="20")
        self.assertEqual(self.link.actions(), ["Heartbeat"] * 3)
        for wait in [time.ticks_diff(self.times[0], began) // 1000] + self.waits():
            self.assertTrue(20 <= wait <= 22, wait)

    def test_keeps_the_clock(self):
        self.beat(1, {"currentTime": "2026-11-22T14:00:00Z"}, HeartbeatInterval="5")
        self.assertTrue(NOON + 10800 <= self.clock.now() < NOON + 10810)

    def test_an_error_does_not_end_it(self):
        failure = self.beat(
            3,
            CallRefused("InternalError", "", {}),
            {"currentTime": "nonsense"},
            {"currentTime": TIME},
            HeartbeatInterval="5",
        )
        self.assertIsNone(failure)
        self.assertEqual(len(self.link.sent), 3)
        self.assertEqual(len(self.log.at("warning")), 2)

    def test_a_lost_connection_does(self):
        self.link.connected = False
        self.assertIsInstance(self.beat(1, HeartbeatInterval="5"), LinkError)

    def test_a_shorter_interval_works_at_once(self):
        self.settings.change("HeartbeatInterval", "3600")
        began = time.ticks_ms()

        def until():
            if time.ticks_diff(time.ticks_ms(), began) > 30_000:
                self.settings.change("HeartbeatInterval", "10")
            return len(self.link.sent) > 0

        self.answers = [{"currentTime": TIME}]
        self.run(self.registration.heartbeats, until)
        self.assertLess(time.ticks_diff(self.times[0], began), 40_000)
