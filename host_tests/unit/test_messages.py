"""The table of actions: all of OCPP 1.6, their profiles and directions; shapes that are well made."""

import unittest

from station.ocpp import messages
from station.ocpp.schema import check

CORE_BACKEND = [
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "DataTransfer",
    "GetConfiguration",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
]
CORE_STATION = [
    "Authorize",
    "BootNotification",
    "Heartbeat",
    "MeterValues",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
]
LOCAL_AUTH_LIST = ["GetLocalListVersion", "SendLocalList"]
# what a shape may be, and how many elements its tuple has
KINDS = {
    "object": 3,
    "array": 3,
    "text": 2,
    "enum": 2,
    "integer": 2,
    "decimal": 2,
    "string": 2,
    "boolean": 2,
    "dateTime": 2,
    "anyURI": 2,
}


class ActionsTest(unittest.TestCase):
    def test_core(self):
        for action in CORE_BACKEND + CORE_STATION:
            self.assertTrue(messages.is_known(action), action)
            self.assertEqual(messages.profile(action), "Core", action)
            self.assertEqual(messages.from_backend(action), action in CORE_BACKEND, action)
            self.assertIsNotNone(messages.request(action), action)
            self.assertIsNotNone(messages.response(action), action)

    def test_local_auth_list(self):
        for action in LOCAL_AUTH_LIST:
            self.assertTrue(messages.is_known(action), action)
            self.assertEqual(messages.profile(action), "LocalAuthListManagement", action)
            self.assertTrue(messages.from_backend(action), action)
            self.assertIsNotNone(messages.request(action), action)
            self.assertIsNotNone(messages.response(action), action)
        self.assertEqual(messages.long_list("SendLocalList"), "localAuthorizationList")
        self.assertIsNone(messages.long_list("GetLocalListVersion"))
        self.assertIsNone(messages.long_list("Send"))

    def test_known_but_not_built(self):
        for action, profile, from_backend in (
            ("ReserveNow", "Reservation", True),
            ("SetChargingProfile", "SmartCharging", True),
            ("TriggerMessage", "RemoteTrigger", True),
            ("GetLog", "Security", True),
            ("SecurityEventNotification", "Security", False),
        ):
            self.assertTrue(messages.is_known(action), action)
            self.assertEqual(messages.profile(action), profile)
            self.assertEqual(messages.from_backend(action), from_backend, action)
            self.assertIsNone(messages.request(action))
            self.assertIsNone(messages.response(action))

    def test_unknown(self):
        for action in ("", "reset", "Reset ", "GetVariables", "Core", "ResetResponse"):
            self.assertFalse(messages.is_known(action), action)
            self.assertIsNone(messages.profile(action))
            self.assertFalse(messages.from_backend(action))
            self.assertIsNone(messages.request(action))
            self.assertIsNone(messages.response(action))


class ShapesTest(unittest.TestCase):
    def test_shapes_are_well_made(self):
        for action in CORE_BACKEND + CORE_STATION + LOCAL_AUTH_LIST:
            for shape in (messages.request(action), messages.response(action)):
                self.assertEqual(shape[0], "object")
                self.well_made(shape)

    def well_made(self, shape):
        self.assertEqual(len(shape), KINDS[shape[0]], shape)
        if shape[0] == "object":
            _, required, fields = shape
            self.assertEqual(len(fields) % 2, 0)
            self.assertLessEqual(required * 2, len(fields))
            names = set()
            for i in range(0, len(fields), 2):
                self.assertIsInstance(fields[i], str)
                self.assertNotIn(fields[i], names)
                names.add(fields[i])
                self.well_made(fields[i + 1])
        elif shape[0] == "array":
            self.assertIsInstance(shape[1], int)
            self.well_made(shape[2])

    def test_examples(self):
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0, "numberPhases": 3}],
            },
        }
        request = {"connectorId": 1, "idTag": "ABCDEF1234", "chargingProfile": profile}
        shape = messages.request("RemoteStartTransaction")
        self.assertIsNone(check(shape, request))
        profile["chargingSchedule"]["duration"] = "60"
        violation = check(shape, request)
        self.assertEqual(violation.path, "chargingProfile.chargingSchedule.duration")
        self.assertEqual(violation.code, "TypeConstraintViolation")
        answer = {"status": "Accepted", "currentTime": "2026-11-22T11:00:00Z", "interval": 300, "heartbeat": 1}
        self.assertIsNone(check(messages.response("BootNotification"), answer, strict=False))
