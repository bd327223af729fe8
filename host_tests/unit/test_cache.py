"""The authorization cache: bounds and order of leaving, what is written when, restarts, damage, memory."""

import asyncio
import gc
import random
import time
import unittest

from caches import ACCEPTED, BLOCKED, FAMILY, HASH, NOON, CacheCase, told
from charging_fakes import settle
from flashes import UNDONE
from station.charging.authorization import IdTagInfo
from station.charging.cache import GATHER_MS, GATHERED
from station.charging.cache_index import Index
from station.storage.cards.card_hash import CardHash

WORD = 32


class SamePrefix:
    """A hash whose prefixes are all alike for cards that begin with the same letter."""

    def of(self, id_tag):
        return id_tag[0].encode() * 4 + HASH.of(id_tag)[:6]


class CacheTest(CacheCase, unittest.TestCase):
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


class SwitchedOffTest(CacheCase, unittest.TestCase):
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


class FlashTest(CacheCase, unittest.TestCase):
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
        self.assertEqual(self.order(), "BC")
        self.flash.mend()
        self.assertTrue(self.cache.flush())
        self.cut()
        self.assertEqual(self.order(), "BC")

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


class MemoryTest(CacheCase, unittest.TestCase):
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
