"""Every CALL gets its answer, and the right error code."""

import asyncio
import json
import unittest

from fakes import FakeLog
from station.ocpp import framer
from station.ocpp.dispatch import CallError, Dispatcher

ID = "4711"


class DispatchTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.dispatcher = Dispatcher(self.log)
        self.served = []
        self.dispatcher.add({"ClearCache": self.serve, "Reset": self.serve})

    def serve(self, payload):
        self.served.append(payload)
        return {"status": "Accepted"}

    def ask(self, action, payload, **handlers):
        self.dispatcher.add(handlers)
        return self.answer((framer.CALL, ID, action, payload))

    def answer(self, frame):
        data = asyncio.run(self.dispatcher.serve(frame))
        return None if data is None else json.loads(data)

    def refused(self, code, frame):
        self.assertEqual(frame[:3], [4, ID, code])
        self.assertTrue(frame[3], "a sentence for a person")
        self.assertEqual(frame[4], {})
        self.assertEqual(self.served, [])

    def test_a_result(self):
        self.assertEqual(self.ask("Reset", {"type": "Soft"}), [3, ID, {"status": "Accepted"}])
        self.assertEqual(self.served, [{"type": "Soft"}])

    def test_a_coroutines_result(self):
        async def serve(payload):
            await asyncio.sleep_ms(0)
            return {"status": "Rejected"}

        self.assertEqual(self.ask("ClearCache", {}, ClearCache=serve), [3, ID, {"status": "Rejected"}])

    def test_unknown_and_switched_off(self):
        self.refused("NotImplemented", self.ask("MakeCoffee", {}))
        self.refused("NotSupported", self.ask("SetChargingProfile", {}))
        self.refused("NotSupported", self.ask("ReserveNow", {"connectorId": "nonsense"}))
        self.refused("NotImplemented", self.ask("clearcache", {}))
        self.refused("NotImplemented", self.ask("X" * 1000, {}))

    def test_violations(self):
        self.refused("OccurenceConstraintViolation", self.ask("Reset", {}))
        self.refused("TypeConstraintViolation", self.ask("Reset", {"type": 7}))
        self.refused("PropertyConstraintViolation", self.ask("Reset", {"type": "Medium"}))
        self.refused("FormationViolation", self.ask("Reset", {"type": "Soft", "now": True}))

    def test_a_handlers_refusal(self):
        def serve(payload):
            raise CallError("GenericError", "not today")

        self.assertEqual(self.ask("ClearCache", {}, ClearCache=serve), [4, ID, "GenericError", "not today", {}])

    def test_a_coroutines_refusal(self):
        async def serve(payload):
            raise CallError("GenericError", "not today")

        self.assertEqual(self.ask("ClearCache", {}, ClearCache=serve)[2], "GenericError")

    def test_a_handler_that_fails(self):
        def sync(payload):
            return payload["nowhere"]

        async def later(payload):
            raise MemoryError("heap")

        def nonsense(payload):
            return None

        for handler in (sync, later, nonsense):
            frame = self.ask("ClearCache", {}, ClearCache=handler)
            self.refused("InternalError", frame)
            self.assertNotIn("heap", frame[3], "the log is for us, the answer for them")
        self.assertEqual(len(self.log.at("error")), 3)

    def test_bad_frames(self):
        error = framer.FrameError(ID, "FormationViolation", "payload is no object")
        self.refused("FormationViolation", self.answer(error))
        self.assertIsNone(self.answer(framer.FrameError(None, "FormationViolation", "no JSON")))
        self.assertEqual(len(self.log.at("warning")), 2)

    def test_whom_to_answer(self):
        self.dispatcher.admit = lambda: False
        self.assertIsNone(self.ask("ClearCache", {}))
        self.assertIsNone(self.answer(framer.FrameError(ID, "FormationViolation", "payload is no object")))
        self.assertEqual(self.served, [])
        self.dispatcher.admit = lambda: True
        self.assertEqual(self.ask("ClearCache", {})[0], 3)
