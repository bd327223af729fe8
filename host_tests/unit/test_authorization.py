"""Authorization: who decides about a card, online, offline, and when the backend gives no answer."""

import asyncio
import unittest

from fakes import FakeClock, FakeLog
from station.charging.authorization import Authorization, IdTagInfo, parent_digest, parent_text, same_id_tag

NOON = 1795345200


class Source:
    """Stands for the cache, and for the local list."""

    def __init__(self):
        self.entries = {}
        self.contradicted = []

    def get(self, id_tag):
        return self.entries.get(id_tag)

    def put(self, id_tag, info):
        self.entries[id_tag] = info

    def contradict(self, id_tag, info):
        self.contradicted.append((id_tag, info.status))


class IdTagInfoTest(unittest.TestCase):
    def test_expiry(self):
        info = IdTagInfo("Accepted", NOON, "GROUP")
        self.assertIs(info.as_of(NOON - 1), info)
        expired = info.as_of(NOON)
        self.assertEqual((expired.status, expired.expiry, expired.parent_id_tag), ("Expired", NOON, "GROUP"))
        self.assertFalse(expired.accepted)
        self.assertTrue(info.accepted)

    def test_no_expiry_and_no_time(self):
        self.assertTrue(IdTagInfo("Accepted").as_of(NOON).accepted)
        self.assertTrue(IdTagInfo("Accepted", NOON).as_of(0).accepted)
        self.assertEqual(IdTagInfo("Blocked", NOON).as_of(NOON + 1).status, "Blocked")

    def test_id_tags_have_no_case(self):
        self.assertTrue(same_id_tag("abCD1", "ABcd1"))
        self.assertFalse(same_id_tag("ABCD", "ABCE"))
        self.assertFalse(same_id_tag(None, None))
        self.assertFalse(same_id_tag("ABCD", None))

    def test_a_group_goes_and_comes_back(self):
        digest = b"\x00\xff\x12abcde"
        self.assertEqual(parent_text(digest), "00ff126162636465")
        self.assertEqual(parent_digest(parent_text(digest)), digest)


class AuthorizationTest(unittest.TestCase):
    def setUp(self):
        self.settings = {"LocalPreAuthorize": False, "LocalAuthorizeOffline": True, "AllowOfflineTxForUnknownId": False}
        self.clock = FakeClock(NOON)
        self.cache = Source()
        self.online = True
        self.answer = IdTagInfo("Accepted", 0, "GROUP")
        self.asked = []
        self.authorization = Authorization(
            self.settings, self.clock, self.cache, FakeLog(), self.ask, lambda: self.online
        )

    async def ask(self, id_tag):
        self.asked.append(id_tag)
        await asyncio.sleep_ms(0)
        return self.answer

    def authorize(self, id_tag="CARD"):
        return asyncio.run(self.authorization.authorize(id_tag))

    def know(self, status, expiry=0, id_tag="CARD"):
        self.cache.put(id_tag, IdTagInfo(status, expiry))

    def test_online_the_backend_decides_and_is_remembered(self):
        for status in ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"):
            self.know("Accepted")
            self.answer = IdTagInfo(status, 0, "GROUP")
            self.assertIs(self.authorize(), self.answer)
            self.assertIs(self.cache.get("CARD"), self.answer)
        self.assertEqual(self.asked, ["CARD"] * 5)

    def test_local_pre_authorize_spares_the_question_for_a_good_card_only(self):
        self.settings["LocalPreAuthorize"] = True
        self.know("Accepted")
        self.assertEqual(self.authorize().status, "Accepted")
        self.assertEqual(self.asked, [])
        for status, expiry in (("Blocked", 0), ("Invalid", 0), ("Accepted", NOON)):
            self.know(status, expiry)
            self.assertIs(self.authorize(), self.answer)
        self.assertEqual(self.authorize("STRANGER").status, "Accepted")
        self.assertEqual(len(self.asked), 4)

    def test_offline_a_known_card_has_its_status(self):
        self.online = False
        for status in ("Accepted", "Blocked", "Invalid", "Expired", "ConcurrentTx"):
            self.know(status)
            self.assertEqual(self.authorize().status, status)
        self.know("Accepted", NOON)
        self.assertEqual(self.authorize().status, "Expired")
        self.assertEqual(self.asked, [])

    def test_offline_a_stranger(self):
        self.online = False
        self.assertEqual(self.authorize().status, "Invalid")
        self.settings["AllowOfflineTxForUnknownId"] = True
        self.assertEqual(self.authorize().status, "Accepted")
        self.assertIsNone(self.cache.get("CARD"))  # a guess is not remembered

    def test_generosity_to_strangers_does_not_extend_to_known_bad_cards(self):
        self.online = False
        self.settings["AllowOfflineTxForUnknownId"] = True
        for local in (True, False):
            self.settings["LocalAuthorizeOffline"] = local
            self.know("Blocked")
            self.assertEqual(self.authorize().status, "Blocked")
            self.know("Accepted", NOON - 1)
            self.assertEqual(self.authorize().status, "Expired")
            self.know("Accepted")
            self.assertEqual(self.authorize().status, "Accepted")

    def test_offline_without_local_authorization(self):
        self.online = False
        self.settings["LocalAuthorizeOffline"] = False
        self.know("Accepted")
        self.assertEqual(self.authorize().status, "Invalid")

    def test_no_answer_counts_as_offline(self):
        self.answer = None
        self.know("Accepted")
        self.assertEqual(self.authorize().status, "Accepted")
        self.assertEqual(self.authorize("STRANGER").status, "Invalid")
        self.assertEqual(self.asked, ["CARD", "STRANGER"])

    def test_local(self):
        self.assertIsNone(self.authorization.local("CARD"))
        self.know("Accepted", NOON)
        self.assertEqual(self.authorization.local("CARD").status, "Expired")
        self.authorization.learn("CARD", IdTagInfo("Blocked"))
        self.assertEqual(self.authorization.local("CARD").status, "Blocked")


class LocalListTest(unittest.TestCase):
    """The local list comes before the cache (OCPP 1.6 §3.5.2)."""

    def setUp(self):
        self.settings = {"LocalPreAuthorize": True, "LocalAuthorizeOffline": True, "AllowOfflineTxForUnknownId": False}
        self.cache = Source()
        self.list = Source()
        self.online = True
        self.answer = IdTagInfo("Accepted")
        self.authorization = Authorization(
            self.settings, FakeClock(NOON), self.cache, FakeLog(), self.ask, lambda: self.online, self.list
        )

    async def ask(self, id_tag):
        return self.answer

    def test_it_has_the_last_word_of_the_two(self):
        self.cache.put("CARD", IdTagInfo("Accepted"))
        self.list.put("CARD", IdTagInfo("Blocked"))
        self.cache.put("OTHER", IdTagInfo("Expired"))
        self.assertEqual(self.authorization.local("CARD").status, "Blocked")
        self.assertEqual(self.authorization.local("OTHER").status, "Expired")
        self.online = False
        self.assertEqual(asyncio.run(self.authorization.authorize("CARD")).status, "Blocked")
        self.list.entries.clear()
        self.assertEqual(asyncio.run(self.authorization.authorize("CARD")).status, "Accepted")

    def test_a_card_of_the_list_does_not_enter_the_cache(self):
        """§4.1; but what the cache had of it before is checked."""
        self.list.put("CARD", IdTagInfo("Blocked"))
        self.assertIs(asyncio.run(self.authorization.authorize("CARD")), self.answer)
        self.authorization.learn("OTHER", IdTagInfo("Invalid"))
        self.assertEqual(list(self.cache.entries), ["OTHER"])
        self.assertEqual(self.cache.contradicted, [("CARD", "Accepted")])
