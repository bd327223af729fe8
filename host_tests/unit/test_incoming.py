"""The backend's CALLs: each is answered, in the order in which they came."""

import asyncio
import json
import unittest

from fakes import FakeLog
from station.ocpp import framer
from station.ocpp.incoming import MAX_WAITING, Incoming

LIMIT = 4096


async def settle(count=20):
    """Let every task run as far as it can."""
    for _ in range(count):
        await asyncio.sleep_ms(0)


def call(number, size=0):
    return framer.call("id%d" % number, "DataTransfer", {"vendorId": "x" * size})


class IncomingTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.served = []
        self.sent = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.taken = asyncio.Event()
        self.taken.set()
        self.incoming = Incoming(self.log, self.serve)

    async def serve(self, frame):
        if isinstance(frame, framer.FrameError):
            return framer.error(frame.unique_id, frame.code, frame.description) if frame.unique_id else None
        self.served.append(frame[1])
        await self.gate.wait()
        if frame[3]["vendorId"] == "fail":
            raise ValueError("no such thing")
        if frame[3]["vendorId"] == "silent":
            return None
        return framer.result(frame[1], {"status": "Accepted"})

    def up(self):
        self.incoming.up(lambda data: self.sent.append(json.loads(data)), self.taken.wait, LIMIT)

    def run_with_server(self, test):
        async def run():
            server = asyncio.create_task(self.incoming.run())
            self.up()
            try:
                await test()
            finally:
                server.cancel()

        asyncio.run(run())

    def test_a_burst_is_answered_in_order(self):
        async def test():
            for i in range(50):
                self.incoming.add(call(i))
            await settle(200)
            self.assertEqual([frame[:2] for frame in self.sent], [[3, "id%d" % i] for i in range(50)])

        self.run_with_server(test)

    def test_others_run_between_two_of_a_burst(self):
        async def test():
            turns = []

            async def other():
                while len(self.served) < 20:
                    turns.append(len(self.served))
                    await asyncio.sleep_ms(0)

            task = asyncio.create_task(other())
            for i in range(20):
                self.incoming.add(call(i))
            await task
            self.assertGreater(len(set(turns)), 10)

        self.run_with_server(test)

    def test_the_next_one_is_not_begun_before_the_answer_is_out(self):
        async def test():
            self.taken.clear()
            self.incoming.add(call(1))
            self.incoming.add(call(2))
            await settle()
            self.assertEqual(self.served, ["id1"])
            self.taken.set()
            await settle()
            self.assertEqual(self.served, ["id1", "id2"])

        self.run_with_server(test)

    def test_a_handler_that_fails_is_an_internal_error_and_not_the_end(self):
        async def test():
            self.incoming.add(framer.call("a", "DataTransfer", {"vendorId": "fail"}))
            self.incoming.add(call(1))
            await settle()
            self.assertEqual(self.sent[0][:3], [4, "a", "InternalError"])
            self.assertEqual(self.sent[1][:2], [3, "id1"])
            self.assertIn("no such thing", self.log.at("error")[0])

        self.run_with_server(test)

    def test_a_call_without_an_answer(self):
        async def test():
            self.incoming.add(framer.call("a", "DataTransfer", {"vendorId": "silent"}))
            self.incoming.add(call(1))
            await settle()
            self.assertEqual([frame[1] for frame in self.sent], ["id1"])

        self.run_with_server(test)

    def test_a_malformed_call_is_handed_on_as_what_it_is(self):
        async def test():
            self.incoming.add(b'[2,"broken","Reset"]')
            await settle()
            self.assertEqual(self.sent[0][:3], [4, "broken", "FormationViolation"])

        self.run_with_server(test)

    def test_too_many_are_turned_away_and_the_others_still_answered(self):
        async def test():
            self.gate.clear()
            self.incoming.add(call(0))
            await settle()  # it is being served
            for i in range(1, MAX_WAITING + 3):
                self.incoming.add(call(i))
            turned_away = [[4, "id%d" % i, "GenericError"] for i in (MAX_WAITING + 1, MAX_WAITING + 2)]
            self.assertEqual([frame[:3] for frame in self.sent], turned_away)
            self.gate.set()
            await settle(400)
            self.assertEqual([frame[1] for frame in self.sent[2:]], ["id%d" % i for i in range(MAX_WAITING + 1)])

        self.run_with_server(test)

    def test_too_many_bytes_are_turned_away_but_never_a_single_one(self):
        async def test():
            self.gate.clear()
            self.incoming.add(call(0, size=2 * LIMIT))
            await settle()
            self.assertEqual(self.served, ["id0"])
            self.incoming.add(call(1, size=LIMIT))
            self.incoming.add(call(2))
            self.assertEqual([frame[1] for frame in self.sent], ["id2"])
            self.gate.set()
            await settle()
            self.incoming.add(call(3, size=LIMIT // 2))  # the room is free again
            await settle()
            self.assertEqual([frame[1] for frame in self.sent], ["id2", "id0", "id1", "id3"])

        self.run_with_server(test)

    def test_a_lost_connection_drops_what_waits_and_the_answer_but_not_the_handler(self):
        async def test():
            self.gate.clear()
            self.incoming.add(call(0))
            self.incoming.add(call(1))
            await settle()
            self.incoming.down()
            self.up()
            self.incoming.add(call(2))
            await settle()
            self.assertEqual(self.served, ["id0"])  # two handlers never run at once
            self.gate.set()
            await settle()
            self.assertEqual(self.served, ["id0", "id2"])
            self.assertEqual([frame[1] for frame in self.sent], ["id2"])

        self.run_with_server(test)
