"""Local Auth List Management from the text of a CALL to the text of its answer, the list kept in flash in between."""

import asyncio
import json
import unittest

from cards import make
from fakes import FakeClock, FakeLog
from flashes import CuttableFlash
from station.charging.authorization import parent_text
from station.charging.cache import Cache
from station.charging.local_list import LocalList
from station.ocpp import framer
from station.ocpp.dispatch import Dispatcher
from station.ocpp.id_tags import IdTags
from station.ocpp.profiles.local_auth_list import LocalAuthList
from station.ocpp.streamed_call import StreamedCall
from station.settings import Settings
from station.storage.cards.card_hash import CardHash
from station.storage.journal import Journal
from station.storage.region import Region

NOON = 1795345200
HASH = CardHash(b"test" * 8)
FAMILY = parent_text(HASH.parent("FAMILY"))
PIECE = 50


def card(id_tag, status="Accepted", **more):
    info = {"status": status}
    info.update(more)
    return {"idTag": id_tag, "idTagInfo": info}


class _Case:
    def setUp(self):
        self.log = FakeLog()
        self.settings = Settings(None, self.log, {"SendLocalListMaxLength": 1000})
        journal = Journal(Region(CuttableFlash(32), 0, 32), self.log)
        journal.mount()
        cache = Cache(journal, HASH, self.settings, FakeClock(NOON), self.log)
        self.flash, self.table, _ = make(CuttableFlash(24))
        self.list = LocalList(self.table, HASH, cache, self.settings, self.log)
        profile = LocalAuthList(self.list, IdTags(HASH.parent))
        self.dispatcher = Dispatcher(self.log)
        self.dispatcher.add(profile.handlers())
        self.dispatcher.add_streams(profile.streams())

    def ask(self, text):
        """What comes back for a CALL that arrives in pieces: the payload of its answer, or its error code."""

        async def pieces():
            call = StreamedCall(self.dispatcher.stream)
            for at in range(0, len(text), PIECE):
                await call.take(text[at : at + PIECE], at + PIECE >= len(text))
            try:
                return await self.dispatcher.serve(await call.frame(), call)
            finally:
                call.abort()

        answer = json.loads(asyncio.run(pieces()))
        return answer[2]

    def send(self, payload):
        answer = self.ask(framer.call("1", "SendLocalList", payload))
        return answer["status"] if isinstance(answer, dict) else answer

    def full(self, version, *items):
        payload = {"listVersion": version, "updateType": "Full", "localAuthorizationList": list(items)}
        return self.send(payload)

    def differential(self, version, *items):
        payload = {"listVersion": version, "localAuthorizationList": list(items), "updateType": "Differential"}
        return self.send(payload)

    def version(self):
        """As GetLocalListVersion tells it."""
        frame = framer.parse(framer.call("1", "GetLocalListVersion", {}))
        return json.loads(asyncio.run(self.dispatcher.serve(frame)))[2]["listVersion"]

    def get(self, id_tag):
        info = self.list.get(id_tag)
        return info and (info.status, info.expiry, info.parent_id_tag)

    def holds(self, version, *id_tags):
        self.assertEqual((self.version(), self.table.count), (version, len(id_tags)))
        for id_tag in id_tags:
            self.assertIsNotNone(self.get(id_tag), id_tag)


class SendLocalListTest(_Case, unittest.TestCase):
    def test_every_status(self):
        """§7.46"""
        self.assertEqual(self.version(), 0)
        self.assertEqual(self.full(5, card("A"), card("B")), "Accepted")
        self.assertEqual(self.differential(5, card("C")), "VersionMismatch")
        self.assertEqual(self.full(6, card("C"), {"idTag": "A"}), "Failed")
        self.holds(5, "A", "B")
        self.settings.change("LocalAuthListEnabled", "false")
        self.assertEqual(self.full(6, card("C")), "NotSupported")
        self.assertEqual(self.version(), -1)
        self.settings.change("LocalAuthListEnabled", "true")
        self.assertEqual(self.differential(6, card("C"), {"idTag": "A"}), "Accepted")
        self.holds(6, "B", "C")

    def test_what_the_wire_says_of_a_card(self):
        self.full(
            1,
            card("A", "Blocked"),
            card("B", parentIdTag="Family"),
            card("C", expiryDate="2026-11-22T12:00:00+01:00"),
            card("D", expiryDate="1970-01-01T00:00:00Z"),
            card("E", expiryDate="9999-12-31T23:59:59Z"),
            card("F", expiryDate="0001-01-01T00:00:00Z"),
            card("G", "ConcurrentTx", parentIdTag="", expiryDate="2026-11-22T11:00:00.999Z"),
        )
        self.holds(1, "A", "B", "C", "D", "E", "F", "G")
        self.assertEqual(self.get("A"), ("Blocked", 0, None))
        self.assertEqual(self.get("B"), ("Accepted", 0, FAMILY))
        self.assertEqual(self.get("C"), ("Accepted", NOON, None))
        self.assertEqual(
            [self.list.get(id_tag).as_of(NOON).status for id_tag in "DEF"], ["Expired", "Accepted", "Expired"]
        )
        self.assertEqual(self.get("G"), ("ConcurrentTx", NOON, None))

    def test_id_tags_of_any_characters(self):
        tags = ["ÄÖÜ", "日本語カード", 'a b\\c"d', "x" * 20, "é" * 20, ""]
        self.assertEqual(self.full(1, *[card(tag) for tag in tags]), "Accepted")
        self.holds(1, *tags)

    def test_a_list_that_is_empty_or_missing(self):
        """§5.15: a Full one clears; a Differential only brings a version."""
        for part in ({}, {"localAuthorizationList": []}):
            self.full(5, card("A"))
            self.assertEqual(self.send(dict({"listVersion": 6, "updateType": "Differential"}, **part)), "Accepted")
            self.holds(6, "A")
            self.assertEqual(self.send(dict({"listVersion": 2, "updateType": "Full"}, **part)), "Accepted")
            self.holds(2)

    def test_more_than_is_gathered_in_ram(self):
        count = 500
        self.assertGreater(self.list.max_length, count)
        self.assertEqual(self.full(1, *[card("C%d" % number) for number in range(count)]), "Accepted")
        gone = [{"idTag": "C%d" % number} for number in range(0, count, 2)]
        self.assertEqual(self.differential(2, *gone), "Accepted")
        self.holds(2, *["C%d" % number for number in range(1, count, 2)])

    def test_too_many_entries(self):
        items = [card("SAME")] * 1000
        self.assertEqual(self.full(1, *items), "Accepted")
        self.assertEqual(self.full(2, card("OTHER"), *items), "Failed")
        self.holds(1, "SAME")


class WrongTest(_Case, unittest.TestCase):
    """What is no SendLocalList earns its CALLERROR and leaves the list."""

    def setUp(self):
        super().setUp()
        self.full(5, card("A"), card("B"))

    def refused(self, code, payload):
        text = payload if isinstance(payload, bytes) else framer.call("1", "SendLocalList", payload)
        self.assertEqual(self.ask(text), code, text[:200])
        self.holds(5, "A", "B")

    def items(self, *items, **more):
        payload = {"listVersion": 6, "updateType": "Full", "localAuthorizationList": list(items)}
        payload.update(more)
        return payload

    def test_items_that_are_none(self):
        rows = (
            (card("X" * 21), "PropertyConstraintViolation"),
            (card("X", "Fine"), "PropertyConstraintViolation"),
            (card("X", parentIdTag="Y" * 21), "PropertyConstraintViolation"),
            (card("X", expiryDate="tomorrow"), "PropertyConstraintViolation"),
            ({"idTagInfo": {"status": "Accepted"}}, "OccurenceConstraintViolation"),
            ({"idTag": "X", "idTagInfo": {}}, "OccurenceConstraintViolation"),
            (card(7), "TypeConstraintViolation"),
            ("X", "TypeConstraintViolation"),
            (None, "TypeConstraintViolation"),
            ({"idTag": "X", "idTagInfo": None}, "TypeConstraintViolation"),
            (card("X", color="red"), "FormationViolation"),
            (dict(card("X"), color="red"), "FormationViolation"),
        )
        for item, code in rows:
            self.refused(code, self.items(item))
            self.refused(code, self.items(card("C"), card("D"), item, card("E")))

    def test_the_rest_is_wrong(self):
        for part, code in (
            ({"updateType": "Some"}, "PropertyConstraintViolation"),
            ({"updateType": 1}, "TypeConstraintViolation"),
            ({"listVersion": "6"}, "TypeConstraintViolation"),
            ({"listVersion": 6.5}, "TypeConstraintViolation"),
            ({"hash": "1"}, "FormationViolation"),
            ({"localAuthorizationList": {}}, "TypeConstraintViolation"),
            ({"localAuthorizationList": None}, "TypeConstraintViolation"),
        ):
            self.refused(code, self.items(card("C"), **part))
        for name in ("listVersion", "updateType"):
            payload = self.items(card("C"))
            del payload[name]
            self.refused("OccurenceConstraintViolation", payload)

    def test_a_text_that_ends_too_soon(self):
        text = framer.call("1", "SendLocalList", self.items(card("C"), card("D")))
        for size in range(text.find(b"[", 1), len(text)):
            self.refused("FormationViolation", text[:size])

    def test_text_that_is_no_json(self):
        text = framer.call("1", "SendLocalList", self.items(card("C"), card("D")))
        for at in range(text.find(b"[", 1), len(text)):
            spoiled = text[:at] + b"\x01" + text[at + 1 :]
            self.refused("FormationViolation", spoiled)

    def test_afterwards_a_good_one_is_taken(self):
        self.refused("PropertyConstraintViolation", self.items(card("C"), card("X" * 21)))
        self.assertEqual(self.differential(6, card("C")), "Accepted")
        self.holds(6, "A", "B", "C")

    def test_get_local_list_version_takes_nothing(self):
        frame = framer.parse(framer.call("1", "GetLocalListVersion", {"listVersion": 1}))
        self.assertEqual(json.loads(asyncio.run(self.dispatcher.serve(frame)))[2], "FormationViolation")


class EndTest(_Case, unittest.TestCase):
    def test_a_connection_that_goes_leaves_the_list(self):
        """Wherever it goes, and the next update finds its way free."""

        async def torn(size):
            call = StreamedCall(self.dispatcher.stream)
            for at in range(0, size, PIECE):
                await call.take(text[at : min(size, at + PIECE)], False)
            call.abort()

        self.full(5, card("A"))
        items = [card("C%d" % number) for number in range(30)]
        payload = {"listVersion": 6, "updateType": "Full", "localAuthorizationList": items}
        text = framer.call("1", "SendLocalList", payload)
        for size in range(PIECE, len(text), 37):
            asyncio.run(torn(size))
            self.holds(5, "A")
            self.assertIsNone(self.table.update)
        self.assertEqual(self.send(payload), "Accepted")
        self.assertEqual(self.table.count, 30)

    def test_of_two_at_once_the_first_counts(self):
        """A backend that does not wait for its answer; the second is told that it failed."""

        async def both():
            calls = [StreamedCall(self.dispatcher.stream) for _ in range(2)]
            for call, version in zip(calls, (5, 6)):
                payload = {
                    "listVersion": version,
                    "updateType": "Full",
                    "localAuthorizationList": [card("A%d" % version)],
                }
                await call.take(framer.call("1", "SendLocalList", payload), True)
            answers = []
            for call in calls:
                answers.append(json.loads(await self.dispatcher.serve(await call.frame(), call))[2])
            return answers

        self.assertEqual(asyncio.run(both()), [{"status": "Accepted"}, {"status": "Failed"}])
        self.holds(5, "A5")
