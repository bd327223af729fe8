"""idTagInfo of the wire."""

import unittest

from station.ocpp import id_tags

NOON = 1795345200


class FromPayloadTest(unittest.TestCase):
    def test_status_alone(self):
        info = id_tags.from_payload({"status": "Blocked"})
        self.assertEqual((info.status, info.expiry, info.parent_id_tag), ("Blocked", 0, None))

    def test_all(self):
        info = id_tags.from_payload(
            {"status": "Accepted", "expiryDate": "2026-11-22T12:00:00+01:00", "parentIdTag": "GROUP"}
        )
        self.assertEqual((info.status, info.expiry, info.parent_id_tag), ("Accepted", NOON, "GROUP"))

    def test_an_expiry_that_cannot_be_read_has_passed(self):
        for text in ("", "tomorrow", "2026-13-01T00:00:00Z"):
            info = id_tags.from_payload({"status": "Accepted", "expiryDate": text})
            self.assertEqual(info.as_of(NOON).status, "Expired", text)
