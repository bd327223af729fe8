"""charging/id_tag.py: every spelling that the settings allow, and what does not fit."""

import unittest

from fakes import FakeLog
from station.charging import id_tag
from station.settings import Settings

FOUR, SEVEN, TEN = b"\x04\xa1\xb2\xc3", b"\x04\x01\x02\x03\xaa\xbb\xcc", b"\x04\x09\x08\x07\x06\x05\x04\x03\x02\xfe"


class TestIdTag(unittest.TestCase):
    def setUp(self):
        self.settings = Settings(None, FakeLog())

    def spelled(self, uid, order="MSB", case="Upper", prefix=""):
        for key, value in (("IdTagByteOrder", order), ("IdTagCase", case), ("IdTagPrefix", prefix)):
            self.assertEqual(self.settings.change(key, value), "Accepted")
        return id_tag.of_uid(uid, self.settings)

    def test_as_it_is_read_by_default(self):
        self.assertEqual(id_tag.of_uid(FOUR, self.settings), "04A1B2C3")

    def test_spellings(self):
        self.assertEqual(self.spelled(FOUR, order="LSB"), "C3B2A104")
        self.assertEqual(self.spelled(FOUR, case="Lower"), "04a1b2c3")
        self.assertEqual(self.spelled(FOUR, "LSB", "Lower", "Card-"), "Card-c3b2a104")
        self.assertEqual(self.spelled(SEVEN, "LSB"), "CCBBAA03020104")
        self.assertEqual(self.spelled(TEN), "040908070605040302FE")

    def test_the_longest_prefix_of_each_length(self):
        for uid, room in ((FOUR, 12), (SEVEN, 6), (TEN, 0)):
            self.assertEqual(len(self.spelled(uid, prefix="x" * room)), 20)
            if room < 12:
                with self.assertRaises(ValueError) as caught:
                    self.spelled(uid, prefix="x" * (room + 1))
                self.assertIn("21 characters", str(caught.exception))

    def test_what_is_no_setting(self):
        for key, value in (
            ("IdTagByteOrder", "msb"),
            ("IdTagCase", "Title"),
            ("IdTagPrefix", "x" * 13),
            ("IdTagPrefix", "a b"),
            ("IdTagPrefix", "ü"),
        ):
            self.assertEqual(self.settings.change(key, value), "Rejected", value)
