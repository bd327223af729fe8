"""The grammar of JSON (RFC 8259) and the two limits."""

import gc
import json
import unittest

from station.ocpp.json_syntax import HALVES, MAX_DEPTH, MAX_NUMBER, join_surrogates, scan

GOOD = (
    "0",
    "-0",
    "10",
    "1.5",
    "-1.50e10",
    "1E+2",
    "1e-2",
    "true",
    "false",
    "null",
    '""',
    '"a"',
    '"é"',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00aF"',
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    "[1,2]",
    '["",""]',
    "[true,false,null]",
    '{"a":1}',
    '{"":{}}',
    '{"a":[],"b":{"c":null}}',
)
# offset of what is wrong, text
BAD = (
    (0, ""),
    (1, " "),
    (1, "["),
    (1, "{"),
    (0, "]"),
    (0, "}"),
    (1, "[}"),
    (1, "{]"),
    (1, "[,1]"),
    (3, "[1,]"),
    (3, "[1 2]"),
    (2, "[1:2]"),
    (2, "[1}"),
    (6, '{"a":1]'),
    (4, '{"a"}'),
    (4, '{"a",1}'),
    (5, '{"a":}'),
    (5, '{"a" 1}'),
    (7, '{"a":1,}'),
    (7, '{"a":1 "b":2}'),
    (1, "{1:2}"),
    (1, "{a:1}"),
    (0, ",1"),
    (1, "1,2"),
    (2, "1 2"),
    (2, "[]]"),
    (2, '""x'),
    (0, "'a'"),
    (0, "tru"),
    (4, "truex"),
    (0, "falsy"),
    (0, "nul"),
    (0, "NaN"),
    (0, "Infinity"),
    (1, "-Infinity"),
    (1, "-"),
    (0, "+1"),
    (0, ".5"),
    (2, "1."),
    (2, "1.e5"),
    (2, "1e"),
    (3, "1e+"),
    (1, "01"),
    (2, "-01"),
    (1, "0x10"),
    (1, "1_0"),
    (2, '"a'),
    (2, '"\\'),
    (2, '"\\x"'),
    (2, '"\\u'),
    (2, '"\\u12"'),
    (4, '"\\u1g00"'),
    (5, '"\\u12:0"'),
    (1, '"\n"'),
    (1, '"\0"'),
    (0, "\x0b1"),
    (0, "/**/1"),
    (0, "\ufeff1"),
)


def verdict(text):
    data = text.encode()
    return scan(data, len(data))


class ScanTest(unittest.TestCase):
    def test_json(self):
        for text in GOOD:
            self.assertEqual(verdict(text), 0, text)
            self.assertEqual(verdict(" \t\r\n" + text + "\n "), 0, text)

    def test_no_json(self):
        for offset, text in BAD:
            self.assertEqual(verdict(text), -1 - offset, text)

    def test_every_beginning_of_json_is_none(self):
        text = '{"a":[1.5e1,true,"\\u00e9\\n",null,{"b":"c"}]}'
        for end in range(len(text)):
            self.assertLess(verdict(text[:end]), 0, text[:end])
        self.assertEqual(verdict(text), 0)

    def test_what_is_behind_the_length_does_not_count(self):
        self.assertEqual(scan(b"[]]", 2), 0)
        self.assertLess(scan(b'"\\u00e9"', 6), 0)
        self.assertLess(scan(b"true", 3), 0)

    def test_depth(self):
        self.assertEqual(verdict("[" * MAX_DEPTH + "]" * MAX_DEPTH), 0)
        self.assertEqual(verdict("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)), -1 - MAX_DEPTH)
        deep = '{"a":[' * (MAX_DEPTH // 2) + "]}" * (MAX_DEPTH // 2)
        self.assertEqual(verdict(deep), 0)
        self.assertLess(verdict(deep.replace("]}", "}]")), 0)

    def test_long_numbers(self):
        self.assertEqual(verdict("[-" + "9" * (MAX_NUMBER - 1) + "]"), 0)
        self.assertEqual(verdict("[-" + "9" * MAX_NUMBER + "]"), -2)


class SurrogatesTest(unittest.TestCase):
    def test_flag(self):
        self.assertEqual(verdict('"\\ud83d\\ude00"'), HALVES)
        self.assertEqual(verdict('"\\uD800"'), HALVES)
        self.assertEqual(verdict('"\\uDFFF"'), HALVES)
        self.assertEqual(verdict('"\\ud7ff\\ue000"'), 0)
        self.assertEqual(verdict('"\\\\ud83d"'), 0)

    def test_joined(self):
        for text, joined in (
            (b'"\\ud83d\\ude00"', b'"\xf0\x9f\x98\x80"'),
            (b'"\\uD800\\uDC00\\uDBFF\\uDFFF"', b'"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"'),
            (b'["\\n\\\\\\ud83d\\ude00\\u00e9\\\\ud83d"]', b'["\\n\\\\\xf0\x9f\x98\x80\\u00e9\\\\ud83d"]'),
            (b'"\\u00e9"', b'"\\u00e9"'),
        ):
            self.assertEqual(join_surrogates(text), joined)
            self.assertEqual(scan(joined, len(joined)), 0)
            json.loads(joined)

    def test_no_character_stays_in_the_heap(self):
        gc.collect()
        before = gc.mem_alloc()
        for code in range(0xDC00, 0xE000):
            join_surrogates(b'"\\ud83d\\u%x"' % code)
        gc.collect()
        self.assertLess(gc.mem_alloc() - before, 1000)

    def test_halves(self):
        for text in (
            b'"\\ud83d"',
            b'"\\ude00"',
            b'"\\ud83d\\ud83d"',
            b'"\\ud83d\\n"',
            b'"\\ud83dx\\ude00"',
            b'"\\ude00\\ud83d"',
        ):
            with self.assertRaises(ValueError):
                join_surrogates(text)
