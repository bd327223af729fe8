"""A CALL larger than memory on its way: items to the sink, one answer in its turn, and an end whatever happens."""

import asyncio
import json
import unittest

from fakes import FakeLog
from station.ocpp import framer
from station.ocpp.dispatch import CallError, Dispatcher
from station.ocpp.incoming import MAX_WAITING, Incoming

GOOD = {"idTag": "A", "idTagInfo": {"status": "Accepted"}}
LIMIT = 4096


async def settle(count=20):
    """Let every task run as far as it can."""
    for _ in range(count):
        await asyncio.sleep_ms(0)


def message(*items, unique_id="1", version=7, **more):
    payload = {"listVersion": version, "updateType": "Full"}
    payload.update(more)
    text = framer.call(unique_id, "SendLocalList", payload)
    return text[:-2] + b',"localAuthorizationList":[' + b",".join(json.dumps(item).encode() for item in items) + b"]}]"


class Sink:
    """Notes what it is told; `gate` holds it up, `raises` is raised by what it names."""

    def __init__(self, test):
        self.told = test.told
        self.gate = test.gate
        self.raises = test.raises

    def tell(self, what):
        self.told.append(what)
        if self.raises and self.raises[0] == what:
            raise self.raises[1]

    async def element(self, item):
        self.told.append("begin")
        await self.gate.wait()
        self.told.pop()
        self.tell(item["idTag"])

    async def finish(self, payload):
        self.told.append("finish")
        await self.gate.wait()
        self.tell(payload)
        return {"status": "Accepted"}

    def abort(self):
        self.tell("abort")


class StreamedCallTest(unittest.TestCase):
    def setUp(self):
        self.told = []
        self.raises = None
        self.sent = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.log = FakeLog()
        self.dispatcher = Dispatcher(self.log)
        self.dispatcher.add({"Reset": lambda payload: {"status": "Accepted"}})
        self.dispatcher.add_streams({"SendLocalList": self.open})
        self.incoming = Incoming(self.log, self.dispatcher.serve, self.dispatcher.stream)

    def open(self):
        if self.raises and self.raises[0] == "open":
            raise self.raises[1]
        self.told.append("open")
        return Sink(self)

    def run_test(self, test):
        async def run():
            server = asyncio.create_task(self.incoming.run())
            self.up()
            try:
                await test()
            finally:
                server.cancel()

        asyncio.run(asyncio.wait_for(run(), 20))

    def up(self):
        async def drained():
            pass

        self.incoming.up(lambda data: self.sent.append(json.loads(data)), drained, LIMIT)

    async def take(self, text, size=50):
        for at in range(0, len(text), size):
            await self.incoming.take_piece(text[at : at + size], at + size >= len(text))

    def answers_to(self, text, raises=None):
        """What is sent for a message that comes whole."""
        self.raises = raises

        async def test():
            await self.take(text)
            await settle()

        self.run_test(test)
        self.assertFalse(self.incoming.in_the_middle)
        return self.sent

    def assert_refused(self, sent, code, text=""):
        """One CALLERROR; the sink was told to forget, once."""
        self.assertEqual([frame[:3] for frame in sent], [[4, "1", code]])
        self.assertIn(text, sent[0][3])
        self.assertEqual(self.told.count("abort"), self.told.count("open"))
        self.assertFalse("finish" in self.told)

    def test_the_items_then_the_rest_then_the_answer(self):
        sent = self.answers_to(message(GOOD, {"idTag": "B"}))
        self.assertEqual(sent, [[3, "1", {"status": "Accepted"}]])
        self.assertEqual(self.told, ["open", "A", "B", "finish", {"listVersion": 7, "updateType": "Full"}])

    def test_without_a_list(self):
        sent = self.answers_to(framer.call("1", "SendLocalList", {"listVersion": 7, "updateType": "Full"}))
        self.assertEqual(sent, [[3, "1", {"status": "Accepted"}]])
        self.assertEqual(self.told, ["open", "finish", {"listVersion": 7, "updateType": "Full"}])

    def test_the_receiver_waits_for_the_sink(self):
        async def test():
            self.gate.clear()
            task = asyncio.create_task(self.take(message(GOOD, GOOD)))
            await settle()
            self.assertEqual(self.told, ["open", "begin"])
            self.gate.set()
            await task

        self.run_test(test)

    def test_a_wrong_item(self):
        sent = self.answers_to(message(GOOD, {"idTag": "x" * 21}, {"idTag": 5}))
        self.assert_refused(sent, "PropertyConstraintViolation", "localAuthorizationList[1].idTag: ")
        self.assertEqual(self.told, ["open", "A", "abort"])

    def test_an_item_that_is_no_object(self):
        self.assert_refused(self.answers_to(message(None)), "TypeConstraintViolation", "localAuthorizationList[0]: ")

    def test_a_wrong_property_comes_before_a_wrong_item_an_unknown_one_after_it(self):
        sent = self.answers_to(message({"idTag": 5}, version="7"))
        self.assert_refused(sent, "TypeConstraintViolation", "listVersion")

    def test_an_unknown_property_comes_after_a_wrong_item(self):
        sent = self.answers_to(message({"idTag": 5}, more=1))
        self.assert_refused(sent, "TypeConstraintViolation", "localAuthorizationList[0].idTag")

    def test_an_unknown_property(self):
        self.assert_refused(self.answers_to(message(GOOD, more=1)), "FormationViolation", "more")

    def test_broken_json_comes_before_a_wrong_item(self):
        text = message({"idTag": 5}, GOOD)[:-3] + b",}]}]"
        self.assert_refused(self.answers_to(text), "FormationViolation", "localAuthorizationList[2]: no JSON")

    def test_broken_off(self):
        self.assert_refused(self.answers_to(message(GOOD)[:-2]), "FormationViolation")

    def test_a_sink_that_cannot_take_an_item(self):
        sent = self.answers_to(message(GOOD, {"idTag": "B"}), ("A", CallError("GenericError", "full")))
        self.assert_refused(sent, "GenericError", "full")
        self.assertEqual(self.told, ["open", "A", "abort"])

    def test_a_sink_that_fails(self):
        self.assert_refused(self.answers_to(message(GOOD), ("A", OSError(5))), "InternalError")
        self.assertIn("OSError", self.log.at("error")[0])

    def test_a_wrong_item_behind_a_failure_is_what_is_told(self):
        sent = self.answers_to(message(GOOD, {"idTag": 5}), ("A", OSError(5)))
        self.assert_refused(sent, "TypeConstraintViolation", "localAuthorizationList[1].idTag")

    def test_a_sink_that_cannot_be_opened(self):
        sent = self.answers_to(message(GOOD), ("open", CallError("GenericError", "one at a time")))
        self.assert_refused(sent, "GenericError", "one at a time")
        self.assertEqual(self.told, [])

    def test_a_sink_that_cannot_finish_is_told_nothing_more(self):
        rest = {"listVersion": 7, "updateType": "Full"}
        sent = self.answers_to(message(GOOD), (rest, CallError("GenericError", "no")))
        self.assertEqual(sent[0][:3], [4, "1", "GenericError"])
        self.assertEqual(self.told, ["open", "A", "finish", rest])

    def test_a_backend_that_has_rejected_us(self):
        self.dispatcher.admit = lambda: False
        self.assertEqual(self.answers_to(message(GOOD)), [])
        self.assertEqual(self.told, [])

    def test_its_place_in_the_line_is_that_of_its_first_piece(self):
        async def test():
            text = message(GOOD)
            reset = framer.call("reset", "Reset", {"type": "Soft"})
            self.incoming.add(reset)
            await self.incoming.take_piece(text[:60], False)
            await settle()
            self.assertEqual([frame[1] for frame in self.sent], ["reset"])
            self.assertTrue(self.incoming.in_the_middle)
            await self.incoming.take_piece(text[60:], True)
            self.incoming.add(reset)
            await settle()
            self.assertEqual([frame[1] for frame in self.sent], ["reset", "1", "reset"])

        self.run_test(test)

    def test_one_finishes_while_the_next_one_comes(self):
        async def test():
            await self.take(message(GOOD))
            self.gate.clear()
            await settle()
            self.assertEqual(self.told, ["open", "A", "finish"])
            task = asyncio.create_task(self.take(message({"idTag": "B"}, unique_id="2")))
            await settle()
            self.assertEqual(self.told[3:], ["open", "begin"])
            self.gate.set()
            await task
            await settle()
            self.assertEqual([frame[1] for frame in self.sent], ["1", "2"])

        self.run_test(test)

    def test_a_full_line_turns_it_away_at_once(self):
        async def test():
            for i in range(MAX_WAITING):
                self.incoming.add(framer.call("id%d" % i, "Reset", {"type": "Soft"}))
            text = message(GOOD)
            await self.incoming.take_piece(text[:60], False)
            self.assertEqual([frame[:3] for frame in self.sent], [[4, "1", "GenericError"]])
            await self.incoming.take_piece(text[60:], True)
            self.assertEqual(self.told, [])
            await settle(400)
            self.assertEqual(len(self.sent), 1 + MAX_WAITING)
            await self.take(message(GOOD, unique_id="2"))
            await settle()
            self.assertEqual(self.sent[-1], [3, "2", {"status": "Accepted"}])

        self.run_test(test)

    def test_a_connection_lost_in_the_middle(self):
        async def test():
            await self.incoming.take_piece(message(GOOD, GOOD)[:-10], False)
            await settle()
            self.incoming.down()
            self.assertEqual(self.told, ["open", "A", "abort"])
            self.assertFalse(self.incoming.in_the_middle)
            self.up()
            await self.take(message({"idTag": "B"}, unique_id="2"))
            await settle()
            self.assertEqual(self.sent, [[3, "2", {"status": "Accepted"}]])

        self.run_test(test)

    def test_a_connection_lost_while_it_waits_for_its_turn(self):
        async def test():
            for unique_id in ("1", "2"):
                await self.take(message(GOOD, unique_id=unique_id))
            self.gate.clear()
            await settle()
            self.incoming.down()
            self.assertEqual(self.told[4:], ["finish", "abort"])  # the first is at work, the second was not begun
            self.gate.set()
            await settle()
            self.assertEqual(self.told[6:], [{"listVersion": 7, "updateType": "Full"}])
            self.assertEqual(self.sent, [])

        self.run_test(test)

    def test_lost_while_the_sink_is_at_work_it_is_not_told_before_it_is_back(self):
        self.lose_while_at_work(lambda task: self.gate.set(), "A")

    def test_lost_and_cancelled_while_the_sink_is_at_work(self):
        self.lose_while_at_work(lambda task: task.cancel(), "begin")

    def lose_while_at_work(self, go_on, last_word):
        async def test():
            self.gate.clear()
            task = asyncio.create_task(self.take(message(GOOD, {"idTag": "B"})))
            await settle()
            self.incoming.down()
            self.assertEqual(self.told, ["open", "begin"])
            go_on(task)
            await settle()
            self.assertEqual(self.told, ["open", last_word, "abort"])
            self.assertEqual(self.sent, [])

        self.run_test(test)

    def test_a_server_that_ends_leaves_no_sink_waiting(self):
        async def test():
            server = asyncio.create_task(self.incoming.run())
            self.up()
            await self.incoming.take_piece(message(GOOD, GOOD)[:-20], False)
            await settle()
            server.cancel()
            await settle()
            self.assertEqual(self.told[-1], "abort")

        asyncio.run(test())

    def test_cancelled_in_the_middle_of_a_piece(self):
        async def test():
            self.gate.clear()
            task = asyncio.create_task(self.take(message(GOOD, GOOD), 1000))
            await settle()
            task.cancel()
            await settle()
            self.assertEqual(self.told, ["open", "begin", "abort"])
            self.incoming.down()
            await settle()
            self.assertEqual(self.told, ["open", "begin", "abort"])

        self.run_test(test)

    def test_which_calls_come_in_pieces(self):
        self.assertIsNone(self.incoming.in_pieces(b'[2,"1","Send'))
        self.assertTrue(self.incoming.in_pieces(b'[2,"1","SendLocalList"'))
        self.assertIs(self.incoming.in_pieces(b'[2,"1","Reset"'), False)
        self.assertIs(self.incoming.in_pieces(b'[3,"1",{'), False)
        self.assertIs(Incoming(self.log, self.dispatcher.serve).in_pieces(b'[2,"1","SendLocalList"'), False)

    def test_one_whose_head_is_too_long_is_refused(self):
        """It came whole, as ordinary ones do: there is no second way to the list."""

        async def test():
            text = b" " * 1000 + message(GOOD)
            self.assertIs(self.incoming.in_pieces(text), False)
            self.incoming.add(text)
            await settle()
            self.assert_refused(self.sent, "FormationViolation", "512 bytes")

        self.run_test(test)
