"""Journal on flash that loses its power, fails, or forgets a bit: what is left, against a model."""

import os
import unittest

from flashes import DONE, HALF, TAIL, TORN, UNDONE, WAYS, CuttableFlash, PowerCut
from journals import BLOCK_SIZE, BLOCKS, Model, content, make, payload_of, random_from
from station.storage.journal import MAX_KIND, JournalFull


def play(journal, model, steps=110):
    """A stretch of life: sessions of start, readings, stop; answered late, in bursts; some marks."""
    for step in range(steps):
        length = (60, 20, 20, 18, 20, 16, 40, 130)[step % 8]
        seq = model.append(journal, 1 + step % 5, payload_of(step, length))
        if step % 11 == 10:
            model.free(journal, seq - 3)
        if step % 22 == 21:
            model.sync(journal)


def fill(journal, model):
    """Append until it is full, free all, go on: the ring is at its tightest."""
    for turn in range(3):
        try:
            while True:
                model.append(journal, 9, payload_of(turn, 16))
        except JournalFull:
            model.pending = None
        model.free(journal, journal.next - 1 - turn * 10)


class TestPowerCut(unittest.TestCase):
    def every_cut(self, scenario, blocks, block_size):
        """Cut `scenario` at each operation in each way; twice: again while going on with what was left."""
        flash, journal, _ = make(blocks=blocks, block_size=block_size)
        scenario(journal, Model())
        total = flash.operations
        self.assertTrue(total > 50)
        points = 0
        for way in WAYS:
            for n in range(1, total + 1):
                model = Model()
                flash = CuttableFlash(blocks, block_size)
                for cut_at in (n, 1 + n % 7):
                    _, journal, _ = make(flash)
                    flash.cut(cut_at, way)
                    try:
                        scenario(journal, model)
                    except PowerCut:
                        points += 1
                    flash = flash.after()
                    _, journal, _ = make(flash)
                    model.check(journal)
                model.free(journal, journal.next - 1)
                play(journal, model, 10)
                _, journal, _ = make(flash)
                model.check(journal)
        print("%d cuts in %s of %d operations" % (points, scenario.__name__, total))
        self.assertTrue(points >= len(WAYS) * total)

    def test_sessions(self):
        self.every_cut(play, BLOCKS, BLOCK_SIZE)

    def test_full_and_freed(self):
        self.every_cut(fill, 4, 512)

    def test_a_record_that_frees(self):
        """It is there and others are freed, or neither: also where it is the first of a block, whose header tells
        what is freed."""
        entered = 0
        for before in range(25, 35):
            for n in (1, 2, 3):
                for way in WAYS:
                    flash, journal, _ = make()
                    for number in range(before):
                        journal.append(1, payload_of(number, 20))
                    flash.cut(n, way)
                    erases = flash.erases
                    try:
                        journal.append(2, b"answer", before)
                        self.assertEqual(journal.freed, before)
                    except PowerCut:
                        entered += flash.erases > erases
                    _, journal, _ = make(flash.after())
                    kinds = [kind for _, kind, _ in journal.records(1)]
                    self.assertEqual(journal.freed, before if 2 in kinds else 0)
        self.assertTrue(entered > 0)

    def test_first_append_on_blank_flash(self):
        for n in (1, 2, 3):
            for way in WAYS:
                flash, journal, _ = make()
                flash.cut(n, way)
                with self.assertRaises(PowerCut):
                    journal.append(1, b"the whole of a word.")
                flash, journal, _ = make(flash.after())
                whole = n == 3 and way == DONE
                self.assertEqual(content(journal), [(1, 1, b"the whole of a word.")] if whole else [])
                seq = journal.append(2, b"def")
                self.assertEqual(content(make(flash)[1])[-1], (seq, 2, b"def"))

    def test_a_torn_record_takes_its_number_with_it(self):
        for way, expected in ((UNDONE, 2), (HALF, 3), (TAIL, 3), (TORN, 3), (DONE, 3)):
            flash, journal, _ = make()
            journal.append(1, b"abc")
            flash.cut(1, way)
            with self.assertRaises(PowerCut):
                journal.append(2, bytes(116))
            flash, journal, log = make(flash.after())
            self.assertEqual(journal.append(3, b"next"), expected)
            kinds = [kind for _, kind, _ in journal.records()]
            self.assertEqual(kinds, [1, 2, 3] if way == DONE else [1, 3])
            self.assertEqual(len(log.at("warning")) > 0, way in (HALF, TAIL, TORN))


class TestBadFlash(unittest.TestCase):
    def test_a_failed_program_is_tried_behind(self):
        for way in WAYS:
            flash, journal, log = make()
            journal.append(1, b"abc")
            flash.fail(1, way)
            self.assertEqual(journal.append(2, bytes(90)), 2)
            self.assertEqual(journal.append(3, b"next"), 3)
            expected = [(1, 1, b"abc"), (2, 2, bytes(90)), (3, 3, b"next")]
            self.assertEqual(content(journal), expected)
            self.assertEqual(content(make(flash)[1]), expected)
            self.assertEqual(len(log.at("warning")), 1)

    def test_two_failed_programs_then_the_next_block(self):
        flash, journal, _ = make()
        journal.append(1, b"abc")
        flash.fail(1, HALF)
        flash.fail(2, TORN)
        self.assertEqual(journal.append(2, bytes(90)), 2)
        self.assertEqual(flash.erases, 2)
        expected = [(1, 1, b"abc"), (2, 2, bytes(90))]
        self.assertEqual(content(journal), expected)
        self.assertEqual(content(make(flash)[1]), expected)

    def test_when_all_fails_the_append_raises_and_its_number_is_used_up(self):
        flash, journal, _ = make()
        journal.append(1, b"abc")
        for n in (1, 2, 5):  # 3 erases the next block, 4 is its header
            flash.fail(n, HALF)
        with self.assertRaises(OSError):
            journal.append(2, bytes(90))
        seq = journal.append(3, b"next")
        expected = [(1, 1, b"abc"), (seq, 3, b"next")]
        self.assertTrue(seq > 2)
        self.assertEqual(content(journal), expected)
        self.assertEqual(content(make(flash)[1]), expected)

    def test_a_block_that_cannot_be_entered_is_left_out(self):
        for failing in (1, 2):  # the erase, or the header
            for way in WAYS:
                flash, journal, _ = make()
                for _ in range(30):
                    journal.append(1, bytes(20))
                flash.fail(failing, way)
                journal.append(2, b"behind")
                found = content(journal)
                self.assertEqual(len(found), 31)
                self.assertEqual(content(make(flash)[1]), found)

    def test_a_block_in_which_nothing_could_be_written_does_not_hide_the_next(self):
        flash, journal, _ = make()
        for _ in range(30):
            journal.append(1, bytes(20))
        flash.fail(3)  # behind the erase and the header
        flash.fail(4)
        seq = journal.append(2, b"behind")
        for mounted in (journal, make(flash)[1]):
            self.assertEqual(mounted.read(seq, bytearray(9)), (2, 6))
            self.assertEqual(content(mounted)[-1], (seq, 2, b"behind"))

    def test_the_block_kept_free_is_taken_before_one_that_is_free_in_ram_only(self):
        records = 512 // 32 - 2
        flash, journal, _ = make(blocks=5, block_size=512)
        for _ in range(3 * records):
            journal.append(1, bytes(20))
        journal.free(2 * records)
        flash.fail(1, UNDONE)
        for _ in range(records):  # passes block 3 by, goes on in block 4
            journal.append(1, bytes(20))
        _, journal, _ = make(flash)
        for _ in range(2 * records):
            journal.append(1, bytes(20))
        wanted = content(journal)
        self.assertEqual(wanted[0][0], 2 * records + 1)
        journal.free(3 * records)  # block 2, behind the head; but block 3 is the one kept free
        flash.cut(1, TAIL)
        with self.assertRaises(PowerCut):
            journal.append(1, bytes(20))
        self.assertEqual(content(make(flash.after())[1]), wanted)

    def test_worn_blocks_that_do_not_say_so(self):
        for worn in range(6):
            flash = CuttableFlash(6, 512)
            flash.wear_out(worn)
            model = Model()
            for turn in range(6):
                _, journal, _ = make(flash)
                if turn:
                    model.check(journal)
                for step in range(25):
                    seq = model.append(journal, 1 + step % 3, payload_of(step, step * 3))
                    model.free(journal, max(0, seq - 5))
            self.assertTrue(len(model.written) > 5)

    def test_a_flipped_bit_loses_its_record_only(self):
        flash, journal, _ = make(blocks=6, block_size=512)
        model = Model()
        for step in range(80):
            seq = model.append(journal, 1 + step % 3, payload_of(step, (20, 5, 45, 0)[step % 4]))
            if step % 10 == 9:
                model.free(journal, seq - 5)
        clean = content(make(flash)[1])
        lost_records = 0
        for offset in range(6 * 512):
            damaged = flash.after()
            damaged.flip(offset, offset % 8)
            _, journal, log = make(damaged)
            found = content(journal)
            missing = [record for record in clean if record not in found]
            extra = [record for record in found if record not in clean and record[0] >= clean[0][0]]
            self.assertTrue(len(missing) <= 1, "bit at %d: %r" % (offset, missing))
            self.assertEqual(extra, [])
            if missing:
                lost_records += 1
                self.assertTrue("no record %d to %d" % (missing[0][0], missing[0][0]) in log.at("warning")[0])
                with self.assertRaises(KeyError):
                    journal.read(missing[0][0], bytearray(500))
            for seq, kind, payload in found:
                if seq >= clean[0][0]:
                    self.assertEqual(journal.read(seq, bytearray(500)), (kind, len(payload)))
            seq = journal.append(7, b"goes on")
            self.assertEqual(seq > clean[-1][0], True)
            self.assertEqual(content(make(damaged)[1])[-1], (seq, 7, b"goes on"))
        self.assertTrue(lost_records > len(clean) * 12)

    def test_another_life_of_the_flash_is_not_read(self):
        flash, journal, _ = make()
        for _ in range(100):
            journal.append(1, bytes(20))
        other, journal, _ = make()
        for _ in range(9):
            journal.append(2, bytes(20))
        other.cells[BLOCK_SIZE : 3 * BLOCK_SIZE] = flash.cells[BLOCK_SIZE : 3 * BLOCK_SIZE]
        _, journal, log = make(other.after())
        self.assertEqual([kind for _, kind, _ in journal.records()], [2] * 9)
        self.assertEqual(len(log.at("error")), 2)


class TestRandom(unittest.TestCase):
    def life(self, seed):
        """Hundreds of operations with cuts, failures and restarts in between, against the model."""
        below = random_from(seed)
        flash = CuttableFlash(4 + below(4), (512, 1024)[below(2)])
        model = Model()
        cuts = 0
        for _ in range(12):
            _, journal, _ = make(flash)
            model.check(journal)
            if below(4):
                flash.cut(1 + below(60), WAYS[below(5)])
            else:  # not both: see journal.py, _enter
                flash.fail(1 + below(60), WAYS[below(5)])
            try:
                for _ in range(below(80)):
                    self.step(journal, model, below)
            except PowerCut:
                cuts += 1
            flash = flash.after()
        _, journal, _ = make(flash)
        model.check(journal)
        return cuts

    def step(self, journal, model, below):
        choice = below(10)
        if choice < 7:
            length = below(24) if below(4) else below(200)
            try:
                model.append(journal, below(MAX_KIND + 1), payload_of(below(999), length))
            except (JournalFull, OSError):
                model.pending = None
                model.keep(journal, None)
                if journal.next > journal.first:
                    model.free(journal, journal.next - 1 - below(journal.next - journal.first))
        elif choice == 7:
            model.sync(journal)
        elif choice == 8 and below(2):
            model.keep(journal, None if below(3) else journal.first)
        elif journal.next > journal.first:
            model.free(journal, journal.first + below(journal.next - journal.first))

    def test_against_the_model(self):
        fresh = int.from_bytes(os.urandom(3), "little")
        cuts = 0
        for seed in [1, 2, 3, 4, 5, 6, 7, 8] + [fresh + i for i in range(60)]:
            try:
                cuts += self.life(seed)
            except Exception:
                print("TestRandom failed with seed %d" % seed)
                raise
        print("seeds from %d, %d cuts" % (fresh, cuts))
        self.assertTrue(cuts > 100)
