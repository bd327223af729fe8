"""Our own CALLs: one at a time, in order, and each with exactly one ending."""

import asyncio
import json
import time
import unittest

from fakes import FakeLog
from station.ocpp.calls import MAX_CALLS, CallRefused, Calls, NoAnswer, NotConnected

HEARTBEAT = {"currentTime": "2026-11-22T11:00:00Z"}


async def settle():
    """Let every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep_ms(0)


class Attempt:
    """One call made in a task of its own; keeps how it ended."""

    def __init__(self, calls, action="Heartbeat", payload=None, **more):
        self.ending = None
        self.task = asyncio.create_task(self._run(calls, action, payload or {}, more))

    async def _run(self, calls, action, payload, more):
        try:
            self.ending = await calls.call(action, payload, **more)
        except Exception as error:
            self.ending = error


class CallsTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.settings = {"MessageTimeout": 30}
        self.calls = Calls(self.settings, self.log, bytes)
        self.sent = []  # the frames, parsed

    def up(self):
        self.calls.up(lambda data: self.sent.append(json.loads(data)))

    def answer(self, frame, payload=HEARTBEAT):
        return self.calls.take((3, frame[1], payload))

    def test_the_payload_of_the_answer_comes_back(self):
        async def test():
            self.up()
            one = Attempt(self.calls)
            await settle()
            self.assertEqual([frame[0] for frame in self.sent], [2])
            self.assertEqual(self.sent[0][2:], ["Heartbeat", {}])
            self.assertTrue(self.answer(self.sent[0]))
            await settle()
            self.assertEqual(one.ending, HEARTBEAT)

        asyncio.run(test())

    def test_the_second_waits_for_the_answer_to_the_first_and_order_is_kept(self):
        async def test():
            self.up()
            all_of_them = [Attempt(self.calls, unique_id="id%d" % i) for i in range(5)]
            for i in range(5):
                await settle()
                self.assertEqual([frame[1] for frame in self.sent], ["id%d" % n for n in range(i + 1)])
                self.answer(self.sent[-1])
            await settle()
            self.assertEqual([one.ending for one in all_of_them], [HEARTBEAT] * 5)

        asyncio.run(test())

    def test_ids_are_short_and_never_repeat(self):
        async def test():
            self.up()
            for _ in range(40):
                one = Attempt(self.calls)
                await settle()
                self.answer(self.sent[-1])
                await one.task
            ids = [frame[1] for frame in self.sent]
            self.assertEqual(len(set(ids)), 40)
            self.assertTrue(max(len(one) for one in ids) <= 36)

        asyncio.run(test())

    def test_an_id_that_is_too_long_is_the_callers_mistake(self):
        async def test():
            self.up()
            one = Attempt(self.calls, unique_id="x" * 37)
            await settle()
            self.assertIsInstance(one.ending, ValueError)
            self.assertEqual(self.sent, [])

        asyncio.run(test())

    def test_an_error_of_the_backend_keeps_its_three_parts(self):
        async def test():
            self.up()
            one = Attempt(self.calls)
            await settle()
            self.calls.take((4, self.sent[0][1], "SecurityError", "go away", {"why": 1}))
            await settle()
            self.assertIsInstance(one.ending, CallRefused)
            parts = one.ending.code, one.ending.description, one.ending.details
            self.assertEqual(parts, ("SecurityError", "go away", {"why": 1}))

        asyncio.run(test())

    def test_answers_to_other_ids_do_not_disturb_the_call_in_flight(self):
        async def test():
            self.assertFalse(self.calls.take((3, "nobody", HEARTBEAT)))
            self.up()
            one = Attempt(self.calls)
            two = Attempt(self.calls, unique_id="waiting")
            await settle()
            self.assertFalse(self.calls.take((3, "unknown", HEARTBEAT)))
            self.assertFalse(self.calls.take((4, "unknown", "GenericError", "", {})))
            self.assertFalse(self.calls.take((3, "waiting", HEARTBEAT)))  # it has not been sent yet
            self.assertFalse(self.calls.spoil("unknown", "nonsense"))
            await settle()
            self.assertIsNone(one.ending)
            self.assertIsNone(two.ending)
            self.assertTrue(self.answer(self.sent[0]))
            self.assertFalse(self.answer(self.sent[0]))  # twice
            await settle()
            self.assertEqual(one.ending, HEARTBEAT)
            self.assertIsNone(two.ending)
            two.task.cancel()

        asyncio.run(test())

    def test_no_answer_in_time_and_the_next_one_goes(self):
        async def test():
            self.up()
            self.settings["MessageTimeout"] = 0
            one = Attempt(self.calls)
            await one.task
            self.assertIsInstance(one.ending, NoAnswer)
            self.assertFalse(self.answer(self.sent[0]))  # too late
            self.settings["MessageTimeout"] = 30
            two = Attempt(self.calls)
            await settle()
            self.answer(self.sent[1])
            await settle()
            self.assertEqual(two.ending, HEARTBEAT)

        asyncio.run(test())

    def test_as_long_as_patience_lasts(self):
        """An answer that cannot come yet is not missed: not after one MessageTimeout, nor after the next."""

        async def test():
            asked = []

            def patient():
                asked.append(len(asked))
                return len(asked) < 3

            self.calls.patient = patient
            self.up()
            one = Attempt(self.calls)
            two = Attempt(self.calls)
            await settle()
            for granted in (1, 2):
                time.advance(30_000)
                await settle()
                self.assertEqual(len(asked), granted)
                self.assertIsNone(one.ending)
            time.advance(29_000)
            await settle()
            self.answer(self.sent[0])
            await settle()
            self.assertEqual(one.ending, HEARTBEAT)
            self.assertEqual(len(asked), 2)
            time.advance(30_000)
            await settle()
            self.assertIsInstance(two.ending, NoAnswer)

        asyncio.run(test())

    def test_extra_properties_pass_and_missing_ones_make_it_no_answer(self):
        async def test():
            self.up()
            one = Attempt(self.calls)
            await settle()
            self.answer(self.sent[0], {"currentTime": "2026-11-22T11:00:00Z", "extra": 1})
            await settle()
            self.assertEqual(one.ending["extra"], 1)
            two = Attempt(self.calls)
            await settle()
            self.answer(self.sent[1], {"extra": 1})
            await settle()
            self.assertIsInstance(two.ending, NoAnswer)
            self.assertIn("currentTime", str(two.ending))
            self.assertEqual(len(self.log.at("warning")), 1)

        asyncio.run(test())

    def test_an_answer_that_is_no_frame_ends_the_call_at_once(self):
        async def test():
            self.up()
            one = Attempt(self.calls)
            await settle()
            self.assertTrue(self.calls.spoil(self.sent[0][1], "the payload is an object"))
            await settle()
            self.assertIsInstance(one.ending, NoAnswer)
            self.assertIn("the payload is an object", str(one.ending))

        asyncio.run(test())

    def test_offline_nothing_waits(self):
        async def test():
            one = Attempt(self.calls)
            await settle()
            self.assertIsInstance(one.ending, NotConnected)
            self.assertFalse(one.ending.sent)

        asyncio.run(test())

    def test_a_lost_connection_ends_all_calls_and_tells_which_one_was_sent(self):
        async def test():
            self.up()
            all_of_them = [Attempt(self.calls) for _ in range(3)]
            await settle()
            self.calls.down("cable cut")
            await settle()
            for one in all_of_them:
                self.assertIsInstance(one.ending, NotConnected)
                self.assertIn("cable cut", str(one.ending))
            self.assertEqual([one.ending.sent for one in all_of_them], [True, False, False])
            self.assertEqual(len(self.sent), 1)

        asyncio.run(test())

    def test_calls_of_the_old_connection_do_not_go_out_on_the_next(self):
        async def test():
            self.up()
            old = [Attempt(self.calls) for _ in range(3)]
            await settle()
            self.calls.down("lost")
            self.up()  # before any of the old ones could run
            new = Attempt(self.calls, unique_id="new")
            await settle()
            self.assertEqual([isinstance(one.ending, NotConnected) for one in old], [True] * 3)
            self.assertEqual([frame[1] for frame in self.sent[1:]], ["new"])
            self.answer(self.sent[-1])
            await settle()
            self.assertEqual(new.ending, HEARTBEAT)

        asyncio.run(test())

    def test_an_answer_that_came_before_the_loss_counts(self):
        async def test():
            self.up()
            one = Attempt(self.calls)
            await settle()
            self.answer(self.sent[0])
            self.calls.down("lost")
            await settle()
            self.assertEqual(one.ending, HEARTBEAT)

        asyncio.run(test())

    def test_the_gate_is_asked_again_when_the_turn_comes(self):
        async def test():
            self.up()
            allowed = ["Heartbeat", "Authorize"]
            self.calls.allow = lambda action: action in allowed
            refused = Attempt(self.calls, "MeterValues")
            first = Attempt(self.calls)
            second = Attempt(self.calls, "Authorize", {"idTag": "1"})
            third = Attempt(self.calls)
            await settle()
            self.assertIsInstance(refused.ending, NotConnected)
            allowed.remove("Authorize")
            self.answer(self.sent[0])
            await settle()
            self.assertEqual(first.ending, HEARTBEAT)
            self.assertIsInstance(second.ending, NotConnected)
            self.assertEqual([frame[2] for frame in self.sent], ["Heartbeat", "Heartbeat"])
            self.answer(self.sent[1])
            await settle()
            self.assertEqual(third.ending, HEARTBEAT)

        asyncio.run(test())

    def test_the_number_of_waiting_calls_is_bounded(self):
        async def test():
            self.up()
            kept = [Attempt(self.calls) for _ in range(MAX_CALLS)]
            await settle()
            more = Attempt(self.calls)
            await settle()
            self.assertIsInstance(more.ending, NotConnected)
            for _ in kept:
                self.answer(self.sent[-1])
                await settle()
            self.assertEqual([one.ending for one in kept], [HEARTBEAT] * MAX_CALLS)

        asyncio.run(test())

    def test_a_cancelled_caller_leaves_its_place(self):
        async def test():
            self.up()
            first, second, third = [Attempt(self.calls, unique_id=one) for one in ("a", "b", "c")]
            await settle()
            second.task.cancel()  # it waits
            await settle()
            first.task.cancel()  # it is in flight
            await settle()
            self.assertEqual([frame[1] for frame in self.sent], ["a", "c"])
            self.assertFalse(self.answer(self.sent[0]))
            self.answer(self.sent[1])
            await settle()
            self.assertEqual(third.ending, HEARTBEAT)

        asyncio.run(test())

    def test_a_payload_that_is_no_json_is_the_callers_mistake_and_frees_the_lane(self):
        async def test():
            self.up()
            bad = Attempt(self.calls, "DataTransfer", {"data": self})
            good = Attempt(self.calls)
            await settle()
            self.answer(self.sent[-1])
            await settle()
            self.assertIsInstance(bad.ending, Exception)
            self.assertEqual(good.ending, HEARTBEAT)

        asyncio.run(test())
