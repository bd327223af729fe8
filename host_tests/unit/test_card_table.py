"""Card table without faults: what was sent is found again, at the price that the table promises."""

import asyncio
import unittest

from cards import Model, cards, info, key, make, removals, send
from station.storage.card_table import CardTable, TableFull, UpdateEnded
from station.storage.cards.card_hash import CardHash
from station.storage.region import Region


class TestFull(unittest.TestCase):
    def full(self, count, blocks):
        flash, table, log = make(blocks=blocks)
        model = Model()
        model.send(table, 3, cards(range(count)), full=True)
        model.check(table)
        _, table, again = make(flash)
        model.check(table, range(count, count + 100))
        self.assertEqual(log.at("error") + again.at("error") + again.at("warning"), [])
        reads, bytes_read = flash.reads, flash.bytes_read
        for number in range(100):
            table.get(key(number * 7))
        self.assertLessEqual(flash.reads - reads, 300)
        self.assertLessEqual(flash.bytes_read - bytes_read, 300 * 1024)
        return table

    def test_sizes(self):
        for count in (0, 1, 41, 42, 43, 48, 377, 378, 379, 600):
            self.full(count, 24)

    def test_1000(self):
        self.full(1000, 48)

    def test_10000(self):
        table = self.full(10000, 256)
        self.assertLessEqual(table.flash_bytes, 32 * 10000)

    def test_replaces_everything(self):
        _, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(100)), full=True)
        model.send(table, 2, cards(range(50, 80), range(200, 500)), full=True)
        model.check(table, range(600))

    def test_empty_list_clears(self):
        flash, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(100)), full=True)
        model.send(table, 2, [], full=True)
        model.check(table, range(100))
        model.check(make(flash)[1], range(100))

    def test_last_of_duplicates_wins(self):
        """In RAM, and in runs: 378 entries go to flash together."""
        _, table, _ = make(blocks=48)
        for count in (5, 700):
            model = Model()
            sent = cards(range(count)) + [(number, info(number + 1)) for number in range(count)]
            sent += removals(range(0, count, 3)) + cards(range(0, count, 6))
            model.send(table, count, sent, full=True)
            model.check(table, range(count))

    def test_room_for_as_many_as_it_says(self):
        for size in (1024, 4096):
            flash, table, _ = make(blocks=24 * 4096 // size, block_size=size)
            model = Model()
            for version, numbers in enumerate((range(table.capacity), range(5, 5 + table.capacity))):
                model.send(table, version + 1, cards(numbers), full=True)
                model.check(table, range(5))
            with self.assertRaises(TableFull):
                asyncio.run(send(table, 9, cards(range(table.capacity + 1)), True))
            model.check(make(flash)[1])

    def test_blocks_wear_alike(self):
        flash, table, _ = make()
        for version in range(200):
            asyncio.run(send(table, version, cards(range(48)), True))
        wear = sorted(flash.wear[4:])
        self.assertTrue(wear[0] > 20 and wear[-1] <= wear[0] + 1, wear)


class TestClear(unittest.TestCase):
    def test_is_as_on_blank_flash(self):
        flash, table, _ = make()
        asyncio.run(send(table, 7, [(i, info(i)) for i in range(100)], True))
        table.clear()
        self.assertEqual((table.version, table.count, table.get(key(1))), (0, 0, None))
        _, again, _ = make(flash.after())
        self.assertEqual((again.version, again.count, again.get(key(1))), (0, 0, None))
        asyncio.run(send(again, 1, [(1, info(1))], True))
        self.assertEqual((again.version, again.count, again.get(key(1))), (1, 1, info(1)))

    def test_not_while_an_update_is_open(self):
        _, table, _ = make()
        update = table.begin()
        self.assertRaises(RuntimeError, table.clear)
        update.abort()
        table.clear()


class TestDifferential(unittest.TestCase):
    def test_on_blank_flash(self):
        flash, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(10)) + removals((3, 99)))
        model.check(table, range(100))
        model.check(make(flash)[1], range(100))

    def test_removals_in_any_order_and_number(self):
        flash, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(300)), full=True)
        model.send(table, 2, removals(range(0, 300, 7)))
        model.send(table, 3, removals(range(299, 0, -5)) + removals((1000, 1001)))
        model.send(table, 4, cards(range(0, 100, 2)) + removals(range(0, 50)))
        model.check(table, range(300))
        model.check(make(flash)[1], range(300))
        model.send(table, 5, removals(range(300)))
        self.assertEqual(table.count, 0)
        model.check(make(flash)[1], range(300))

    def test_costs_flash_by_its_own_length(self):
        """A word for each card, six for what makes it valid."""
        flash, table, _ = make(blocks=256)
        model = Model()
        model.send(table, 1, cards(range(8000)), full=True)
        before, erases = flash.bytes_programmed, flash.erases
        model.send(table, 2, cards((9001,)))
        self.assertEqual(flash.bytes_programmed - before, 32 * (1 + 6))
        model.send(table, 3, cards(range(9100, 9200)) + removals(range(20)))
        self.assertEqual(flash.bytes_programmed - before, 32 * (1 + 6) + 32 * (120 + 6))
        self.assertEqual(flash.erases, erases)
        model.check(make(flash)[1], range(30))

    def test_what_does_not_change_costs_nothing(self):
        flash, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(50)), full=True)
        before = flash.bytes_programmed
        model.send(table, 1, cards(range(50)) + removals((70,)))
        self.assertEqual(flash.bytes_programmed, before)
        model.send(table, 2, cards(range(50)))
        self.assertEqual(flash.bytes_programmed, before + 96)
        model.check(make(flash)[1])

    def test_same_card_again_and_again(self):
        """Its bucket fills: the changes are merged on the way."""
        flash, table, log = make()
        model = Model()
        model.send(table, 1, cards(range(60)), full=True)
        for version in range(2, 100):
            model.send(table, version, [(7, info(version))])
        model.check(table)
        model.check(make(flash)[1])
        self.assertEqual(log.at("error"), [])

    def test_too_large_for_the_delta(self):
        flash, table, _ = make(blocks=64)
        model = Model()
        model.send(table, 1, cards(range(1000)), full=True)
        model.send(table, 2, cards(range(900, 2000)) + removals(range(0, 1000, 3)))
        model.check(table, range(1000))
        model.check(make(flash)[1], range(1000))

    def test_all_in_differentials(self):
        flash, table, _ = make(blocks=96)
        model = Model()
        for version in range(1, 31):
            model.send(table, version, cards(range(version * 100, version * 100 + 100)))
            if table.merge_due:
                self.assertTrue(model.merge(table))
        model.check(table, range(100))
        model.check(make(flash)[1], range(100))

    def test_full_table(self):
        flash, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(table.capacity)), full=True)
        for changes in (cards((9000,)), cards(range(9000, 9300))):
            with self.assertRaises(TableFull):
                asyncio.run(send(table, 2, changes, False))
            model.check(table, range(9000, 9300))
            model.check(make(flash)[1], range(9000, 9300))
        model.send(table, 2, cards((9000,)) + removals((8,)))
        model.check(table, (8, 9001))


class TestMerge(unittest.TestCase):
    def changed(self):
        flash, table, _ = make()
        model = Model()
        model.send(table, 1, cards(range(300)), full=True)
        model.send(table, 2, cards(range(295, 350)) + removals(range(0, 300, 11)))
        return flash, table, model

    def test_leaves_list_and_version(self):
        flash, table, model = self.changed()
        self.assertTrue(model.merge(table))
        model.check(table, range(300))
        model.check(make(flash)[1], range(300))

    def test_is_due_before_the_delta_is_full(self):
        flash, table, model = self.changed()
        self.assertFalse(table.merge_due)
        erases = sum(flash.wear[4:])
        version = 2
        while not table.merge_due:
            version += 1
            model.send(table, version, [(1, info(version)), (version, info(version))])
            self.assertLess(version, 100)
        self.assertEqual(sum(flash.wear[4:]), erases)
        model.merge(table)
        self.assertFalse(table.merge_due)
        model.check(table, range(300))

    def test_gives_way_to_an_update(self):
        flash, table, model = self.changed()

        async def scenario():
            merge = asyncio.create_task(table.merge())
            for _ in range(3):
                await asyncio.sleep_ms(0)
            await send(table, 3, cards(range(700, 710)), False)
            return await merge

        self.assertFalse(asyncio.run(scenario()))
        self.assertFalse(model.pending)
        model.version = 3
        model.cards.update(dict(cards(range(700, 710))))
        model.check(table, range(300))
        model.check(make(flash)[1], range(300))

    def test_does_not_begin_during_an_update(self):
        _, table, model = self.changed()
        update = table.begin()
        self.assertFalse(model.merge(table))
        update.abort()
        self.assertTrue(model.merge(table))


class TestUpdate(unittest.TestCase):
    def test_nothing_changes_before_the_end(self):
        """And the loop has its turn at least each 64 cards."""
        _, table, _ = make(blocks=64)
        model = Model()
        model.send(table, 1, cards(range(400)), full=True)
        model.send(table, 2, removals((5,)))
        turns = 0

        async def look():
            nonlocal turns
            while True:
                turns += 1
                self.assertEqual((table.version, table.count), (2, 399))
                self.assertEqual(table.get(key(turns % 200 + 6)), info(turns % 200 + 6))
                self.assertIsNone(table.get(key(5)))
                await asyncio.sleep_ms(0)

        async def scenario(version, changes, full):
            looking = asyncio.create_task(look())
            await send(table, version, changes, full)
            looking.cancel()

        for full in (False, True):
            turns = 0
            with self.assertRaises(TableFull):
                asyncio.run(scenario(3, cards(range(table.capacity + 300)), full))
            self.assertGreater(turns, table.capacity // 64)
        model.check(table, (5, 500, 1000))

    def test_abort(self):
        flash, table, _ = make(blocks=48)
        model = Model()
        model.send(table, 1, cards(range(100)), full=True)

        async def aborted(count):
            update = table.begin()
            self.assertIs(table.update, update)
            for number in range(count):
                await update.put(key(number + 50), *info(number))
            update.abort()
            self.assertIsNone(table.update)
            with self.assertRaises(UpdateEnded):
                await update.put(key(1), *info(1))
            with self.assertRaises(UpdateEnded):
                await update.commit_full(2)

        for count in (0, 3, 1000):
            asyncio.run(aborted(count))
            model.check(table, range(100, 1100))
            model.check(make(flash)[1], range(100, 1100))

    def test_abort_of_a_commit_under_way(self):
        for full in (True, False):
            for turns in range(1, 6):
                flash, table, _ = make(blocks=48)
                model = Model()
                model.send(table, 1, cards(range(300)), full=True)

                async def scenario(table=table, turns=turns, full=full):
                    task = asyncio.create_task(send(table, 2, cards(range(200, 260)), full))
                    for _ in range(turns):
                        await asyncio.sleep_ms(0)
                    table.update.abort()
                    with self.assertRaises(UpdateEnded):
                        await task

                asyncio.run(scenario())
                model.check(table, range(300))
                model.check(make(flash)[1], range(300))
                model.send(table, 3, cards(range(290, 320)))
                model.check(make(flash)[1], range(330))

    def test_cancelled_commit(self):
        _, table, _ = make()

        async def scenario():
            task = asyncio.create_task(send(table, 2, cards(range(200)), True))
            await asyncio.sleep_ms(0)
            await asyncio.sleep_ms(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(scenario())
        self.assertIsNone(table.update)
        self.assertEqual((table.version, table.count), (0, 0))

    def test_one_at_a_time(self):
        _, table, _ = make()
        update = table.begin()
        with self.assertRaises(RuntimeError):
            table.begin()
        update.abort()
        table.begin()

    def test_wrong_arguments(self):
        _, table, _ = make()
        update = table.begin()
        for wrong in (
            (b"short", 0, 0, None),
            (key(1), 256, 0, None),
            (key(1), -1, 0, None),
            (key(1), 0, -1, None),
            (key(1), 0, 1 << 32, None),
            (key(1), 0, 0, b"1234567"),
        ):
            with self.assertRaises(ValueError):
                asyncio.run(update.put(*wrong))
        for version in (1 << 31, -(1 << 31) - 1):
            with self.assertRaises(ValueError):
                asyncio.run(update.commit_full(version))
            with self.assertRaises(ValueError):
                asyncio.run(update.commit_differential(version))
        with self.assertRaises(ValueError):
            asyncio.run(update.remove(b"short"))
        asyncio.run(update.put(key(1), 255, (1 << 32) - 1, bytes(8)))
        asyncio.run(update.commit_full(-2147483648))
        self.assertEqual(table.get(key(1)), (255, (1 << 32) - 1, bytes(8)))
        self.assertEqual(table.version, -2147483648)


class TestSkew(unittest.TestCase):
    """Keys are hashes, and lie evenly. Nothing may break if they do not."""

    def test_keys_that_lie_together(self):
        flash, table, _ = make(blocks=256)

        def near(number):
            return b"\xaa\xbb\xcc\xdd\xee\xff" + number.to_bytes(4, "big")

        async def scenario(numbers, full, version):
            update = table.begin()
            for number in numbers:
                await update.put(near(number), number & 255, number)
            await (update.commit_full if full else update.commit_differential)(version)

        asyncio.run(scenario(range(0, 12000, 2), True, 1))
        asyncio.run(scenario(range(1, 200, 2), False, 2))
        _, table, _ = make(flash)
        reads = flash.reads
        for number in range(12000):
            expected = (number & 255, number, None) if number < 200 or number % 2 == 0 else None
            self.assertEqual(table.get(near(number)), expected)
        self.assertLessEqual(flash.reads - reads, 3 * 12000)
        self.assertEqual(table.count, 6100)

    def test_lowest_and_highest_key(self):
        flash, table, _ = make()

        async def scenario(full):
            update = table.begin()
            for byte in (0, 255):
                await update.put(bytes([byte] * 10), byte, byte)
            await (update.commit_full if full else update.commit_differential)(1)

        for full in (False, True):
            asyncio.run(scenario(full))
            for byte in (0, 255):
                self.assertEqual(make(flash)[1].get(bytes([byte] * 10)), (byte, byte, None))


class TestRegion(unittest.TestCase):
    def test_too_small(self):
        flash, _, log = make()
        with self.assertRaises(ValueError):
            CardTable(Region(flash, 0, 12), log)
        with self.assertRaises(ValueError):
            CardTable(Region(flash, 0, 24, word=256), log)

    def test_capacity_of_the_unix_board(self):
        flash, _, log = make()
        flash.blocks = 2048  # nothing is read to know it
        self.assertGreaterEqual(CardTable(Region(flash, 0, 2048), log).capacity, 100000)

    def test_part_of_a_device(self):
        flash, _, log = make(blocks=40)
        table = CardTable(Region(flash, 10, 24), log)
        table.mount()
        for version in range(30):
            asyncio.run(send(table, version, cards(range(150)), True))
        self.assertEqual(sum(flash.wear[:10]) + sum(flash.wear[34:]), 0)


class TestCardHash(unittest.TestCase):
    def test_is_hmac_sha256(self):
        """RFC 4231 §4.2 has a key of 20 bytes; upper case, so that the text is its own."""
        hashes = CardHash(b"\x0b" * 20)
        self.assertEqual(hashes.of("HI THERE")[:8], hashes.parent("hi there"))
        self.assertEqual(hashes.of("DEADBEEF").hex(), "2da5e4bef0153450d334")

    def test_case_does_not_matter_and_secret_does(self):
        hashes = CardHash(b"0123456789abcdef")
        self.assertEqual(hashes.of("aB12"), hashes.of("Ab12"))
        self.assertNotEqual(hashes.of("AB12"), hashes.of("AB13"))
        self.assertNotEqual(hashes.of("AB12"), CardHash(b"0123456789abcdeg").of("AB12"))
        self.assertEqual((len(hashes.of("")), len(hashes.parent(""))), (10, 8))

    def test_long_and_short_secret(self):
        self.assertNotEqual(CardHash(bytes(65)).of("A"), CardHash(bytes(64)).of("A"))
        with self.assertRaises(ValueError):
            CardHash(bytes(15))
