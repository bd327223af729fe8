"""DataTransfer from the backend: who serves which vendorId and messageId."""

import asyncio
import unittest

from station.ocpp.profiles.data_transfer import DataTransfer


class DataTransferTest(unittest.TestCase):
    def setUp(self):
        self.profile = DataTransfer()
        self.got = []

    def handler(self, name, status="Accepted", data=None):
        def serve(given):
            self.got.append((name, given))
            return status, data

        return serve

    def ask(self, vendor_id, message_id=None, data=None):
        payload = {"vendorId": vendor_id}
        if message_id is not None:
            payload["messageId"] = message_id
        if data is not None:
            payload["data"] = data
        return asyncio.run(self.profile.handlers()["DataTransfer"](payload))

    def test_unknown_vendor(self):
        self.assertEqual(self.ask("org.example"), {"status": "UnknownVendorId"})

    def test_unknown_message(self):
        self.profile.register("org.example", "Ping", self.handler("ping"))
        self.assertEqual(self.ask("org.example", "Pong"), {"status": "UnknownMessageId"})
        self.assertEqual(self.ask("org.example"), {"status": "UnknownMessageId"})
        self.assertEqual(self.got, [])

    def test_by_message(self):
        self.profile.register("org.example", "Ping", self.handler("ping", data="pong"))
        self.profile.register("org.example", "Off", self.handler("off", "Rejected"))
        self.assertEqual(self.ask("org.example", "Ping", "hello"), {"status": "Accepted", "data": "pong"})
        self.assertEqual(self.ask("org.example", "Off"), {"status": "Rejected"})
        self.assertEqual(self.got, [("ping", "hello"), ("off", None)])

    def test_one_for_all_other_messages(self):
        self.profile.register("org.example", None, self.handler("all"))
        self.profile.register("org.example", "Ping", self.handler("ping"))
        for message_id in (None, "Pong", "Ping"):
            self.ask("org.example", message_id)
        self.assertEqual([name for name, _ in self.got], ["all", "all", "ping"])

    def test_a_coroutine(self):
        async def serve(data):
            await asyncio.sleep_ms(0)
            return "Accepted", data

        self.profile.register("org.example", None, serve)
        self.assertEqual(self.ask("org.example", None, "x"), {"status": "Accepted", "data": "x"})

    def test_no_two_for_the_same(self):
        self.profile.register("org.example", "Ping", self.handler("ping"))
        with self.assertRaises(ValueError):
            self.profile.register("org.example", "Ping", self.handler("ping"))
        self.profile.register("org.example", None, self.handler("all"))
        self.profile.register("com.example", "Ping", self.handler("ping"))
