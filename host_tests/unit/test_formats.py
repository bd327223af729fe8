"""date-time of RFC 3339, OCPP's decimal, URI of RFC 3986."""

import gc
import unittest

from station.ocpp.formats import is_date_time, is_decimal, is_uri


class DateTimeTest(unittest.TestCase):
    def test_date_times(self):
        for text in (
            "2026-11-22T11:00:00Z",
            "2026-11-22t11:00:00z",
            "2026-11-22T11:00:00.0Z",
            "2026-11-22T23:59:59.123456789+23:59",
            "2026-11-22T00:00:00-00:00",
            "2024-02-29T11:00:00Z",
            "2000-02-29T11:00:00Z",
            "2016-12-31T23:59:60Z",
            "0000-01-31T11:00:00Z",
        ):
            self.assertIs(is_date_time(text, len(text)), True, text)

    def test_no_date_times(self):
        for text in (
            "",
            "2026-11-22",
            "2026-11-22T11:00:00",
            "2026-11-22 11:00:00Z",
            "2026-11-22T11:00:00ZZ",
            "2026-11-22T11:00:00+01",
            "2026-11-22T11:00:00+0100",
            "2026-11-22T11:00:00+01:00Z",
            "2026-11-22T11:00:00*01:00",
            "2026-11-22T11:00:00+24:00",
            "2026-11-22T11:00:00+01:60",
            "2026-11-22T11:00:00+0a:00",
            "2026-11-22T11:00:00+:1:00",
            "2026-11-22T11:00:00.Z",
            "2026-11-22T11:00:00.5",
            "2026-11-22T11:00:00,5Z",
            "2026-11-22T11:00Z",
            "2026-1-22T11:00:00.0Z",
            "2026/11/22T11:00:00Z",
            "2026-11-22T11-00-00Z",
            "2026-00-22T11:00:00Z",
            "2026-13-22T11:00:00Z",
            "2026-11-00T11:00:00Z",
            "2026-11-31T11:00:00Z",
            "2026-12-32T11:00:00Z",
            "2026-02-29T11:00:00Z",
            "2100-02-29T11:00:00Z",
            "2024-02-30T11:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T11:60:00Z",
            "2026-11-22T11:00:61Z",
            "2026-11-22T11:00:0éZ",
            "é026-11-22T11:00:00Z",
            "2026-11-22T11:00:00é",
            "2026-11-22T11:00:00Z\n",
            "２026-11-22T11:00:00Z",
        ):
            self.assertIs(is_date_time(text, len(text)), False, text)


class DecimalTest(unittest.TestCase):
    def test_every_tenth(self):
        for tenths in range(-20000, 20001):
            value = float("%d.%d" % (abs(tenths) // 10, abs(tenths) % 10))
            self.assertTrue(is_decimal(-value if tenths < 0 else value), tenths)

    def test_decimals(self):
        for value in (0, -7, 10**30, 21.4, 0.1, 1e3, 1e-1, 4294967295.9, 1e15, 1e300, -1e300):
            self.assertTrue(is_decimal(value), value)

    def test_no_decimals(self):
        for value in (0.01, 21.45, -0.05, 1e-7, 16.000001, 1e400, -1e400, 1e400 - 1e400):
            self.assertFalse(is_decimal(value), value)


class UriTest(unittest.TestCase):
    def test_no_character_stays_in_the_heap(self):
        gc.collect()
        before = gc.mem_alloc()
        for middle in range(0x80, 0xC0):
            for last in range(0x80, 0xC0):
                is_uri((b"http://\xe5" + bytes((middle, last))).decode())
        gc.collect()
        self.assertLess(gc.mem_alloc() - before, 1000)

    def test_uris(self):
        for text in (
            "http://a",
            "https://user:pw@host:8080/a/b%20c;d?e=f&g#h",
            "ftp://[2001:db8::1]/~x/",
            "urn:a:b",
            "a+b-c.1:x",
        ):
            self.assertTrue(is_uri(text), text)

    def test_no_uris(self):
        for text in (
            "",
            "a",
            ":",
            "http:",
            "//host/path",
            "1a:b",
            "a b:c",
            "http://a b",
            "http://a/%",
            "http://a/%2",
            "http://a/%2g",
            "http://é/",
            "http://a/\n",
            "http://a/<b>",
            "http://a#b#c",
            "+a:b",
        ):
            self.assertFalse(is_uri(text), text)
