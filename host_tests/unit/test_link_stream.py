"""A CALL larger than memory, over a link: what it holds up and what not, and how it ends with its connection."""

import asyncio
import json
import time
import unittest

from fakes import FakeLog
from loopback import Backend, Settings
from station.ocpp import framer
from station.ocpp.dispatch import Dispatcher
from station.ocpp.link import Link, NoAnswer

PING = 9
PONG = 10
CLOSE = 8
HEARTBEAT = {"currentTime": "2026-11-22T11:00:00Z"}
LIST = b'[2,"list","SendLocalList",{"listVersion":1,"updateType":"Full","localAuthorizationList":['
CARD = b'{"idTag":"%s"}'


async def settle(count=20):
    """Let every task run as far as it can."""
    for _ in range(count):
        await asyncio.sleep_ms(0)


class Sink:
    """Takes cards while its `gate` is open, and tells the test what it is told."""

    def __init__(self, tell):
        self.tell = tell
        self.gate = asyncio.Event()
        self.gate.set()
        self.cards = []

    async def element(self, item):
        await self.gate.wait()
        self.cards.append(item["idTag"])
        self.tell("card")

    async def finish(self, payload):
        self.tell("finish")
        return {"status": "Accepted"}

    def abort(self):
        self.tell("abort")


class StreamTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.backend = Backend()
        self.settings = Settings()  # messages of at most 4096 bytes, but for this one
        self.told = []
        self.told_event = asyncio.Event()
        self.sink = Sink(self.tell)
        self.dispatcher = Dispatcher(self.log)
        self.dispatcher.add_streams({"SendLocalList": lambda: self.sink})
        self.dispatcher.add({"Reset": lambda payload: {"status": "Accepted"}})

    def tearDown(self):
        self.backend.close()

    def run_test(self, test):
        asyncio.run(test())  # no limit of its own: these tests move the clock

    def tell(self, what):
        self.told.append(what)
        self.told_event.set()

    async def until_told(self, what):
        while what not in self.told:
            self.told_event.clear()
            await self.told_event.wait()

    async def begin(self, **more):
        """A link that is up, and the beginning of the list."""
        serve, stream = self.dispatcher.serve, self.dispatcher.stream
        self.link = Link(self.settings, self.log, url=self.backend.url, serve=serve, stream=stream, **more)
        self.task = asyncio.create_task(self.link.run())
        await self.begin_again()

    async def begin_again(self):
        self.peer = await self.backend.accept()
        await self.peer.shake_hands()
        await self.peer.send(LIST, 1, fin=0)

    async def fragment(self, text):
        await self.peer.send(text, 0, fin=0)

    async def end(self):
        await self.peer.send(b"]}]", 0)

    async def answer(self):
        return json.loads(await self.peer.text())

    def test_larger_than_any_message_may_be(self):
        async def test():
            traced = []
            await self.begin(trace=lambda direction, data: traced.append(bytes(data)))
            await self.fragment(b",".join([CARD % b"%08d" % i for i in range(400)]))
            await self.peer.send(b"still there?", PING)
            self.assertEqual(await self.peer.frame(), (PONG, b"still there?"))
            await self.end()
            await self.peer.send(b'[2,"after","Reset",{"type":"Soft"}]')
            self.assertEqual(await self.answer(), [3, "list", {"status": "Accepted"}])
            self.assertEqual(await self.answer(), [3, "after", {"status": "Accepted"}])
            self.assertEqual(self.sink.cards, ["%08d" % i for i in range(400)])
            self.assertEqual(traced[0], LIST + b"]}]")
            self.task.cancel()

        self.run_test(test)

    def test_others_keep_their_limit(self):
        async def test():
            await self.begin()
            await self.end()
            await self.answer()
            await self.peer.send(b'[2,"1","DataTransfer",{"vendorId":"' + b"x" * 5000)
            opcode, payload = await self.peer.frame()
            self.assertEqual((opcode, payload[:2]), (CLOSE, b"\x03\xf1"))
            self.task.cancel()

        self.run_test(test)

    def test_lost_in_the_middle(self):
        async def test():
            await self.begin()
            await self.fragment(CARD % b"A" + b",")
            await self.until_told("card")
            self.peer.close()
            await self.until_told("abort")
            self.assertNotIn("finish", self.told)
            self.task.cancel()

        self.run_test(test)

    def test_held_in_the_middle_while_the_sink_is_at_work(self):
        async def test():
            await self.begin()
            self.sink.gate.clear()
            await self.fragment(CARD % b"A" + b",")
            await settle()
            self.link.hold()
            self.assertNotIn("abort", self.told)
            self.sink.gate.set()
            await self.until_told("abort")
            await self.fragment(CARD % b"B" + b",")
            opcode, payload = await self.peer.frame()
            self.assertEqual(opcode, CLOSE)
            await self.peer.send(payload, CLOSE)
            self.peer.close()
            await self.link.close()
            self.assertEqual(self.sink.cards, ["A"])
            self.link.release()
            await self.begin_again()
            await self.end()
            self.assertEqual((await self.answer())[0], 3)
            self.task.cancel()

        self.run_test(test)

    def test_a_sink_that_takes_its_time_is_not_the_backends_silence(self):
        """Neither for the pings nor for a call of ours, whose answer comes behind the list."""

        async def test():
            self.settings["WebSocketPingInterval"] = 1
            await self.begin()
            call = asyncio.create_task(self.link.call("Heartbeat", {}))
            frame = await self.answer()
            self.sink.gate.clear()
            await self.fragment(CARD % b"A" + b",")
            await settle()
            for _ in range(100):
                time.advance(1000)
                await settle()
            self.assertTrue(self.link.connected)
            self.assertFalse(call.done())
            self.sink.gate.set()
            await self.until_told("card")
            await self.fragment(CARD % b"B")
            await self.end()
            await self.peer.send(framer.result(frame[1], HEARTBEAT))
            self.assertEqual(await call, HEARTBEAT)
            self.assertEqual(await self.answer(), [3, "list", {"status": "Accepted"}])
            self.task.cancel()

        self.run_test(test)

    def test_a_call_waits_for_a_list_that_comes_and_no_longer_than_it_comes(self):
        async def test():
            await self.begin()
            call = asyncio.create_task(self.link.call("Heartbeat", {}))
            await self.answer()
            for _ in range(3):
                self.told.clear()
                await self.fragment(CARD % b"A" + b",")
                await self.until_told("card")
                time.advance(30_000)
                await settle()
                self.assertFalse(call.done())
            time.advance(30_000)
            with self.assertRaises(NoAnswer):
                await call
            await self.until_told("abort")
            self.assertFalse(self.link.connected)
            self.assertIn("silent backend", "".join(self.log.at("info")))
            self.task.cancel()

        self.run_test(test)
