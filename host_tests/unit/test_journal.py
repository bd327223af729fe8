"""Journal on sound flash: what its verbs promise, and what they cost."""

import unittest

from fakes import FakeLog
from flashes import CuttableFlash
from journals import BLOCK_SIZE, BLOCKS, content, make, payload_of, random_from
from station.storage.journal import MAX_KIND, MAX_PAYLOAD, Journal, JournalFull
from station.storage.region import Region


class TestSoundFlash(unittest.TestCase):
    def test_blank_flash_is_empty_and_not_written_by_mount(self):
        flash, journal, _ = make()
        self.assertEqual((journal.first, journal.next, content(journal)), (1, 1, []))
        self.assertEqual(flash.operations, 0)
        self.assertTrue(journal.sync())
        self.assertEqual(flash.operations, 0)

    def test_append_read_and_iterate(self):
        _, journal, _ = make()
        self.assertEqual(journal.append(1, b"start"), 1)
        self.assertEqual(journal.append(2, bytearray(b"")), 2)
        self.assertEqual(journal.append(MAX_KIND, memoryview(b"x" * MAX_PAYLOAD)), 3)
        expected = [(1, 1, b"start"), (2, 2, b""), (3, MAX_KIND, b"x" * MAX_PAYLOAD)]
        self.assertEqual(content(journal), expected)
        self.assertEqual(content(journal, 2), expected[1:])
        buf = bytearray(MAX_PAYLOAD)
        for seq, kind, payload in (expected[2], expected[0], expected[1], expected[1]):
            self.assertEqual(journal.read(seq, buf), (kind, len(payload)))
            self.assertEqual(bytes(buf[: len(payload)]), payload)

    def test_a_mount_finds_all_of_it_again(self):
        flash, journal, _ = make()
        for number in range(1, 40):
            journal.append(number, payload_of(number, number))
        before = content(journal)
        self.assertEqual(len(before), 39)
        _, again, _ = make(flash)
        self.assertEqual(content(again), before)
        self.assertEqual((again.first, again.next, again.room()), (journal.first, 40, journal.room()))
        self.assertEqual(again.salt, journal.salt)
        self.assertEqual(again.append(1, b""), 40)

    def test_each_flash_gets_its_own_salt(self):
        salts = set()
        for _ in range(3):
            _, journal, _ = make()
            journal.append(1, b"")
            salts.add(journal.salt)
        self.assertEqual(len(salts), 3)

    def test_freed_records_are_gone_at_once(self):
        _, journal, _ = make()
        for number in range(1, 6):
            journal.append(number, b"abc")
        journal.free(3)
        journal.free(2)
        self.assertEqual(journal.first, 4)
        self.assertEqual([seq for seq, _, _ in journal.records()], [4, 5])
        with self.assertRaises(KeyError):
            journal.read(3, bytearray(9))
        with self.assertRaises(KeyError):
            journal.read(6, bytearray(9))
        with self.assertRaises(ValueError):
            journal.free(6)

    def test_the_mark_rides_in_the_next_record(self):
        flash, journal, _ = make()
        for number in range(1, 6):
            journal.append(number, b"abc")
        journal.free(4)
        self.assertEqual(make(flash)[1].first, 1)
        journal.append(6, b"")
        _, again, _ = make(flash)
        self.assertEqual((again.first, again.next), (5, 7))

    def test_sync_writes_the_mark_once(self):
        flash, journal, _ = make()
        for number in range(1, 6):
            journal.append(number, b"abc")
        journal.free(5)
        before = flash.operations
        self.assertTrue(journal.sync())
        self.assertTrue(journal.sync())
        self.assertEqual(flash.operations, before + 1)
        _, again, _ = make(flash)
        self.assertEqual((again.first, again.next, content(again)), (6, 6, []))
        self.assertEqual(again.append(7, b"next"), 6)
        self.assertEqual(content(make(flash)[1]), [(6, 7, b"next")])

    def test_sync_keeps_the_room_it_is_told_to(self):
        _, journal, _ = make()
        journal.append(1, b"abc")
        journal.free(1)
        room = journal.room()
        self.assertFalse(journal.sync(room))
        self.assertTrue(journal.sync(room - 32))
        self.assertEqual(journal.room(), room - 32)

    def test_what_a_caller_does_wrong(self):
        flash, journal, _ = make()
        for kind, payload in ((-1, b""), (MAX_KIND + 1, b""), (1, bytes(MAX_PAYLOAD + 1))):
            with self.assertRaises(ValueError):
                journal.append(kind, payload)
        self.assertEqual(flash.operations, 0)
        journal.append(1, b"abc")
        with self.assertRaises(ValueError):
            journal.read(1, bytearray(2))
        for blocks, size in ((2, 1024), (4, 1000)):
            with self.assertRaises(ValueError):
                Journal(Region(CuttableFlash(blocks, size, word=8), 0, blocks), FakeLog())
        with self.assertRaises(ValueError):
            Journal(Region(CuttableFlash(4), 0, 4, word=64), FakeLog())

    def test_the_ring_turns_and_wears_its_blocks_evenly(self):
        flash, journal, log = make()
        for number in range(1, 1000):
            self.assertEqual(journal.append(number % 200, payload_of(number, number % 70)), number)
            if number > 8:
                journal.free(number - 8)
            if number % 97 == 0:
                _, again, _ = make(flash)
                self.assertEqual(content(again, journal.first), content(journal))
                self.assertEqual(again.next, number + 1)
        self.assertTrue(max(flash.wear) - min(flash.wear) <= 1)
        self.assertTrue(min(flash.wear) > 5)
        self.assertEqual(log.at("warning") + log.at("error"), [])

    def test_at_most_one_erase_an_append(self):
        flash, journal, _ = make()
        for number in range(1, 400):
            before = flash.erases
            journal.append(1, payload_of(number, 50))
            self.assertTrue(flash.erases - before <= 1)
            journal.free(number)

    def test_a_full_journal_refuses_and_goes_on_when_freed(self):
        flash, journal, _ = make()
        count = 0
        try:
            while True:
                journal.append(1, payload_of(count, 20))
                count += 1
        except JournalFull:
            pass
        self.assertEqual(count, (BLOCKS - 1) * (BLOCK_SIZE // 32 - 2))
        self.assertEqual(journal.room(), 0)
        before = flash.operations
        with self.assertRaises(JournalFull):
            journal.append(1, b"")
        self.assertEqual(flash.operations, before)
        self.assertEqual(len(content(make(flash)[1])), count)
        journal.free(29)
        with self.assertRaises(JournalFull):
            journal.append(1, b"")
        self.assertFalse(journal.sync())
        journal.free(30)
        self.assertTrue(journal.room() > 0)
        self.assertEqual(journal.append(1, b""), count + 1)
        self.assertEqual(len(content(make(flash)[1])), count + 1 - 30)

    def test_what_room_promises_fits(self):
        generator = random_from(4711)
        for _ in range(30):
            _, journal, _ = make()
            for number in range(generator(120)):
                journal.append(1, bytes(generator(60)))
                if generator(3) == 0:
                    journal.free(number + 1)
                if generator(20) == 0:
                    journal.hold = journal.first
                elif generator(10) == 0:
                    journal.hold = None
            room = journal.room()
            while True:
                length = generator(MAX_PAYLOAD)
                size = journal.size(length)
                if size > room:
                    break
                journal.append(2, bytes(length))
                room -= size
                self.assertTrue(journal.room() >= room)

    def test_records_may_be_appended_and_freed_while_iterating(self):
        _, journal, _ = make()
        for number in range(1, 21):
            journal.append(1, payload_of(number, 30))
        seen = []
        for seq, _, payload in journal.records():
            self.assertEqual(bytes(payload), payload_of(seq, 30))
            seen.append(seq)
            if seq < 300:
                journal.append(1, payload_of(journal.next, 30))
                journal.free(seq)
        self.assertEqual(seen, list(range(1, journal.next)))

    def test_an_iteration_goes_on_behind_what_was_erased_under_it(self):
        _, journal, _ = make()
        for number in range(1, 60):
            journal.append(1, payload_of(number, 30))
        records = journal.records()
        self.assertEqual(next(records)[0], 1)
        journal.free(50)
        while journal.next < 100:
            journal.append(1, payload_of(journal.next, 30))
        seen = [seq for seq, _, _ in records]
        self.assertTrue(2 < seen[0] <= 51)
        self.assertEqual(seen, list(range(seen[0], 100)))

    def test_freed_records_can_be_read_again_until_their_block_is_reused(self):
        _, journal, log = make()
        for number in range(1, 80):
            journal.append(1, payload_of(number, 30))
            journal.free(number)
        self.assertTrue(1 < journal.oldest < 60)
        seen = content(journal, journal.oldest)
        self.assertEqual([seq for seq, _, _ in seen], list(range(journal.oldest, 80)))
        self.assertEqual(content(journal, 1), seen)
        self.assertEqual(content(journal), [])
        self.assertEqual(log.at("warning"), [])

    def test_held_records_stay_though_freed(self):
        flash, journal, _ = make()
        for number in range(1, 50):
            journal.append(1, payload_of(number, 30))
            if number == 40:
                journal.hold = 40
            journal.free(number)
        self.assertEqual(journal.hold, 40)
        with self.assertRaises(JournalFull):
            while True:
                seq = journal.append(1, payload_of(number, 30))
                journal.free(seq)
        room = journal.room()
        self.assertTrue(journal.oldest <= 40)
        self.assertTrue(make(flash)[1].oldest <= 40)
        journal.hold = None
        self.assertTrue(journal.room() > room)
        journal.append(1, b"")

    def test_a_transaction_costs_little(self):
        flash, journal, _ = make(blocks=16, block_size=4096)
        for _ in range(200):
            start = journal.append(1, bytes(60))
            for _ in range(10):
                journal.append(2, bytes(20))
            journal.append(3, bytes(40))
            journal.free(start)
        self.assertTrue(flash.bytes_programmed / 200 <= 512)
        self.assertTrue(flash.erases / 200 <= 0.13)

    def test_mount_reads_two_words_a_block_and_one_block(self):
        flash, journal, _ = make(blocks=64, block_size=4096)
        for _ in range(5000):
            journal.append(1, bytes(20))
        after, _, _ = make(flash.after())
        self.assertTrue(after.bytes_read <= 64 * 64 + 2 * 4096)
