"""The Core profile's handlers: what each asks of the station, and every answer it can give."""

import asyncio
import unittest

from fakes import FakeLog
from station.ocpp import messages, schema
from station.ocpp.dispatch import CallError
from station.ocpp.profiles.core import Core
from station.settings import Settings


class FakeConnector:
    def __init__(self, has_lock=True, opens=True):
        self.has_lock = has_lock
        self.opens = opens
        self.unlocked = 0

    async def unlock(self):
        self.unlocked += 1
        return self.opens


class FakeChargePoint:
    def __init__(self):
        self.asked = []
        self.answer = True
        self.availability = "Accepted"
        self.connectors = {1: FakeConnector()}

    def connector(self, i):
        return self.connectors.get(i)

    def remote_start(self, id_tag, connector_id):
        self.asked.append(("start", id_tag, connector_id))
        return self.answer

    def remote_stop(self, transaction_id):
        self.asked.append(("stop", transaction_id))
        return self.answer

    def change_availability(self, connector_id, operative):
        self.asked.append((connector_id, operative))
        return self.availability


class FakeCache:
    def __init__(self):
        self.written = True
        self.cleared = 0

    def clear(self):
        self.cleared += 1
        return self.written


class FakeRegistration:
    accepted = True


class CoreTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.point = FakeChargePoint()
        self.settings = Settings(None, self.log, {}, 2)
        self.cache = FakeCache()
        self.registration = FakeRegistration()
        self.registration.accepted = True
        self.resets = []
        core = Core(self.point, self.settings, self.cache, self.resets.append, self.registration, self.log)
        self.handlers = core.handlers()

    def ask(self, action, **payload):
        """The answer, proven to fit its schema."""
        self.assertIsNone(schema.check(messages.request(action), payload))
        answer = self.handlers[action](payload)
        if not isinstance(answer, dict):
            answer = asyncio.run(answer)
        self.assertIsNone(schema.check(messages.response(action), answer))
        return answer

    def status(self, action, **payload):
        return self.ask(action, **payload)["status"]

    def test_change_availability(self):
        for status in ("Accepted", "Scheduled", "Rejected"):
            self.point.availability = status
            self.assertEqual(self.status("ChangeAvailability", connectorId=2, type="Inoperative"), status)
        self.status("ChangeAvailability", connectorId=0, type="Operative")
        self.assertEqual(self.point.asked, [(2, False)] * 3 + [(0, True)])

    def test_change_configuration(self):
        for key, value, status in (
            ("heartbeatinterval", "30", "Accepted"),
            ("HeartbeatInterval", "soon", "Rejected"),
            ("NumberOfConnectors", "3", "Rejected"),
            ("WebSocketMaxMessageSize", "4096", "RebootRequired"),
            ("NoSuchKey", "1", "NotSupported"),
        ):
            self.assertEqual(self.status("ChangeConfiguration", key=key, value=value), status, key)
        self.assertEqual(self.settings["HeartbeatInterval"], 30)

    def test_clear_cache(self):
        self.assertEqual(self.status("ClearCache"), "Accepted")
        self.cache.written = False
        self.assertEqual(self.status("ClearCache"), "Rejected")
        self.settings.change("AuthorizationCacheEnabled", "false")
        self.assertEqual(self.status("ClearCache"), "Rejected")
        self.assertEqual(self.cache.cleared, 2)

    def test_get_configuration_of_all(self):
        for payload in ({}, {"key": []}):
            answer = self.ask("GetConfiguration", **payload)
            keys = [row["key"] for row in answer["configurationKey"]]
            self.assertEqual(keys, list(self.settings.names()))
            self.assertNotIn("unknownKey", answer)

    def test_get_configuration_of_some(self):
        answer = self.ask("GetConfiguration", key=["NUMBEROFCONNECTORS", "Nonsense", "HeartbeatInterval"])
        self.assertEqual(
            answer,
            {
                "configurationKey": [
                    {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
                    {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
                ],
                "unknownKey": ["Nonsense"],
            },
        )
        self.assertEqual(self.ask("GetConfiguration", key=["Nonsense"]), {"unknownKey": ["Nonsense"]})

    def test_get_configuration_of_too_many(self):
        most = self.settings["GetConfigurationMaxKeys"]
        self.ask("GetConfiguration", key=["HeartbeatInterval"] * most)
        with self.assertRaises(CallError) as caught:
            self.ask("GetConfiguration", key=["HeartbeatInterval"] * (most + 1))
        self.assertEqual(caught.exception.code, "OccurenceConstraintViolation")

    def test_remote_start(self):
        self.assertEqual(self.status("RemoteStartTransaction", idTag="CARD1", connectorId=2), "Accepted")
        self.assertEqual(self.status("RemoteStartTransaction", idTag="CARD1"), "Accepted")
        self.assertEqual(self.point.asked, [("start", "CARD1", 2), ("start", "CARD1", None)])
        self.point.answer = False
        self.assertEqual(self.status("RemoteStartTransaction", idTag="CARD1"), "Rejected")

    def test_remote_start_with_a_profile_is_refused_and_the_log_says_why(self):
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
            },
        }
        self.assertEqual(
            self.status("RemoteStartTransaction", idTag="CARD1", connectorId=1, chargingProfile=profile), "Rejected"
        )
        self.assertEqual(self.point.asked, [])
        self.assertEqual(len(self.log.at("warning")), 1)

    def test_remote_stop(self):
        self.assertEqual(self.status("RemoteStopTransaction", transactionId=4711), "Accepted")
        self.assertEqual(self.point.asked, [("stop", 4711)])
        self.point.answer = False
        self.assertEqual(self.status("RemoteStopTransaction", transactionId=4711), "Rejected")

    def test_while_pending_nothing_is_started_or_stopped(self):
        self.registration.accepted = False
        self.assertEqual(self.status("RemoteStartTransaction", idTag="CARD1"), "Rejected")
        self.assertEqual(self.status("RemoteStopTransaction", transactionId=4711), "Rejected")
        self.assertEqual(self.point.asked, [])
        self.assertEqual(self.status("ChangeConfiguration", key="HeartbeatInterval", value="30"), "Accepted")

    def test_reset(self):
        for kind in ("Soft", "Hard"):
            self.assertEqual(self.status("Reset", type=kind), "Accepted")
        self.assertEqual(self.resets, ["Soft", "Hard"])

    def test_unlock(self):
        connector = self.point.connectors[1]
        self.assertEqual(self.status("UnlockConnector", connectorId=1), "Unlocked")
        connector.opens = False
        self.assertEqual(self.status("UnlockConnector", connectorId=1), "UnlockFailed")
        self.assertEqual(connector.unlocked, 2)
        connector.has_lock = False
        self.assertEqual(self.status("UnlockConnector", connectorId=1), "NotSupported")
        self.assertEqual(self.status("UnlockConnector", connectorId=2), "NotSupported")
        self.assertEqual(connector.unlocked, 2)
