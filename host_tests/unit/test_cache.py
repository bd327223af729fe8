"""The authorization cache: bounds and order of leaving, what is written when, restarts, power cuts, damage."""

import asyncio
import gc
import os
import random
import time
import unittest

from charging_fakes import settle
from fakes import FakeClock, FakeLog
from flashes import UNDONE, WAYS, CuttableFlash, PowerCut
from station.charging.authorization import IdTagInfo, parent_text
from station.charging.cache import GATHER_MS, GATHERED, Cache
from station.charging.cache_index import FOR_EVER, Index
from station.settings import Settings
from station.storage.cards.card_hash import CardHash
from station.storage.journal import Journal
from station.storage.region import Region

NOON = 1795345200
HASH = CardHash(b"test" * 8)
FAMILY = parent_text(HASH.parent("FAMILY"))
ACCEPTED = IdTagInfo("Accepted")
BLOCKED = IdTagInfo("Blocked")
WORD = 32


def told(info):
    """An IdTagInfo as one can compare it."""
    return info and (info.status, info.expiry, info.parent_id_tag)


class SamePrefix:
    """A hash whose prefixes are all alike for cards that begin with the same letter."""

    def of(self, id_tag):
        return id_tag[0].encode() * 4 + HASH.of(id_tag)[:6]


class _Case:
    def setUp(self):
        self.log = FakeLog()
        self.clock = FakeClock(NOON)
        self.hash = HASH
        self.settings = {"AuthorizationCacheMaxLength": 3, "AuthorizationCacheEnabled": True}
        self.use(CuttableFlash(32))

    def use(self, flash):
        """Boot on this flash."""
        self.flash = flash
        keys = "AuthorizationCacheMaxLength", "AuthorizationCacheEnabled"
        self.settings = Settings(None, self.log, {key: self.settings[key] for key in keys})
        self.journal = Journal(Region(flash, 0, flash.blocks), self.log)
        self.journal.mount()
        self.cache = Cache(self.journal, self.hash, self.settings, self.clock, self.log)
        self.cache.load()

    def cut(self):
        """The power goes and comes back."""
        self.use(self.flash.after())

    def restart(self):
        self.assertTrue(self.cache.flush())
        self.cut()

    def limit(self, length):
        self.assertEqual(self.settings.change("AuthorizationCacheMaxLength", str(length)), "Accepted")

    def enable(self, enabled):
        self.assertEqual(self.settings.change("AuthorizationCacheEnabled", str(enabled)), "Accepted")

    def put(self, keys, info=ACCEPTED):
        for key in keys:
            self.cache.put(key, info)

    def order(self):
        """The cards A to Z that are held, the least recently used first, without using them."""
        index = self.cache._index
        names = {HASH.of(key)[:4]: key for key in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
        return "".join([names[index.prefix(row)] for row in range(index.count)])


class CacheTest(_Case, unittest.TestCase):
    def test_get_what_was_put_whatever_the_case(self):
        info = IdTagInfo("Accepted", NOON, FAMILY)
        self.cache.put("abCD", info)
        self.assertEqual(told(self.cache.get("ABcd")), told(info))
        self.assertIsNone(self.cache.get("ABCE"))
        self.cache.put("ABCD", ACCEPTED)
        self.assertEqual(len(self.cache), 1)
        self.assertEqual(told(self.cache.get("abcd")), told(ACCEPTED))

    def test_whatever_may_be_known_of_a_card_survives_a_restart(self):
        self.limit(50)
        known = {}
        for status in ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"):
            for expiry in (0, 1, NOON, 0xFFFFFFFE):
                for parent in (None, FAMILY):
                    info = IdTagInfo(status, expiry, parent)
                    id_tag = "%s %d %s" % (status, expiry, parent is None)
                    known[id_tag] = info
                    self.cache.put(id_tag, info)
        for _ in range(2):
            for id_tag, info in known.items():
                self.assertEqual(told(self.cache.get(id_tag)), told(info))
            self.cut()
        self.assertEqual(len(self.cache), len(known))

    def test_an_expiry_beyond_32_bits_is_as_far_as_they_go(self):
        self.put("A", IdTagInfo("Accepted", 1 << 40))
        self.put("B", IdTagInfo("Accepted", -5))
        self.assertTrue(self.cache.get("A").as_of(NOON).accepted)
        self.assertFalse(self.cache.get("B").as_of(NOON).accepted)
        words = self.flash.programs
        self.put("A", IdTagInfo("Accepted", 1 << 40))
        self.assertEqual(self.flash.programs, words)

    def test_no_card_and_no_group_lie_in_flash_in_clear(self):
        self.cache.put("04A1B2C3D4E5F6", IdTagInfo("Accepted", 0, FAMILY))
        self.cache.flush()
        cells = bytes(self.flash.cells)
        for text in (b"04A1B2C3D4E5F6", b"04a1b2c3d4e5f6", b"FAMILY", bytes.fromhex("04A1B2C3D4E5F6")):
            self.assertEqual(cells.find(text), -1)

    def test_another_secret_knows_nobody(self):
        self.put("A")
        self.hash = CardHash(b"another secret" * 2)
        self.cut()
        self.assertIsNone(self.cache.get("A"))

    def test_the_least_recently_used_leaves_first(self):
        self.put("ABC")
        self.cache.get("A")
        self.put("B")
        self.put("D")
        self.assertEqual(self.order(), "ABD")

    def test_what_lets_nobody_charge_leaves_before(self):
        self.put("A")
        self.put("B", IdTagInfo("Accepted", NOON + 10))
        self.put("C", BLOCKED)
        self.put("D", IdTagInfo("Invalid"))  # stays, being new
        self.assertEqual(self.order(), "ABD")
        self.put("E")
        self.assertEqual(self.order(), "ABE")
        self.clock.advance(10)
        self.put("F")
        self.assertEqual(self.order(), "AEF")
        self.clock.set(NOON - 100)
        self.cut()
        self.assertEqual(self.order(), "AEF")  # who left has left for good

    def test_a_new_limit_works_at_once(self):
        self.put("ABC")
        self.limit(1)
        self.assertEqual(self.order(), "C")
        self.limit(2)
        self.put("DE")
        self.assertEqual(self.order(), "DE")
        self.restart()
        self.assertEqual(self.order(), "DE")
        self.limit(3)
        self.put("F")
        self.assertEqual(self.order(), "DEF")

    def test_a_smaller_limit_holds_after_a_power_cut(self):
        self.put("ABC")
        self.limit(2)
        self.cut()
        self.assertEqual(self.order(), "BC")
        self.cache.flush()
        self.put("C")
        self.limit(3)
        self.cut()
        self.assertEqual(self.order(), "BC")  # A does not come back

    def test_two_cards_of_one_prefix_are_never_taken_for_each_other(self):
        self.hash = SamePrefix()
        self.cut()
        self.put(["X1", "Y1"])
        self.assertIsNone(self.cache.get("X2"))
        self.cache.contradict("X2", BLOCKED)
        self.assertEqual(told(self.cache.get("X1")), told(ACCEPTED))
        self.put(["X2"], BLOCKED)
        for _ in range(2):
            self.assertIsNone(self.cache.get("X1"))
            self.assertEqual(self.cache.get("X2").status, "Blocked")
            self.assertEqual(len(self.cache), 2)
            self.cut()


class SwitchedOffTest(_Case, unittest.TestCase):
    def test_it_knows_nothing_and_believes_nothing_outdated_later(self):
        self.put("AB")
        self.enable(False)
        self.assertIsNone(self.cache.get("A"))
        self.put("A", BLOCKED)
        self.put("B")
        self.put("C")
        self.enable(True)
        self.assertEqual(self.order(), "B")
        self.cut()
        self.assertEqual(self.order(), "B")

    def test_what_is_contradicted_is_forgotten_for_good(self):
        self.put("ABC")
        self.cache.contradict("A", ACCEPTED)
        self.cache.contradict("B", IdTagInfo("Accepted", NOON))
        self.cache.contradict("C", IdTagInfo("Accepted", 0, FAMILY))
        self.cache.contradict("D", BLOCKED)
        for _ in range(2):
            self.assertEqual(self.order(), "A")
            self.cut()


class FlashTest(_Case, unittest.TestCase):
    """What is written, and when."""

    def words(self, work, *arguments):
        before = self.flash.bytes_programmed
        work(*arguments)
        return (self.flash.bytes_programmed - before) // WORD

    def test_a_card_is_one_word_and_nothing_that_did_not_change_is_written(self):
        self.put("A")
        info = IdTagInfo("Accepted", NOON, FAMILY)
        self.assertEqual(self.words(self.cache.put, "B", info), 1)
        self.assertEqual(self.words(self.cache.put, "B", info), 0)
        self.assertEqual(self.words(self.cache.put, "B", IdTagInfo("Accepted", NOON + 1, FAMILY)), 1)
        self.assertEqual(self.words(self.cache.get, "B"), 0)
        self.assertEqual(self.words(self.cache.flush), 0)

    def test_a_change_for_the_worse_is_written_twice(self):
        was = IdTagInfo("Accepted", NOON, FAMILY)
        worse = BLOCKED, IdTagInfo("Accepted", NOON - 1, FAMILY), IdTagInfo("Accepted", NOON), IdTagInfo("Invalid")
        for info in worse:
            self.cache.put("A", was)
            self.assertEqual(self.words(self.cache.put, "A", info), 2)
        for before, after in (
            (BLOCKED, ACCEPTED),
            (BLOCKED, IdTagInfo("Invalid")),
            (was, IdTagInfo("Accepted", 0, FAMILY)),
        ):
            self.cache.clear()
            self.cache.put("A", before)
            self.assertEqual(self.words(self.cache.put, "A", after), 1)

    def test_the_order_of_use_is_written_together(self):
        self.put("ABC")
        self.assertEqual(self.words(self.cache.get, "A") + self.words(self.cache.get, "B"), 0)
        self.cut()
        self.assertEqual(self.order(), "ABC")  # lost: freshness
        self.cache.get("A")
        self.cache.get("B")
        self.cache.get("A")
        self.assertEqual(self.words(self.cache.flush), 2)
        self.cut()
        self.assertEqual(self.order(), "CBA")

    def test_learning_a_card_keeps_the_order_of_those_used_before(self):
        self.put("ABC")
        self.cache.get("A")
        self.cache.get("B")
        self.assertEqual(self.words(self.cache.put, "B", BLOCKED), 3)  # A, then B twice
        self.cut()
        self.assertEqual(self.order(), "CAB")

    def run_with_time(self, *scenes):
        """Runs the task; each scene is (milliseconds that pass before, work). Returns the words after each."""

        async def test():
            task = asyncio.create_task(self.cache.run())
            await settle()
            written = []
            for wait, work in scenes:
                time.advance(wait)
                await settle(80)
                work()
                await settle(80)
                written.append(self.flash.bytes_programmed // WORD)
            task.cancel()
            return written

        return asyncio.run(test())

    def test_a_busy_station_writes_once_a_minute(self):
        self.put("ABC")

        def use():
            for key in "ABC":
                self.cache.get(key)

        def nothing():
            pass

        before = self.flash.bytes_programmed // WORD
        written = self.run_with_time(
            (0, use), (GATHER_MS - 1000, use), (900, nothing), (100, nothing), (3 * GATHER_MS, nothing), (0, use)
        )
        self.assertEqual([words - before for words in written], [0, 0, 0, 3, 3, 3])
        self.cut()
        self.assertEqual(self.order(), "ABC")

    def test_many_cards_do_not_wait_for_the_minute(self):
        self.limit(100)
        keys = ["CARD %d" % i for i in range(40)]
        self.put(keys)
        before = self.flash.bytes_programmed // WORD

        def use(count):
            return lambda: [self.cache.get(key) for key in keys[:count]]

        written = self.run_with_time((0, use(GATHERED - 1)), (1, use(GATHERED)))
        self.assertEqual([words - before for words in written], [0, GATHERED])

    def test_a_write_that_failed_is_tried_again(self):
        self.put("ABC")
        self.cache.get("A")
        for operation in range(1, 50):  # whatever the journal tries
            self.flash.fail(operation)
        self.assertFalse(self.cache.flush())
        self.assertIn("could not be written", "\n".join(self.log.at("error")))
        self.assertEqual(told(self.cache.get("A")), told(ACCEPTED))
        self.flash.mend()
        self.run_with_time((GATHER_MS, lambda: None))
        self.cut()
        self.assertEqual(self.order(), "BCA")

    def test_flash_that_takes_nothing_is_tried_once_a_minute(self):
        """Not in a loop that wears it out, though room should be short as well."""
        self.limit(100)
        self.put(["CARD %d" % i for i in range(100)])
        for operation in range(1, 5000):
            self.flash.fail(operation, UNDONE)
        self.cache.get("CARD 1")
        self.cache._renew()
        tried = self.flash.operations

        def count():
            tries.append(self.flash.operations - tried)

        tries = []
        self.run_with_time(*[(GATHER_MS, count) for _ in range(5)])
        self.assertLessEqual(tries[0], 100)
        self.assertLessEqual(tries[-1], 120)

    def test_clear_is_on_flash_at_once_and_empties_nothing_else(self):
        self.put("ABC")
        self.assertTrue(self.cache.clear())
        self.assertEqual(len(self.cache), 0)
        self.cut()
        self.assertEqual(len(self.cache), 0)
        self.put("D")
        self.cut()
        self.assertEqual(self.order(), "D")

    def test_clear_that_flash_refuses_says_so_and_is_done_later(self):
        self.put("ABC")
        for operation in range(1, 50):
            self.flash.fail(operation, UNDONE)
        self.assertFalse(self.cache.clear())
        self.assertIn("could not be cleared", self.log.at("error")[-1])
        self.assertEqual(len(self.cache), 0)
        self.flash.mend()
        self.run_with_time((GATHER_MS, lambda: None))
        self.cut()
        self.assertEqual(len(self.cache), 0)

    def test_flash_that_refuses_a_change_for_the_worse_costs_the_cache(self):
        self.put("ABC")
        for operation in range(1, 50):
            self.flash.fail(operation)
        self.put("B", BLOCKED)
        self.assertEqual(len(self.cache), 0)
        self.flash.mend()
        self.assertTrue(self.cache.flush())
        self.cut()
        self.assertEqual(len(self.cache), 0)

    def test_a_card_that_was_given_up_for_one_that_could_not_be_written_does_not_come_back(self):
        self.put("ABC")
        for operation in range(1, 50):
            self.flash.fail(operation, UNDONE)
        self.put("D")
        self.put("A", BLOCKED)
        self.assertEqual(self.order(), "C")  # each took the place of another
        self.flash.mend()
        self.assertTrue(self.cache.flush())
        self.cut()
        self.assertEqual(self.order(), "C")

    def test_damage_is_a_stranger_and_is_logged(self):
        self.put("ABC")
        at = (2 + 1) * WORD + 14  # B: the second word behind the header
        self.flash.flip(at, 3)
        self.assertIsNone(self.cache.get("B"))
        self.assertIn("damaged", self.log.at("error")[-1])
        self.assertEqual(self.order(), "AC")
        del self.log.lines[:]
        self.cut()
        self.assertEqual(self.order(), "AC")
        self.assertTrue(self.log.at("warning"))

    def test_no_single_damaged_word_gives_back_the_leave_to_charge(self):
        def is_worse(case):
            case.put("ABCD")
            case.put("A", BLOCKED)
            case.put("B", IdTagInfo("Accepted", NOON - 1))
            case.put("C", IdTagInfo("Accepted", 0, FAMILY))
            case.put("C", IdTagInfo("Accepted", NOON - 1, FAMILY))
            case.cache.contradict("D", BLOCKED)

        def is_cleared(case):
            case.put("ABCD")
            case.cache.clear()

        def is_given_up(case):
            case.limit(4)
            case.put("ABCD", IdTagInfo("Accepted", NOON + 1))
            case.cache.get("A")
            case.clock.advance(2)
            case.put("EFGH", BLOCKED)
            case.limit(2)
            case.cache.flush()

        for story in (is_worse, is_cleared, is_given_up):
            self.setUp()
            self.limit(9)
            story(self)
            flash = self.flash
            for word in range(2, flash.bytes_programmed // WORD):  # headers have two copies
                for byte in (0, 5, 9, 13, 25):
                    damaged = flash.after()
                    damaged.flip(word * WORD + byte, word % 8)
                    self.use(damaged)
                    for key in "ABCD":
                        info = self.cache.get(key)
                        self.assertFalse(
                            info and info.as_of(self.clock.now()).accepted, "%s, word %d, byte %d" % (key, word, byte)
                        )

    def test_a_record_of_a_later_firmware_is_left_alone(self):
        self.put("A")
        self.journal.append(0x20, b"what may this be")
        self.journal.append(1, b"short")
        self.cut()
        self.assertEqual(self.order(), "A")
        self.assertEqual(len([text for text in self.log.at("warning") if "no known kind" in text]), 2)

    def test_records_are_renewed_so_that_a_boot_reads_few(self):
        self.limit(10)
        for _ in range(300):
            for key in "ABCDEFGHIJ":
                self.cache.get(key) or self.put(key)
            self.cache.flush()
        self.assertEqual(self.order(), "ABCDEFGHIJ")
        most = 4 * (10 + 32)
        self.assertLessEqual(self.journal.next - self.journal.first, most + 10)
        self.cut()
        self.assertEqual(self.order(), "ABCDEFGHIJ")
        self.assertFalse(self.log.at("error"))

    def test_a_full_cache_renews_itself_in_its_region(self):
        """As many cards as may be, each used again and again, twice around the ring."""
        self.limit(1000)
        keys = ["CARD %d" % i for i in range(1000)]
        self.put(keys, IdTagInfo("Accepted", NOON + 1, FAMILY))
        most = 0
        for _turn in range(8):
            for i in range(0, 1000, 10):
                for key in keys[i : i + 10]:
                    self.cache.get(key)
                self.cache.flush()
            most = max(most, self.journal.next - self.journal.first)
        self.assertFalse(self.log.at("error"))
        self.assertEqual(len(self.cache), 1000)
        begun = time.ticks_us()
        self.cut()
        print("1000 cards in %d records: %d ms to boot" % (most, time.ticks_diff(time.ticks_us(), begun) // 1000))
        for key in keys:
            self.assertEqual(told(self.cache.get(key)), ("Accepted", NOON + 1, FAMILY))

    def test_wear_of_a_thousand_swipes(self):
        """50 cards in random order, a swipe every 20 s: looked up, asked about, told again at start and stop."""
        self.limit(200)
        self.put(["CARD %d" % i for i in range(50)])
        random.seed(7)
        bytes_before, erases = self.flash.bytes_programmed, self.flash.erases
        for swipe in range(1000):
            key = "CARD %d" % (random.getrandbits(16) % 50)
            self.cache.get(key)
            for _ in range(3):
                self.cache.put(key, ACCEPTED)
            if swipe % 3 == 2:
                self.cache.flush()
        programmed = self.flash.bytes_programmed - bytes_before
        erased = self.flash.erases - erases
        print("1000 swipes of 50 cards: %d bytes programmed, %d blocks erased" % (programmed, erased))
        self.assertLessEqual(programmed, 1000 * WORD * 3 // 2)
        self.assertLessEqual(erased, 12)


class MemoryTest(_Case, unittest.TestCase):
    def test_memory_is_a_fixed_share(self):
        """12 bytes a card that may be held, whatever is; and nothing stays of work."""
        used = []
        for limit in (10, 1000):
            gc.collect()
            before = gc.mem_alloc()
            index = Index(limit)
            gc.collect()
            used.append(gc.mem_alloc() - before)
            self.assertEqual(index.count, 0)
        per_card = (used[1] - used[0]) / 990
        print("index: %d bytes for 10 cards, %d for 1000" % tuple(used))
        self.assertLessEqual(per_card, 12.5)
        self.limit(200)
        self.put(["WARM"])
        gc.collect()
        before = gc.mem_alloc()
        for i in range(400):
            self.cache.put("CARD %d" % i, IdTagInfo("Accepted", NOON + i, FAMILY))
            self.cache.get("CARD %d" % (i // 2))
        self.cache.flush()
        gc.collect()
        grown = gc.mem_alloc() - before
        print("400 cards later: %d bytes more" % grown)
        self.assertEqual(len(self.cache), 200)
        self.assertLessEqual(grown, 300)


class IndexTest(unittest.TestCase):
    def test_against_a_list(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        random.seed(seed)
        index, rows, limit = Index(6), [], 6
        for number in range(1, 4000):
            prefix = bytes([random.getrandbits(1) * 255 for _ in range(4)])
            at = [row[0] for row in rows].index(prefix) if prefix in [row[0] for row in rows] else -1
            self.assertEqual(index.find(prefix), at)
            choice = random.getrandbits(4)
            if at >= 0 and choice < 5:
                self.assertEqual(index.touch(at), at < len(rows) - 1)
                rows.append(rows.pop(at))
            elif at >= 0 and choice < 9:
                index.remove(at)
                rows.pop(at)
            elif at < 0 and len(rows) < limit:
                until = random.choice((0, NOON, FOR_EVER))
                index.add(prefix, number, until)
                rows.append((prefix, number, until))
            elif choice == 15:
                limit = len(rows) + random.getrandbits(2) + 1
                index.resize(limit)
            self.assertEqual(index.count, len(rows))
            self.assertEqual([index.prefix(row) for row in range(len(rows))], [row[0] for row in rows])
            self.assertEqual(list(index.numbers)[: len(rows)], [row[1] for row in rows])
            self.assertEqual(list(index.untils)[: len(rows)], [row[2] for row in rows])
            settled = list(index.numbers)[: index.settled]
            self.assertEqual(settled, sorted(settled))
            if rows:
                self.assertEqual(index.lowest(), min([row[1] for row in rows]))
            bad = [row for row in range(len(rows)) if rows[row][2] <= NOON]
            self.assertEqual(index.victim(NOON), bad[0] if bad else 0)


class _Model:
    """What a cache must hold: `cards` are [key, told], the least recently used first; `said`: the last word on each."""

    def __init__(self, limit):
        self.limit = limit
        self.cards = []
        self.said = {}
        self.enabled = True

    def of(self, key):
        found = [card for card in self.cards if card[0] == key]
        return found[0] if found else None

    def touch(self, card):
        self.cards.remove(card)
        self.cards.append(card)

    def put(self, key, what):
        card = self.of(key)
        self.said[key] = what
        if not self.enabled:
            if card and card[1] != what:
                self.cards.remove(card)
            return
        if card:
            self.cards.remove(card)
        self.give_up(self.limit - 1)
        self.cards.append([key, what])

    def give_up(self, limit):
        while len(self.cards) > limit:
            bad = [card for card in self.cards if card[1][0] != "Accepted" or 0 < card[1][1] <= NOON]
            self.cards.remove(bad[0] if bad else self.cards[0])


KEYS = "ABCDEFGHIJKL"
INFOS = (
    ACCEPTED,
    ACCEPTED,
    ACCEPTED,
    BLOCKED,
    IdTagInfo("Invalid"),
    IdTagInfo("Accepted", NOON - 5),
    IdTagInfo("Accepted", NOON + 5, FAMILY),
    IdTagInfo("Accepted", 0, FAMILY),
)


def is_believed(info, words):
    """Whether what is held lets in no more than the last word on the card, (status, expiry, parent), does."""
    if info is None or not info.as_of(NOON).accepted:
        return True
    status, expiry, parent = words
    soon_enough = not expiry or 0 < info.expiry <= expiry
    return status == "Accepted" and soon_enough and info.parent_id_tag == parent


class ModelTest(_Case, unittest.TestCase):
    """Random work against a model, with restarts and power cuts in between, on a ring that turns often."""

    def begin(self, seed):
        random.seed(seed)
        self.limit(5)
        self.use(CuttableFlash(8, 1024))
        self.model = _Model(5)

    def step(self):
        """One piece of work on both. The model is told first: a cut may come in the midst."""
        model, cache = self.model, self.cache
        key, choice = random.choice(KEYS), random.getrandbits(6)
        if choice == 0:
            model.cards = []
            model.said = {}
            cache.clear()
        elif choice == 1:
            model.enabled = not model.enabled
            self.enable(model.enabled)
        elif choice == 2:
            model.limit = random.choice((1, 3, 5, 8))
            model.give_up(model.limit)
            self.limit(model.limit)
        elif choice < 8:
            cache.flush()
        elif choice < 30:
            card = model.of(key) if model.enabled else None
            if card:
                model.touch(card)
            self.assertEqual(told(cache.get(key)), card and card[1])
        else:
            info = random.choice(INFOS)
            model.put(key, told(info))
            cache.put(key, info)

    def compare(self):
        self.assertEqual(self.order(), "".join([card[0] for card in self.model.cards]))

    def test_with_orderly_restarts(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        for _ in range(3000):
            self.step()
            if not random.getrandbits(4):
                self.compare()
            if not random.getrandbits(6):
                self.restart()
                self.compare()
        print("%d blocks erased" % sum(self.flash.wear))
        self.assertFalse(self.log.at("error"))

    def check_after_cut(self, before):
        """Nothing wrong; what was said last, or before the piece of work that was cut; strangers only by freshness.

        `before` is (what had been said, the keys held) before that piece of work.
        """
        model = self.model
        self.enable(True)
        said, held = before
        here = self.order()
        for key in here:
            words = (model.said.get(key), said.get(key))
            what = told(self.cache.get(key))
            self.assertIn(what, words, "%s is %r, was said to be %r" % (key, what, words))
        for key in held:
            card = model.of(key)
            self.assertTrue(key in here or not card or len(here) >= model.limit, "%s is lost" % key)
        self.assertLessEqual(len(here), model.limit)
        # go on from what is there
        model.enabled = True
        model.cards = [[key, told(self.cache.get(key))] for key in here]
        model.said = {card[0]: card[1] for card in model.cards}
        self.compare()

    def test_with_power_cuts(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        cuts = 0
        for _ in range(1200):
            self.flash.cut(1 + random.getrandbits(5), random.choice(WAYS))
            try:
                while True:
                    before = dict(self.model.said), [card[0] for card in self.model.cards]
                    self.step()
            except PowerCut:
                cuts += 1
            self.cut()
            self.check_after_cut(before)
            self.assertFalse(self.log.at("error"))
            del self.log.lines[:]
        print("%d power cuts, %d blocks erased" % (cuts, sum(self.flash.wear)))

    def test_a_story_cut_at_each_operation(self):
        """The same piece of history, cut at every program and erase in every way."""
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        for _ in range(120):
            self.step()
        start, model_start = self.flash.after(), self.model
        total = 0
        for way in WAYS:
            operation = 0
            while True:
                operation += 1
                self.model = _Model(model_start.limit)
                self.model.cards = [list(card) for card in model_start.cards]
                self.model.said = dict(model_start.said)
                self.limit(model_start.limit)
                self.enable(True)
                self.use(start.after())
                self.check_after_cut((self.model.said, ""))
                random.seed(seed + 1)
                self.flash.cut(operation, way)
                try:
                    for _ in range(60):
                        before = dict(self.model.said), [card[0] for card in self.model.cards]
                        self.step()
                except PowerCut:
                    total += 1
                    self.cut()
                    self.check_after_cut(before)
                else:
                    break
        print("%d cut points" % total)
        self.assertGreater(total, 20)

    def test_with_failing_writes_nothing_outdated_is_believed(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        self.begin(seed)
        refused = 0
        for _ in range(400):
            for _ in range(1 + random.getrandbits(2)):
                self.flash.fail(1 + random.getrandbits(4))
            for _ in range(8):
                model, key = self.model, random.choice(KEYS)
                if random.getrandbits(1):
                    info = random.choice(INFOS)
                    model.said[key] = told(info)
                    self.cache.put(key, info)
                else:
                    self.assertTrue(is_believed(self.cache.get(key), model.said.get(key)), key)
            if not random.getrandbits(2):
                self.flash.mend()
                done = self.cache.flush()
                self.cut()
                if not done:  # the journal has left out every block: flash has the last word that it took
                    self.model.said = {key: told(self.cache.get(key)) for key in self.order()}
                    refused += 1
                for key in self.order():
                    self.assertTrue(is_believed(self.cache.get(key), self.model.said[key]), key)
                del self.log.lines[:]
        print("all was refused %d times" % refused)
        self.assertLess(refused, 100)
