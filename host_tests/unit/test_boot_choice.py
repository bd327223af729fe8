"""Which application runs: the boot records, the choice, and the power cut at each of their programs and erases."""

import binascii
import unittest

import boot_choice
from boot_choice import FACTORY, NAMES, SLOT_A, SLOT_B, STARTS, Records, choose, confirm, fail
from flashes import HALF, TORN, WAYS, CuttableFlash, PowerCut

BLOCK = 512  # 16 words, so that the two blocks take turns soon
IMAGES = {SLOT_A: b"image of slot a" * 100, SLOT_B: b"image of slot b" * 200}


def image(slot):
    return IMAGES[slot] + b"\xff" * 500


def no_image(slot):
    return b"\xff" * 4096


def stage(records, slot):
    """An image is written to the slot, and the next start tries it."""
    state = records.state
    state.images[slot] = len(IMAGES[slot]), binascii.crc32(IMAGES[slot])
    records.write()
    state.trial, state.starts = slot, 0
    records.write()


class _Case(unittest.TestCase):
    def setUp(self):
        self.flash = CuttableFlash(3, BLOCK)
        self.reload()

    def reload(self):
        self.records = Records(self.flash, 1, 2)
        return self.records.state

    def start(self, by_watchdog=False, image=image):
        """A start of the board: the slot that runs."""
        self.reload()
        return choose(self.records, image, by_watchdog)

    def assertLost(self, slot, reason):
        state = self.records.state
        self.assertEqual((NAMES[state.failed], boot_choice.REASONS[state.reason]), (NAMES[slot], reason))


class TestRecords(_Case):
    def test_blank_flash(self):
        state = self.records.state
        self.assertEqual((state.confirmed, state.former, state.trial), (FACTORY, FACTORY, FACTORY))
        self.assertEqual(self.start(), FACTORY)

    def test_everything_is_kept(self):
        state = self.records.state
        state.confirmed, state.former, state.trial, state.starts, state.failed = SLOT_A, SLOT_B, SLOT_B, 2, SLOT_A
        state.was_online, state.reason, state.note = True, boot_choice.CRASH, "ImportError: no module named 'x' " * 3
        state.images = [(0, 0), (0x12345678, 0xFFFFFFFF), (0xABCDEF, 0x80000001)]
        self.records.write()
        found = self.reload()
        self.assertEqual((found.confirmed, found.former, found.trial), (SLOT_A, SLOT_B, SLOT_B))
        self.assertEqual((found.starts, found.failed, found.was_online), (2, SLOT_A, True))
        self.assertEqual((found.reason, found.note), (boot_choice.CRASH, state.note[: boot_choice.TEXT]))
        self.assertEqual(found.images, state.images)

    def test_a_thousand_records_leave_the_latest(self):
        for i in range(1000):
            self.records.state.images[SLOT_A] = i, i
            self.records.state.note = "n%d" % i if i % 3 == 0 else ""
            self.records.write()
            if i % 50 == 0:
                found = self.reload()
                self.assertEqual((found.images[SLOT_A], found.note), ((i, i), "n%d" % i if i % 3 == 0 else ""))
        self.assertLess(self.flash.wear[1], 60)
        self.assertEqual(self.flash.wear[0], 0, "not ours")

    def test_a_word_that_fails_is_passed_over(self):
        self.records.write()
        self.flash.fail(1, HALF)
        self.records.state.confirmed = SLOT_A
        self.records.write()
        self.assertEqual(self.reload().confirmed, SLOT_A)

    def test_a_worn_block(self):
        self.records.write()
        self.flash.wear_out(1)
        self.records.state.confirmed = SLOT_A
        self.records.write()
        self.assertEqual(self.reload().confirmed, SLOT_A)

    def test_flash_that_takes_nothing(self):
        self.records.write()
        for block in (1, 2):
            self.flash.wear_out(block)
        self.records.state.confirmed = SLOT_A
        with self.assertRaises(OSError):
            self.records.write()

    def test_a_flipped_bit_gives_the_record_before(self):
        self.records.state.confirmed = SLOT_A
        self.records.write()
        self.records.state.confirmed = SLOT_B
        self.records.write()
        self.flash.flip(BLOCK + 32 + 3, 0)
        self.assertEqual(self.reload().confirmed, SLOT_A)

    def test_one_block_is_too_little(self):
        with self.assertRaises(ValueError):
            Records(self.flash, 1, 1)


class TestChoice(_Case):
    def test_a_trial_that_is_confirmed(self):
        stage(self.records, SLOT_A)
        self.assertEqual(self.start(), SLOT_A)
        confirm(self.records)
        self.assertEqual([self.start(), self.start(True), self.start()], [SLOT_A] * 3)
        self.assertEqual(self.records.state.former, FACTORY)
        stage(self.records, SLOT_B)
        self.assertEqual(self.start(), SLOT_B)
        confirm(self.records)
        self.assertEqual((self.start(), self.records.state.former), (SLOT_B, SLOT_A))

    def test_a_trial_that_never_reports(self):
        stage(self.records, SLOT_A)
        self.assertEqual([self.start() for _ in range(STARTS)], [SLOT_A] * STARTS)
        self.assertEqual([self.start(), self.start()], [FACTORY, FACTORY])
        self.assertLost(SLOT_A, "it never reported healthy")

    def test_a_trial_that_the_watchdog_ends(self):
        stage(self.records, SLOT_A)
        self.assertEqual(self.start(True), SLOT_A, "that reset was the former application's")
        self.assertEqual(self.start(True), FACTORY)
        self.assertLost(SLOT_A, "the watchdog reset it")

    def test_a_trial_that_crashes(self):
        stage(self.records, SLOT_A)
        self.assertEqual(self.start(), SLOT_A)
        fail(self.records, boot_choice.CRASH, "ImportError: x")
        self.assertEqual(self.start(), FACTORY)
        self.assertLost(SLOT_A, "it crashed")
        self.assertEqual(self.records.state.note, "ImportError: x")

    def test_an_image_that_is_not_what_was_written(self):
        stage(self.records, SLOT_A)
        self.assertEqual(self.start(image=no_image), FACTORY)
        self.assertLost(SLOT_A, "its image is not what was written")

    def test_a_confirmed_image_that_goes_bad(self):
        for slot in (SLOT_A, SLOT_B):
            stage(self.records, slot)
            self.start()
            confirm(self.records)
        self.assertEqual(self.start(image=lambda slot: no_image(slot) if slot == SLOT_B else image(slot)), SLOT_A)
        self.assertLost(SLOT_B, "its image is not what was written")
        self.assertEqual(self.start(image=no_image), FACTORY)
        self.assertEqual(self.start(), FACTORY)

    def test_a_slot_that_is_not_there(self):
        stage(self.records, SLOT_A)
        self.assertEqual(self.start(image=lambda slot: None), FACTORY)
        stage(self.records, SLOT_A)
        self.assertEqual(self.start(image=lambda slot: b"short"), FACTORY)

    def test_a_start_that_cannot_be_counted_is_none(self):
        stage(self.records, SLOT_A)
        for block in (1, 2):
            self.flash.wear_out(block)
        with self.assertRaises(OSError):
            self.start()
        self.assertEqual(self.records.state.confirmed, FACTORY)


class TestPowerCut(_Case):
    def story(self):
        """Two updates that are confirmed and one that is lost, one start at a time; yields after each of them."""
        for slot in (SLOT_A, SLOT_B, SLOT_A):
            state = self.reload()
            if slot in (state.confirmed, state.trial):
                continue
            stage(self.records, slot)
            yield choose(self.records, image, False)
            if slot == SLOT_A and state.confirmed == SLOT_B:
                fail(self.records, boot_choice.CRASH, "a note of more than one word, see")
            else:
                confirm(self.records)
            yield self.start()

    def test_every_cut_leaves_one_that_may_run(self):
        for _ in range(6):  # so that the blocks take turns within the story
            self.records.write()
        begun = self.flash.after()
        self.flash = begun.after()
        list(self.story())
        total = self.flash.operations
        self.assertGreater(total, 15)
        cuts = 0
        for way in WAYS:
            for n in range(1, total + 1):
                self.flash = begun.after()
                before = self.reload()
                confirmed = [before.confirmed]
                self.flash.cut(n, way)
                try:
                    for _ in self.story():
                        confirmed.append(self.records.state.confirmed)
                except PowerCut:
                    cuts += 1
                wanted = self.records.state
                self.flash = self.flash.after()
                state = self.reload()
                # what the record before said, or what the one under way says
                self.assertTrue(state.confirmed in (confirmed[-1], wanted.confirmed), (way, n))
                runs = self.start()
                self.assertTrue(runs in (state.confirmed, state.trial), (way, n))
                for _ in range(STARTS):  # and whatever it was, the board comes to rest
                    self.start()
                self.assertEqual(self.start(), self.records.state.confirmed, (way, n))
                self.assertEqual(self.records.state.trial, FACTORY)
        self.assertEqual(cuts, total * len(WAYS))

    def test_a_confirmation_is_one_word(self):
        stage(self.records, SLOT_A)
        self.start()
        before = self.flash.operations
        confirm(self.records)
        self.assertEqual(self.flash.operations, before + 1)

    def test_a_cut_while_a_block_is_begun_again(self):
        for way in (HALF, TORN):
            self.setUp()
            self.records.state.confirmed = SLOT_A
            for _ in range(16):
                self.records.write()
            self.flash.cut(1, way)
            with self.assertRaises(PowerCut):
                self.records.write()
            self.flash = self.flash.after()
            self.assertEqual(self.reload().confirmed, SLOT_A)
            self.records.write()
            self.assertEqual(self.reload().confirmed, SLOT_A)
