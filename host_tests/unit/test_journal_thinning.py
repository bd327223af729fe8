"""Thinning: a full journal makes room by leaving some records out, evenly, and never loses another one."""

import os
import unittest

from flashes import WAYS, CuttableFlash, PowerCut
from journals import READING, Model, Parity, content, make, payload_of, random_from
from station.storage.journal import JournalFull
from station.storage.ring import MAX_LEVEL

START, STOP = 1, 3


def fill(journal, model, most=None):
    """Sessions of ten readings, until the journal is full or `most` records are written."""
    try:
        while most is None or most > 0:
            step = journal.next % 12
            kind = START if step < 1 else STOP if step == 11 else READING
            model.append(journal, kind, payload_of(journal.next, 40 if kind != READING else 20))
            if most:
                most -= 1
    except JournalFull:
        model.pending = None


def thin_all(journal, model):
    count = 0
    while model.thin(journal):
        count += 1
        assert count < 1000
    return count


def gaps(numbers):
    return [numbers[i + 1] - numbers[i] for i in range(len(numbers) - 1)]


def numbers(journal, kind=READING):
    return [seq for seq, found, _ in journal.records() if found == kind]


def levels_of(journal):
    """(levels, first numbers) of the blocks that hold anything, oldest first."""
    ring = journal._ring
    blocks = sorted([block for block in range(ring.count) if ring.firsts[block]], key=lambda i: ring.firsts[i])
    return [ring.levels[block] for block in blocks], [ring.firsts[block] for block in blocks]


class TestThinning(unittest.TestCase):
    def setUp(self):
        self.flash, self.journal, self.log = make(blocks=16, block_size=1024)
        self.model = Model()

    def again(self):
        """The same flash, mounted again."""
        _, journal, log = make(self.flash.after())
        return journal, log

    def test_leaves_out_what_the_policy_does_not_keep_and_nothing_else(self):
        fill(self.journal, self.model)
        starts, stops = numbers(self.journal, START), numbers(self.journal, STOP)
        before = self.journal.room()
        self.assertTrue(self.model.thin(self.journal))
        self.model.compare(self.journal)
        self.assertGreater(len(self.model.gone), 10)
        thin_all(self.journal, self.model)
        self.assertGreater(self.journal.room(), before + 3 * 1024)
        self.model.compare(self.journal)
        self.assertEqual((numbers(self.journal, START), numbers(self.journal, STOP)), (starts, stops))
        journal, log = self.again()
        self.assertEqual(content(journal), content(self.journal))
        self.assertEqual(journal.room(), self.journal.room())
        self.assertEqual((journal.first, journal.next), (self.journal.first, self.journal.next))
        self.assertEqual(self.log.at("warning") + log.at("warning") + log.at("error"), [])

    def test_each_number_is_found_or_not_there(self):
        fill(self.journal, self.model)
        for _ in range(9):
            self.model.thin(self.journal)
        buf = bytearray(500)
        for journal in (self.journal, self.again()[0]):
            for seq in range(1, journal.next):
                if seq in self.model.written:
                    kind, payload = self.model.written[seq]
                    self.assertEqual(journal.read(seq, buf), (kind, len(payload)))
                    self.assertEqual(bytes(buf[: len(payload)]), payload)
                else:
                    with self.assertRaises(KeyError):
                        journal.read(seq, buf)
                self.assertEqual(next(journal.records(seq))[0], min(k for k in self.model.written if k >= seq))
        self.assertEqual(self.log.at("warning"), [])

    def test_one_level_is_swept_before_the_next_begins(self):
        """At any moment neighbours differ by a factor of two at most, but for the newest few blocks."""
        flash, journal, _ = make(blocks=40, block_size=512)
        widest = 0
        while True:
            try:
                while True:
                    journal.append(READING, bytes(20))
            except JournalFull:
                if not [done for done in journal.thin(Parity()) if done]:
                    break
            levels, begins = levels_of(journal)
            self.assertEqual(levels, sorted(levels, reverse=True))
            top = [level for level in levels if level >= levels[0] - 1]
            self.assertTrue(len(levels) - len(top) <= 1 + 3 * MAX_LEVEL, levels)
            end = begins[min(len(top), len(begins) - 1)]
            found = gaps([number for number in numbers(journal) if number < end])
            self.assertTrue(max(found) <= 2 * min(found), "%d to %d" % (min(found), max(found)))
            widest = max([widest] + found)
        self.assertEqual(widest, 1 << MAX_LEVEL)
        self.assertEqual(content(make(flash)[1]), content(journal))

    def test_nothing_is_dropped_for_nothing(self):
        while self.journal.room() > 0:
            self.model.append(self.journal, START, bytes(20))
        before = self.flash.operations
        self.assertFalse(self.model.thin(self.journal))
        self.assertEqual(self.flash.operations, before)
        reads = self.flash.reads
        self.assertFalse(self.model.thin(self.journal))
        self.assertEqual(self.flash.reads, reads, "it has been looked at already")

    def test_an_empty_one_and_one_that_is_not_full(self):
        self.assertFalse(self.model.thin(self.journal))
        fill(self.journal, self.model, most=40)
        self.assertFalse(self.model.thin(self.journal))
        self.model.compare(self.journal)

    def test_ends_when_all_is_as_thin_as_it_may_be(self):
        for _ in range(100):
            fill(self.journal, self.model)
            if not thin_all(self.journal, self.model):
                break
        self.assertFalse(self.model.thin(self.journal))
        with self.assertRaises(JournalFull):
            self.journal.append(READING, bytes(20))
        self.model.compare(self.journal)
        _, journal, _ = make(self.flash)
        self.model.check(journal)

    def test_freed_records_are_left_out_too_and_the_mark_is_kept(self):
        fill(self.journal, self.model)
        self.model.free(self.journal, 20)
        for _ in range(3):
            self.model.thin(self.journal)
        self.assertEqual(self.again()[0].first, 21)
        self.model.compare(self.journal)

    def test_held_records_are_thinned_and_stay(self):
        fill(self.journal, self.model)
        self.model.keep(self.journal, 1)
        self.model.free(self.journal, self.journal.next - 1)
        thin_all(self.journal, self.model)
        self.assertEqual([row[0] for row in content(self.journal, 1)], sorted(self.model.written))
        self.assertEqual([row[0] for row in content(self.again()[0], 1)], sorted(self.model.written))

    def test_short_steps(self):
        fill(self.journal, self.model)
        seen = [self.flash.bytes_read + self.flash.bytes_programmed]
        self.model.thin(self.journal, lambda: seen.append(self.flash.bytes_read + self.flash.bytes_programmed))
        self.assertGreater(len(seen), 5)
        self.assertLess(max(gaps(seen)), 8 * 1024)

    def test_wear_is_spread(self):
        for _ in range(60):
            fill(self.journal, self.model)
            while self.journal.room() < 3 * 1024 and self.model.thin(self.journal):
                pass
            self.model.free(self.journal, self.journal.first + 60)
            self.model.compare(self.journal)
        self.assertGreater(min(self.flash.wear), max(self.flash.wear) // 4)


class TestMeanwhile(unittest.TestCase):
    """What happens between the steps of a thinning."""

    def setUp(self):
        self.flash, self.journal, self.log = make(blocks=8, block_size=1024)
        self.model = Model()
        fill(self.journal, self.model)

    def test_stopped_half_way_all_is_as_it_was(self):
        before = content(self.journal)
        for pause in range(len(list(make(self.flash.after())[1].thin(Parity())))):
            flash = self.flash.after()
            _, journal, _ = make(flash)
            steps = journal.thin(Parity())
            for _ in range(pause):
                self.assertFalse(next(steps))
            steps.close()
            self.assertEqual(content(journal), before)
            self.assertEqual(content(make(flash.after())[1]), before)
            journal.append(START, bytes(20)) if journal.room() else None
            self.assertTrue([done for done in journal.thin(Parity()) if done])

    def test_what_room_promised_stays_promised(self):
        """With a thinning under way at each of its steps, as much fits as without one."""
        self.model.free(self.journal, 60)
        room = self.journal.room()
        for pause in range(1, 30):
            flash = self.flash.after()
            _, journal, _ = make(flash)
            journal.free(60)
            steps = journal.thin(Parity())
            for _ in range(pause):
                next(steps, None)
            left = room
            while left >= 32:
                journal.append(START, bytes(20))
                left -= 32
            for _ in steps:
                pass
            wanted = {number for number, row in self.model.written.items() if number > 60 and row[0] != READING}
            for mounted in (journal, make(flash)[1]):
                found = [row[0] for row in content(mounted)]
                self.assertEqual(wanted - set(found), set())
                self.assertEqual(len([number for number in found if number >= self.journal.next]), room // 32)

    def test_freeing_what_is_being_copied(self):
        for pause in range(20):
            flash = self.flash.after()
            _, journal, _ = make(flash)
            steps = journal.thin(Parity())
            for _ in range(pause):
                next(steps, None)
            journal.free(100)
            while journal.next < self.journal.next + 60:
                journal.append(START, bytes(20))
            for _ in steps:
                pass
            found = content(journal)
            self.assertEqual(found, content(make(flash)[1]))
            self.assertEqual(len([row for row in found if row[0] >= self.journal.next]), 60)
            missing = set(self.model.written) - {row[0] for row in found}
            for number in missing:
                self.assertTrue(number <= 100 or self.model.written[number][0] == READING, number)

    def test_entering_what_is_being_looked_at(self):
        """Freed and written over before the sweep has begun: later it is thinned like all else."""
        for pause in range(1, 12):
            flash = self.flash.after()
            _, journal, _ = make(flash)
            steps = journal.thin(Parity())
            for _ in range(pause):
                next(steps, None)
            journal.free(journal.next - 1)
            count = 0
            while journal.room():
                journal.append(READING, bytes(20))
                count += 1
            for _ in steps:
                pass
            found = len(content(journal))
            while [done for done in journal.thin(Parity()) if done]:
                pass
            self.assertLess(len(content(journal)), found - count // 4)

    def test_an_iteration_goes_on(self):
        """It gives what is kept, each once and in order, wherever the thinning overtakes it."""
        for ahead in range(0, 150, 7):
            flash = self.flash.after()
            _, journal, log = make(flash)
            records = journal.records()
            seen = [next(records)[0] for _ in range(ahead)]
            policy = Parity()
            for _ in range(9):
                for _ in journal.thin(policy):
                    pass
                seen.append(next(records)[0])
            seen += [row[0] for row in records]
            self.assertEqual(seen, sorted(seen))
            self.assertEqual(set(self.model.written) - set(policy.gone) - set(seen), set())
            self.assertEqual(len(set(seen)), len(seen))
            self.assertEqual(log.at("warning"), [])

    def test_a_place_that_is_filled_again_does_not_lead_an_iteration_astray(self):
        """The block that it reads is replaced, and then filled again beginning with the same number."""
        for ahead in range(1, 14):
            _, journal, _ = make(blocks=8, block_size=512)
            while journal.room():
                journal.append(READING, bytes(20))
            records = journal.records()
            for _ in range(ahead):
                next(records)
            places = [journal._ring.block_of(1)]
            while places.count(places[0]) == 1 or places[-1] != places[0]:
                self.assertTrue(list(journal.thin(Parity()))[-1])
                places.append(journal._ring.block_of(1))
                if places[-1] == places[-2]:
                    places.pop()
                while journal.room():
                    journal.append(READING, bytes(20))
            there = [seq for seq, _, _ in journal.records(ahead + 1)]
            self.assertEqual([seq for seq, _, _ in records], there)


class TestFaults(unittest.TestCase):
    def scenario(self, journal, model):
        """Full, thinned, filled up, freed in part, thinned through the levels."""
        fill(journal, model, most=60)
        for turn in range(5):
            fill(journal, model, most=30)
            model.thin(journal)
            model.thin(journal)
            if turn == 2:
                model.free(journal, journal.first + 30)
            fill(journal, model, most=6)

    def test_a_cut_at_every_operation(self):
        blocks, block_size = 9, 512
        flash, journal, _ = make(blocks=blocks, block_size=block_size)
        model = Model()
        fill(journal, model)
        fresh = flash.operations
        _, journal, _ = make(flash)
        self.scenario(journal, model)
        total = flash.operations - fresh
        self.assertGreater(len(model.gone), 30)
        points = 0
        for way in WAYS:
            for n in range(1, total + 1):
                model = Model()
                flash, journal, _ = make(blocks=blocks, block_size=block_size)
                fill(journal, model)
                for cut_at in (n, 1 + n % 7):
                    _, journal, _ = make(flash)
                    flash.cut(cut_at, way)
                    try:
                        self.scenario(journal, model)
                    except PowerCut:
                        points += 1
                    flash = flash.after()
                    _, journal, _ = make(flash)
                    model.check(journal)
                    model.compare(journal)
                thin_all(journal, model)
                model.compare(journal)
                _, journal, _ = make(flash)
                model.check(journal)
        print("%d cuts in thinning, of %d operations" % (points, total))
        self.assertGreater(points, len(WAYS) * total)

    def test_a_failure_at_every_operation(self):
        for way in WAYS:
            for n in range(1, 120):
                model = Model()
                flash, journal, _ = make(blocks=9, block_size=512)
                fill(journal, model)
                flash.fail(n, way)
                while model.thin(journal):
                    model.compare(journal)
                model.compare(journal)
                _, journal, _ = make(flash)
                model.check(journal)

    def test_a_lost_record_is_logged_and_one_left_out_is_not(self):
        flash, journal, _ = make(blocks=16, block_size=1024)
        model = Model()
        fill(journal, model)
        for _ in range(4):
            model.thin(journal)
        flash.flip(bytes(flash.cells).find(model.written[2][1]), 3)
        _, journal, log = make(flash.after())
        found = content(journal)
        self.assertFalse(2 in [row[0] for row in found])
        self.assertEqual(len(found), len(model.written) - 1)
        self.assertEqual(len(log.at("warning")), 0 if found[0][0] > 2 else 1)


class TestRandom(unittest.TestCase):
    def life(self, seed):
        """Hundreds of operations with thinning, cuts, failures, worn blocks and restarts, against the model."""
        below = random_from(seed)
        flash = CuttableFlash(6 + below(8), (512, 1024)[below(2)])
        model = Model()
        model.worn = not below(4)
        if model.worn:
            flash.wear_out(below(flash.blocks))
        cuts = thinned = 0
        for _ in range(10):
            _, journal, _ = make(flash)
            model.check(journal)
            model.compare(journal)
            if below(3) and not model.worn:  # not both: see journal.py, _enter
                flash.cut(1 + below(150), WAYS[below(5)])
            elif below(2):
                flash.fail(1 + below(100), WAYS[below(5)])
            try:
                for _ in range(below(60)):
                    thinned += self.step(journal, model, below)
            except PowerCut:
                cuts += 1
            flash = flash.after()
        _, journal, _ = make(flash)
        model.check(journal)
        return cuts, thinned

    def step(self, journal, model, below):
        choice = below(9)
        if choice < 4:
            self.append(journal, model, below, 1 + below(30))
        elif choice < 7:
            between = None
            if not below(3):
                # what thinning has begun to leave out must stay the model's, so nothing is freed here
                between = lambda: self.append(journal, model, below, 1)  # noqa: E731
            if model.thin(journal, between):
                model.compare(journal)
                return 1
        elif choice == 7 and below(2):
            model.keep(journal, None if below(3) else journal.first)
        elif journal.next > journal.first:
            model.free(journal, journal.first + below(journal.next - journal.first) // (1 + below(9)))
            if not below(4):
                model.sync(journal)
        return 0

    def append(self, journal, model, below, times):
        for _ in range(times):
            kind = (READING, READING, READING, START, STOP)[below(5)]
            length = below(20) if below(4) else below(200)
            try:
                model.append(journal, kind, payload_of(below(999), length))
            except (JournalFull, OSError):
                model.pending = None
                return

    def test_against_the_model(self):
        fresh = int.from_bytes(os.urandom(3), "little")
        cuts = thinned = 0
        for seed in [1, 2, 3, 4, 5, 6, 7, 8] + [fresh + i for i in range(60)]:
            try:
                found = self.life(seed)
            except Exception:
                print("TestRandom failed with seed %d" % seed)
                raise
            cuts += found[0]
            thinned += found[1]
        print("seeds from %d, %d cuts, %d blocks thinned" % (fresh, cuts, thinned))
        self.assertGreater(cuts, 100)
        self.assertGreater(thinned, 200)
