"""What is done whenever the connection comes up, in which order, and what is asked of the backend."""

import asyncio
import time
import unittest

from charging_fakes import FakeLink, settle
from fakes import FakeLog
from station.ocpp.backend import Backend
from station.ocpp.calls import CallRefused, LinkError, NoAnswer, NotConnected
from station.ocpp.id_tags import IdTags


def conceal(parent):
    return parent.lower().encode() + b"\0"


class FakeRegistration:
    def __init__(self, notes):
        self.notes = notes
        self.accepted = True
        self.failures = []

    def allows(self, action):
        return action == "BootNotification" or self.accepted

    async def register(self):
        self.notes.append("register")
        await asyncio.sleep_ms(0)
        if self.failures:
            raise self.failures.pop(0)

    async def heartbeats(self):
        self.notes.append("heartbeats")
        await asyncio.Event().wait()


class FakeReporter:
    def __init__(self, notes):
        self.notes = notes
        self.failures = []
        self.gate = None

    def forget(self):
        self.notes.append("forget")

    async def catch_up(self):
        self.notes.append("catch up")
        if self.gate:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)

    async def run(self):
        self.notes.append("report")
        await asyncio.Event().wait()


class FakeOutbox:
    def __init__(self, notes):
        self.notes = notes
        self.failures = []

    async def run(self):
        self.notes.append("deliver")
        if self.failures:
            raise self.failures.pop(0)
        await asyncio.Event().wait()


class BackendTest(unittest.TestCase):
    def setUp(self):
        self.notes = []
        self.link = FakeLink()
        self.registration = FakeRegistration(self.notes)
        self.reporter = FakeReporter(self.notes)
        self.outbox = FakeOutbox(self.notes)
        self.backend = Backend(self.link, self.registration, self.reporter, self.outbox, IdTags(conceal), FakeLog())

    def play(self, *scenes):
        """Run the backend's tasks; each scene is called, then all may run as far as they can."""

        async def test():
            backend = self.backend
            tasks = [
                asyncio.create_task(work())
                for work in (backend.introduce, backend.heartbeats, backend.report, backend.deliver)
            ]
            for scene in scenes:
                scene()
                await settle(20)
                time.advance(2000)  # beyond every pause
                await settle(20)
            for task in tasks:
                task.cancel()
            await settle()

        asyncio.run(test())

    def test_nothing_without_a_connection(self):
        self.play(lambda: None)
        self.assertEqual(self.notes, [])
        self.assertFalse(self.backend.is_online)

    def test_the_order(self):
        self.play(self.link.up)
        self.assertEqual(self.notes[:3], ["register", "forget", "catch up"])
        self.assertEqual(sorted(self.notes[3:]), ["deliver", "heartbeats", "report"])
        self.assertTrue(self.backend.is_online)

    def test_not_online_before_the_statuses_are_told(self):
        self.reporter.gate = asyncio.Event()
        seen = []
        self.play(self.link.up, lambda: seen.append(self.backend.is_online), self.reporter.gate.set)
        self.assertEqual(seen, [False])
        self.assertTrue(self.backend.is_online)
        self.assertIn("deliver", self.notes)

    def test_what_is_allowed_until_then(self):
        for action in ("StartTransaction", "MeterValues", "StopTransaction"):
            self.assertFalse(self.link.allow(action))
        self.assertTrue(self.link.allow("StatusNotification"))
        self.play(self.link.up)
        self.assertTrue(self.link.allow("StartTransaction"))
        self.registration.accepted = False
        self.assertFalse(self.link.allow("StartTransaction"))
        self.assertFalse(self.link.allow("StatusNotification"))
        self.assertTrue(self.link.allow("BootNotification"))

    def test_again_with_each_connection_but_all_is_news_only_once(self):
        self.play(self.link.up, self.link.down, self.link.up)
        self.assertEqual(self.notes.count("register"), 2)
        self.assertEqual(self.notes.count("catch up"), 2)
        self.assertEqual(self.notes.count("forget"), 1)
        self.assertTrue(self.backend.is_online)

    def test_offline_at_once(self):
        self.play(self.link.up)
        self.link.down()
        self.assertFalse(self.backend.is_online)
        self.assertFalse(self.link.allow("StartTransaction"))

    def test_lost_while_it_registers(self):
        self.registration.failures = [NotConnected("lost")]

        def up_and_lost():
            self.link.up()
            self.link.down()

        self.play(up_and_lost, self.link.up)
        self.assertTrue(self.backend.is_online)

    def test_lost_and_back_while_statuses_are_told(self):
        self.reporter.gate = asyncio.Event()

        def lost_and_back():
            self.link.down()
            self.link.up()
            self.reporter.failures = [NotConnected("lost")]
            self.reporter.gate.set()

        self.play(self.link.up, lost_and_back)
        self.assertTrue(self.backend.is_online)
        self.assertEqual(self.notes.count("catch up"), 2)
        self.assertEqual(self.notes.count("deliver"), 1)

    def test_a_failure_on_a_connection_that_stands_is_tried_again(self):
        self.reporter.failures = [CallRefused("InternalError", "", {})]
        self.play(self.link.up, lambda: None)
        self.assertTrue(self.backend.is_online)

    def test_delivery_goes_on_after_an_interruption(self):
        self.outbox.failures = [NotConnected("16 calls are waiting already")]
        self.play(self.link.up, lambda: None)
        self.assertEqual(self.notes.count("deliver"), 2)

    def test_delivery_waits_for_the_next_connection(self):
        self.outbox.failures = [NotConnected("lost")]
        self.play(self.link.up, self.link.down, lambda: None)
        before = self.notes.count("deliver")
        self.play(self.link.down, self.link.up)
        self.assertEqual(self.notes.count("deliver"), before + 1)

    # --- questions

    def ask(self, work):
        self.link.connected = True
        return asyncio.run(work)

    def test_authorize(self):
        self.link.answers = lambda action, payload: {"idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP"}}
        info = self.ask(self.backend.authorize("CARD1"))
        self.assertEqual((info.status, info.parent_id_tag), ("Accepted", "67726f757000"))
        self.assertEqual(self.link.sent, [("Authorize", {"idTag": "CARD1"}, None)])

    def test_no_opinion(self):
        for failure in (CallRefused("InternalError", "", {}), NoAnswer("no answer"), NotConnected("lost")):
            self.link.answers = lambda action, payload: failure  # noqa: B023
            self.assertIsNone(self.ask(self.backend.authorize("CARD1")))

    def test_data_transfer(self):
        self.link.answers = lambda action, payload: {"status": "Accepted", "data": "x"}
        answer = self.ask(self.backend.data_transfer("org.example"))
        self.assertEqual(answer, {"status": "Accepted", "data": "x"})
        self.ask(self.backend.data_transfer("org.example", "Ping", ""))
        self.assertEqual(
            self.link.payloads("DataTransfer"),
            [{"vendorId": "org.example"}, {"vendorId": "org.example", "messageId": "Ping", "data": ""}],
        )
        self.link.answers = lambda action, payload: NoAnswer("no answer")
        with self.assertRaises(LinkError):
            self.ask(self.backend.data_transfer("org.example"))
