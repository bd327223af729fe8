"""`utf8.check` against the table of RFC 3629 §4, counted out, and cut everywhere."""

import unittest

from station.ocpp.utf8 import BAD, WHOLE, check

GOOD = (
    b"",
    b"\x00 plain \x7f",
    b"\xc2\x80\xdf\xbf",
    b"\xe0\xa0\x80\xec\x80\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
    b"\xf0\x90\x80\x80\xf3\x80\xbf\x80\xf4\x8f\xbf\xbf",
    "Ladepunkt Käfer № 7 €, 電, 😀".encode(),
)
# text, and the index of the byte that cannot be there
WRONG = (
    (b"a\x80", 1),  # a continuation of nothing
    (b"\xc0\x80", 0),  # overlong
    (b"\xc1\xbf", 0),
    (b"\xe0\x9f\xbf", 1),
    (b"\xf0\x8f\xbf\xbf", 1),
    (b"\xed\xa0\x80", 1),  # a surrogate
    (b"\xf4\x90\x80\x80", 1),  # past U+10FFFF
    (b"\xf5\x80\x80\x80", 0),
    (b"\xff", 0),
    (b"\xc3(", 1),
    (b"\xe2\x82(", 2),
    (b"\xf0\x9f\x98(", 3),
    (b"\xe2\x82\xac\xac", 3),
)


class TestUtf8(unittest.TestCase):
    def test_good_text_cut_anywhere(self):
        for text in GOOD:
            for cut in range(len(text) + 1):
                state = check(text, 0, cut, WHOLE)
                self.assertNotEqual(state, BAD, "%r[:%d]" % (text, cut))
                self.assertEqual(check(text, cut, len(text), state), WHOLE, "%r cut at %d" % (text, cut))

    def test_bad_text_is_noticed_at_the_very_byte(self):
        for text, wrong in WRONG:
            state = check(text, 0, wrong, WHOLE)
            self.assertNotEqual(state, BAD, "%r[:%d]" % (text, wrong))
            self.assertEqual(check(text, wrong, wrong + 1, state), BAD, "%r[%d]" % (text, wrong))
            self.assertEqual(check(text, 0, len(text), WHOLE), BAD, "%r" % text)

    def test_unfinished_is_neither_whole_nor_bad(self):
        for text in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"ok\xf0"):
            self.assertNotIn(check(text, 0, len(text), WHOLE), (WHOLE, BAD), "%r" % text)

    def test_count_of_characters_of_two_bytes(self):
        text = bytearray(2)
        count = 0
        for text[0] in range(0x80, 0x100):
            for text[1] in range(0x100):
                count += check(text, 0, 2, WHOLE) == WHOLE
        self.assertEqual(count, 0x800 - 0x80)

    def test_count_of_characters_of_three_bytes(self):
        text = bytearray(3)
        count = 0
        for text[0] in range(0xE0, 0xF0):
            for text[1] in range(0x100):
                for text[2] in (0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF):  # 2 of the 64 good ones
                    count += check(text, 0, 3, WHOLE) == WHOLE
        self.assertEqual(count, (0x10000 - 0x800 - 0x800) // 64 * 2)

    def test_count_of_characters_of_four_bytes(self):
        text = bytearray(4)
        count = 0
        for text[0] in range(0xF0, 0x100):
            for text[1] in range(0x100):
                for text[2] in (0x7F, 0x80, 0xBF, 0xC0):
                    for text[3] in (0x7F, 0x80, 0xBF, 0xC0):
                        count += check(text, 0, 4, WHOLE) == WHOLE
        self.assertEqual(count, (0x110000 - 0x10000) // 4096 * 4)

    def test_piece_of_a_view(self):
        view = memoryview(bytearray(b"\xff\xff\xe2\x82\xac\xff"))
        self.assertEqual(check(view[2:], 0, 3, WHOLE), WHOLE)
        self.assertEqual(check(view, 2, 5, WHOLE), WHOLE)
