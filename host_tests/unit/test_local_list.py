"""The local authorization list: which UpdateStatus an update earns, what the list says of a card before and after."""

import asyncio
import gc
import unittest

from cards import make
from fakes import FakeClock, FakeLog
from flashes import CuttableFlash
from station.charging.authorization import Authorization, IdTagInfo, parent_text
from station.charging.cache import Cache
from station.charging.local_list import LocalList
from station.settings import Settings
from station.storage.cards.card_hash import CardHash
from station.storage.journal import Journal
from station.storage.region import Region

NOON = 1795345200
HASH = CardHash(b"test" * 8)
FAMILY = parent_text(HASH.parent("FAMILY"))
ACCEPTED = IdTagInfo("Accepted")
BLOCKED = IdTagInfo("Blocked")
BIGGEST = 0x7FFFFFFF


def told(info):
    """An IdTagInfo as one can compare it."""
    return info and (info.status, info.expiry, info.parent_id_tag)


def good(count, first=0):
    return [("CARD%d" % number, ACCEPTED) for number in range(first, first + count)]


async def fill(update, entries):
    for id_tag, info in entries:
        if info is None:
            await update.remove(id_tag)
        else:
            await update.put(id_tag, info)


class _Case:
    def setUp(self):
        self.log = FakeLog()
        self.settings = Settings(None, self.log, {"SendLocalListMaxLength": 1000})
        self.clock = FakeClock(NOON)
        journal = Journal(Region(CuttableFlash(32), 0, 32), self.log)
        journal.mount()
        self.cache = Cache(journal, HASH, self.settings, self.clock, self.log)
        self.use(CuttableFlash(24))

    def use(self, flash):
        """Boot on this flash."""
        self.flash, self.table, self.table_log = make(flash)
        self.list = LocalList(self.table, HASH, self.cache, self.settings, self.log)
        self.authorization = Authorization(
            self.settings, self.clock, self.cache, self.log, None, lambda: False, self.list
        )

    def send(self, version, entries, full=False):
        async def whole():
            update = self.list.begin()
            await fill(update, entries)
            return await update.finish(version, full)

        return asyncio.run(whole())

    def full(self, version, entries):
        return self.send(version, entries, full=True)

    def get(self, id_tag):
        return told(self.list.get(id_tag))

    def local(self, id_tag):
        return told(self.authorization.local(id_tag))

    def holds(self, version, *id_tags):
        """The list has this version and these cards, all Accepted, and no other; and so after a restart."""
        for _ in range(2):
            self.assertEqual((self.list.version, self.table.count), (version, len(id_tags)))
            for id_tag in id_tags:
                self.assertEqual(self.get(id_tag), ("Accepted", 0, None), id_tag)
            self.use(self.flash.after())


class VersionTest(_Case, unittest.TestCase):
    def test_without_a_list_it_is_0(self):
        """§5.10"""
        self.assertEqual(self.list.version, 0)
        self.assertIsNone(self.get("CARD0"))

    def test_switched_off_it_is_minus_1_and_the_list_knows_nobody(self):
        self.full(5, good(2))
        self.settings.change("LocalAuthListEnabled", "false")
        self.assertEqual(self.list.version, -1)
        self.assertFalse(self.list.enabled)
        self.assertIsNone(self.get("CARD0"))
        self.settings.change("LocalAuthListEnabled", "true")
        self.holds(5, "CARD0", "CARD1")

    def test_a_full_list_sets_any_version(self):
        for version in (7, 3, 3, BIGGEST, 1):
            self.assertEqual(self.full(version, good(1)), "Accepted")
            self.assertEqual(self.list.version, version)
        self.assertEqual(self.full(2, []), "Accepted")
        self.holds(2)

    def test_a_differential_must_be_newer(self):
        """§5.15, §7.46"""
        self.full(5, good(1))
        for version in (5, 4, 1, 0, -1, -(1 << 40)):
            self.assertEqual(self.send(version, good(1, 1)), "VersionMismatch", version)
        self.holds(5, "CARD0")
        self.assertEqual(self.send(6, good(1, 1)), "Accepted")
        self.assertEqual(self.send(100, good(1, 2)), "Accepted")
        self.holds(100, "CARD0", "CARD1", "CARD2")

    def test_a_differential_on_no_list_begins_one(self):
        self.assertEqual(self.send(0, good(1)), "VersionMismatch")
        self.assertEqual(self.send(1, good(1)), "Accepted")
        self.holds(1, "CARD0")

    def test_versions_that_mean_something_else_are_no_versions(self):
        """0 is no list, -1 a list that is switched off; a version is a 32-bit integer."""
        self.full(5, good(1))
        for version in (0, -1, -5, BIGGEST + 1, 1 << 40):
            self.assertEqual(self.full(version, good(2)), "Failed", version)
        self.assertEqual(self.send(BIGGEST + 1, good(2)), "Failed")
        self.holds(5, "CARD0")


class FullTest(_Case, unittest.TestCase):
    def test_it_replaces_what_was_there(self):
        self.full(1, good(3))
        self.assertEqual(self.full(2, good(2, 2)), "Accepted")
        self.assertIsNone(self.get("CARD0"))
        self.holds(2, "CARD2", "CARD3")

    def test_an_empty_one_clears(self):
        self.full(1, good(100))
        self.assertEqual(self.full(2, []), "Accepted")
        self.assertIsNone(self.get("CARD0"))
        self.holds(2)

    def test_an_entry_without_id_tag_info_is_not_allowed(self):
        """§7.3: optional in a Differential only."""
        self.full(1, good(2))
        for entries in (good(3) + [("CARD0", None)], [("CARD0", None)] + good(3)):
            self.assertEqual(self.full(2, entries), "Failed")
            self.holds(1, "CARD0", "CARD1")


class DifferentialTest(_Case, unittest.TestCase):
    def test_it_adds_changes_and_removes(self):
        self.full(1, good(3))
        changes = [("CARD3", ACCEPTED), ("CARD1", None), ("CARD2", BLOCKED)]
        self.assertEqual(self.send(2, changes), "Accepted")
        self.assertEqual(self.get("CARD2"), ("Blocked", 0, None))
        self.assertIsNone(self.get("CARD1"))
        self.assertEqual(self.send(3, [("CARD2", None)]), "Accepted")
        self.holds(3, "CARD0", "CARD3")

    def test_without_entries_it_is_a_new_version(self):
        self.full(1, good(2))
        self.assertEqual(self.send(2, []), "Accepted")
        self.holds(2, "CARD0", "CARD1")

    def test_removals_in_any_order_and_number(self):
        count = 60
        orders = (range(count), range(count - 1, -1, -1), [i * 37 % count for i in range(count)])
        version = 0
        for order in orders:
            for removed in (1, 2, 3, 31, 59, 60):
                gone = ["CARD%d" % number for number in list(order)[:removed]]
                version += 2
                self.full(version - 1, good(count))
                self.assertEqual(self.send(version, [(id_tag, None) for id_tag in gone]), "Accepted")
                for number in range(count):
                    id_tag = "CARD%d" % number
                    self.assertEqual(self.list.get(id_tag) is None, id_tag in gone, id_tag)
                self.assertEqual(self.table.count, count - removed)

    def test_removing_whom_nobody_knows_changes_nothing(self):
        self.full(1, good(1))
        self.assertEqual(self.send(2, [("STRANGER", None), ("STRANGER", None)]), "Accepted")
        self.holds(2, "CARD0")


class EntryTest(_Case, unittest.TestCase):
    def test_the_last_word_on_a_card_counts(self):
        entries = good(3) + [("CARD1", BLOCKED), ("CARD2", BLOCKED), ("CARD2", ACCEPTED)]
        for full in (True, False):
            self.assertEqual(self.send(1 + self.list.version, entries, full), "Accepted")
            self.assertEqual(self.get("CARD1"), ("Blocked", 0, None))
            self.assertEqual(self.get("CARD2"), ("Accepted", 0, None))
            self.assertEqual(self.table.count, 3)
        self.send(10, [("CARD0", None), ("CARD0", BLOCKED), ("CARD1", ACCEPTED), ("CARD1", None)])
        self.assertEqual(self.get("CARD0"), ("Blocked", 0, None))
        self.assertIsNone(self.get("CARD1"))

    def test_everything_about_a_card_is_kept(self):
        infos = [
            IdTagInfo(status, expiry, parent)
            for status in ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")
            for expiry in (0, 1, NOON, 0xFFFFFFFE)
            for parent in (None, FAMILY)
        ]
        self.full(1, [("CARD%d" % i, infos[i]) for i in range(len(infos))])
        self.use(self.flash.after())
        for i in range(len(infos)):
            self.assertEqual(self.get("CARD%d" % i), told(infos[i]))

    def test_a_card_expires(self):
        """§3.5.2: by its expiryDate, whatever its status says."""
        self.full(1, [("CARD0", IdTagInfo("Accepted", NOON + 60)), ("CARD1", ACCEPTED)])
        self.assertEqual(self.local("CARD0")[0], "Accepted")
        self.clock.advance(60)
        self.assertEqual(self.local("CARD0")[0], "Expired")
        self.assertEqual(self.local("CARD1")[0], "Accepted")

    def test_case_does_not_matter(self):
        """CiString20Type"""
        self.full(1, [("AbCdEf", ACCEPTED), ("ABCDEF", BLOCKED)])
        for id_tag in ("abcdef", "ABCDEF", "aBcDeF"):
            self.assertEqual(self.get(id_tag), ("Blocked", 0, None))
        self.send(2, [("abcdef", None)])
        self.assertIsNone(self.get("ABCDEF"))
        self.holds(2)


class CacheTest(_Case, unittest.TestCase):
    def test_the_list_has_precedence(self):
        """§4.1"""
        self.full(1, [("CARD0", ACCEPTED), ("CARD1", BLOCKED)])
        self.cache.put("CARD0", BLOCKED)
        self.cache.put("CARD1", ACCEPTED)
        self.cache.put("CARD2", ACCEPTED)
        self.assertEqual([self.local("CARD%d" % i)[0] for i in range(3)], ["Accepted", "Blocked", "Accepted"])

    def test_switched_off_it_has_no_say(self):
        self.full(1, [("CARD0", BLOCKED)])
        self.cache.put("CARD0", ACCEPTED)
        self.settings.change("LocalAuthListEnabled", "false")
        self.assertEqual(self.local("CARD0")[0], "Accepted")

    def test_a_conflicting_entry_is_dropped_a_confirmed_one_is_not(self):
        family = IdTagInfo("Accepted", NOON + 60, FAMILY)
        for id_tag in ("CARD0", "CARD1", "CARD2", "CARD3"):
            self.cache.put(id_tag, family)
        self.full(1, [("card0", BLOCKED), ("CARD1", family), ("CARD2", IdTagInfo("Accepted", NOON + 60, None))])
        self.assertEqual([len(self.cache), self.local("CARD0")[0]], [2, "Blocked"])
        self.full(2, [])
        kept = [self.local("CARD%d" % i) for i in range(4)]
        self.assertEqual(kept, [None, told(family), None, told(family)])

    def test_a_card_of_the_list_does_not_enter_the_cache(self):
        """§4.1"""
        self.full(1, [("CARD0", BLOCKED)])
        self.authorization.learn("card0", ACCEPTED)
        self.authorization.learn("CARD1", ACCEPTED)
        self.assertEqual([self.local("CARD0")[0], self.local("CARD1")[0]], ["Blocked", "Accepted"])
        self.full(2, [])
        self.assertIsNone(self.local("CARD0"))


class FailureTest(_Case, unittest.TestCase):
    """Failed, and the list is what it was."""

    def setUp(self):
        super().setUp()
        self.full(1, good(3))

    def fails(self, version, entries, full, reason):
        self.assertEqual(self.send(version, entries, full), "Failed")
        self.assertIn(reason, self.log.at("error")[-1])
        self.holds(1, "CARD0", "CARD1", "CARD2")

    def test_more_entries_than_send_local_list_max_length(self):
        self.settings = Settings(None, self.log, {"SendLocalListMaxLength": 5})
        self.use(self.flash)
        for full in (True, False):
            self.fails(2, [("SAME", ACCEPTED)] * 6, full, "more than 5 entries")
        self.fails(2, [("CARD%d" % i, None) for i in range(6)], False, "more than 5 entries")
        self.assertEqual(self.send(2, [("SAME", ACCEPTED)] * 5), "Accepted")
        self.holds(2, "CARD0", "CARD1", "CARD2", "SAME")

    def test_more_cards_than_the_list_may_have(self):
        """One that has as many as it may have is taken, whether they come at once or one after the other."""
        most = self.list.max_length
        self.assertGreater(most, 500)
        self.settings = Settings(None, self.log, {"SendLocalListMaxLength": 100_000})
        self.use(self.flash)
        self.fails(2, good(most + 1), True, "more than %d cards" % most)
        self.fails(2, good(most - 2, 3), False, "more than %d cards" % most)
        self.assertEqual(self.send(2, good(most - 3, 3)), "Accepted")
        self.assertEqual(self.table.count, most)
        self.assertEqual(self.send(3, good(1, most)), "Failed")
        self.assertEqual(self.send(3, [("CARD0", None)] + good(1, most)), "Accepted")
        self.assertEqual(self.full(4, good(most)), "Accepted")
        self.use(self.flash.after())
        self.assertEqual((self.list.version, self.table.count, self.list.max_length), (4, most, most))
        self.assertEqual([self.get("CARD0") is None, self.get("CARD%d" % most) is None], [False, True])

    def spoiled(self, first, entries, full):
        """An update whose programs and erases fail from the `first` on; then the flash is well again."""
        for operation in range(first, first + 300):
            self.flash.fail(operation, "undone")
        status = self.send(2, entries, full)
        self.flash.mend()
        return status

    def test_flash_that_does_not_take_it(self):
        for full in (True, False):
            for count in (2, 400):
                first = 1
                while self.spoiled(first, good(count, 5), full) == "Failed":
                    self.holds(1, "CARD0", "CARD1", "CARD2")
                    first += 1 if count < 10 else 7
                self.assertGreater(first, 3)
                self.assertEqual((self.list.version, self.table.count), (2, count if full else count + 3))
                self.full(1, good(3))

    def test_an_entry_after_the_failure_does_no_harm(self):
        self.assertEqual(self.spoiled(1, good(800), True), "Failed")
        self.holds(1, "CARD0", "CARD1", "CARD2")


class UpdateTest(_Case, unittest.TestCase):
    def test_nothing_counts_before_the_end(self):
        async def scenario():
            update = self.list.begin()
            await fill(update, good(500))
            self.assertEqual((self.list.version, self.list.get("CARD7")), (0, None))
            return await update.finish(1, True)

        self.assertEqual(asyncio.run(scenario()), "Accepted")
        self.assertEqual((self.list.version, self.table.count), (1, 500))

    def test_switched_off_it_is_not_supported(self):
        self.settings.change("LocalAuthListEnabled", "false")
        for full in (True, False):
            for version in (0, 1):
                self.assertEqual(self.send(version, good(500), full), "NotSupported")
        self.assertEqual(self.flash.programs, 0)  # nor does it wear the flash
        self.settings.change("LocalAuthListEnabled", "true")
        self.holds(0)

    def test_switched_off_in_the_middle(self):
        async def scenario():
            update = self.list.begin()
            await fill(update, good(5))
            self.settings.change("LocalAuthListEnabled", "false")
            await fill(update, good(5, 5))
            return await update.finish(1, True)

        self.assertEqual(asyncio.run(scenario()), "NotSupported")
        self.settings.change("LocalAuthListEnabled", "true")
        self.assertEqual((self.list.version, self.table.count), (0, 0))
        self.assertEqual(self.full(1, good(1)), "Accepted")  # nothing is in its way
        self.holds(1, "CARD0")

    def test_of_two_at_once_the_second_fails(self):
        async def scenario():
            first, second = self.list.begin(), self.list.begin()
            await fill(second, good(2, 10))
            await fill(first, good(2))
            return await second.finish(2, True), await first.finish(1, True)

        self.assertEqual(asyncio.run(scenario()), ("Failed", "Accepted"))
        self.assertIn("another update", self.log.at("error")[-1])
        self.holds(1, "CARD0", "CARD1")

    def test_abort_leaves_the_list_and_makes_way(self):
        async def scenario():
            update = self.list.begin()
            await fill(update, good(500) + [("CARD1", None)])
            update.abort()
            update.abort()

        self.full(1, good(1))
        asyncio.run(scenario())
        self.holds(1, "CARD0")
        self.assertEqual(self.send(2, good(1, 1)), "Accepted")
        self.holds(2, "CARD0", "CARD1")

    def test_nothing_of_it_stays_in_ram(self):
        for full, entries in ((True, good(800)), (False, good(3)), (True, [("CARD0", None)])):
            gc.collect()
            before = gc.mem_alloc()
            self.send(1 + self.list.version, entries, full)
            gc.collect()
            self.assertLess(gc.mem_alloc() - before, 2048)


class MergeTest(_Case, unittest.TestCase):
    def test_the_task_brings_the_table_in_order(self):
        """Changes that have gathered go to their places when there is nothing else to do."""

        async def sleep_ms(ms, slept=asyncio.sleep_ms):
            await slept(0)

        async def scenario():
            task = asyncio.create_task(self.list.run())
            for _ in range(1000):
                await asyncio.sleep_ms(0)
            task.cancel()

        self.full(1, good(3))
        version = 1
        while not self.table.merge_due:
            version += 1
            self.send(version, good(20, version * 20))
        count = self.table.count
        slept, asyncio.sleep_ms = asyncio.sleep_ms, sleep_ms
        try:
            asyncio.run(scenario())
        finally:
            asyncio.sleep_ms = slept
        self.assertFalse(self.table.merge_due)
        self.assertEqual((self.list.version, self.table.count), (version, count))
        self.assertEqual(self.get("CARD0"), ("Accepted", 0, None))
        self.assertEqual(self.get("CARD%d" % (version * 20)), ("Accepted", 0, None))
