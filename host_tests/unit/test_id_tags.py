"""idTagInfo of the wire."""

import unittest

from station.charging.authorization import same_id_tag
from station.ocpp.id_tags import IdTags
from station.storage.cards.card_hash import CardHash

NOON = 1795345200
HASH = CardHash(b"test" * 8)


class InfoTest(unittest.TestCase):
    def setUp(self):
        self.id_tags = IdTags(HASH.parent)

    def test_status_alone(self):
        info = self.id_tags.info({"status": "Blocked"})
        self.assertEqual((info.status, info.expiry, info.parent_id_tag), ("Blocked", 0, None))

    def test_all(self):
        info = self.id_tags.info(
            {"status": "Accepted", "expiryDate": "2026-11-22T12:00:00+01:00", "parentIdTag": "GROUP"}
        )
        self.assertEqual((info.status, info.expiry), ("Accepted", NOON))

    def test_a_group_is_known_by_its_hash_alone_whatever_the_case(self):
        groups = [
            self.id_tags.info({"status": "Accepted", "parentIdTag": text}).parent_id_tag
            for text in ("Family", "FAMILY", "OTHER")
        ]
        self.assertTrue(same_id_tag(groups[0], groups[1]))
        self.assertFalse(same_id_tag(groups[0], groups[2]))
        self.assertEqual(bytes.fromhex(groups[0]), HASH.parent("FAMILY"))
        foreign = IdTags(CardHash(b"another" * 8).parent)
        self.assertFalse(
            same_id_tag(groups[0], foreign.info({"status": "Accepted", "parentIdTag": "FAMILY"}).parent_id_tag)
        )

    def test_an_empty_parent_is_none(self):
        self.assertIsNone(self.id_tags.info({"status": "Accepted", "parentIdTag": ""}).parent_id_tag)

    def test_an_expiry_that_cannot_be_read_has_passed(self):
        for text in ("", "tomorrow", "2026-13-01T00:00:00Z"):
            info = self.id_tags.info({"status": "Accepted", "expiryDate": text})
            self.assertEqual(info.as_of(NOON).status, "Expired", text)

    def test_an_expiry_beyond_32_bits_is_as_early_or_late_as_these_go(self):
        """Lists of some backends say 9999 for never; 0 would mean that there is none."""
        for text, status in (
            ("9999-12-31T23:59:59Z", "Accepted"),
            ("2106-02-07T06:28:15Z", "Accepted"),
            ("1970-01-01T00:00:00Z", "Expired"),
            ("0001-01-01T00:00:00Z", "Expired"),
        ):
            info = self.id_tags.info({"status": "Accepted", "expiryDate": text})
            self.assertEqual(info.as_of(NOON).status, status, text)
            self.assertTrue(0 < info.expiry < 1 << 32, text)
