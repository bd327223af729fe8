"""The CBOR reader: each kind of item, and what is refused. Against another implementation: host_tests/wire."""

import unittest

from station.update import cbor
from station.update.cbor import CborError, Reader


class TestReader(unittest.TestCase):
    def refused(self, data, take):
        with self.assertRaises(CborError) as context:
            take(Reader(data))
        return str(context.exception)

    def test_items_one_after_the_other(self):
        data = b"\x17\x18\x18\x19\x01\x00\x20\x38\xff\x43abc\x63#ab\x82\xd8\x6b\xf6\xf5"
        reader = Reader(data)
        self.assertEqual((reader.uint(), reader.uint(), reader.integer()), (23, 24, 256))
        self.assertEqual((reader.integer(), reader.integer()), (-1, -256))
        self.assertEqual((bytes(reader.string(3)), reader.text()), (b"abc", "#ab"))
        self.assertEqual((reader.array(), reader.tag()), (2, 107))
        reader.null()
        self.assertIs(reader.simple(), True)
        self.assertEqual(reader.peek(), -1)
        reader.finish()

    def test_a_string_is_a_view(self):
        data = bytearray(b"\x42ab")
        view = Reader(data).string()
        data[1] = 0x78
        self.assertEqual(bytes(view), b"xb")

    def test_large_numbers(self):
        self.assertEqual(Reader(b"\x1a\xff\xff\xff\xff").uint(), 0xFFFFFFFF)
        self.assertEqual(Reader(b"\x1b" + b"\xff" * 8).uint(), 0xFFFFFFFFFFFFFFFF)
        self.assertEqual(Reader(b"\x3b" + b"\xff" * 8).integer(), -0x10000000000000000)

    def test_maps(self):
        reader = Reader(b"\xa3\x01\x0a\x02\x0b\x20\x0c")
        self.assertEqual([(key, reader.uint()) for key in reader.map_keys()], [(1, 10), (2, 11), (-1, 12)])
        reader.finish()

    def test_nested(self):
        inner = Reader(b"\x42\x81\x05").nested("inner")
        self.assertEqual((inner.array(), inner.uint()), (1, 5))
        inner.finish()

    def test_the_wrong_kind_is_named_with_its_place(self):
        self.assertEqual(
            self.refused(b"\x40", Reader.uint), "CBOR, byte 0: an unsigned integer is expected, not a byte string"
        )
        self.assertIn("a map is expected", self.refused(b"\x80", lambda reader: list(reader.map_keys())))
        self.assertIn("null is expected", self.refused(b"\xf5", Reader.null))
        self.assertIn("5 bytes where 4 are expected", self.refused(b"\x45hello", lambda reader: reader.string(4)))
        self.assertIn("1 bytes more", self.refused(b"\x00", Reader.finish))

    def test_what_fails_takes_nothing(self):
        reader = Reader(b"\x42ab")
        for take in (reader.uint, reader.text, reader.array, lambda: reader.string(1)):
            with self.assertRaises(CborError):
                take()
            self.assertEqual(reader.at, 0)

    def test_a_map_out_of_order_is_refused_at_the_key(self):
        def take(reader):
            for _ in reader.map_keys():
                reader.uint()

        self.assertIn("byte 3: keys are not in order", self.refused(b"\xa2\x02\x00\x01\x00", take))
        self.assertIn("byte 3: a key comes twice", self.refused(b"\xa2\x02\x00\x02\x00", take))

    def test_depth(self):
        deep = b"\x81" * (cbor.DEPTH - 1) + b"\x00"
        Reader(deep).skip()
        self.assertIn("nested deeper", self.refused(b"\x81" + deep, Reader.skip))

    def test_a_count_that_cannot_be_there_is_refused_at_once(self):
        self.assertIn("4294967295 items", self.refused(b"\x9a\xff\xff\xff\xff\x00", Reader.array))


class TestHead(unittest.TestCase):
    def test_sizes(self):
        for initial, size in ((0x00, 1), (0x17, 1), (0x18, 2), (0x59, 3), (0x7A, 5), (0x9B, 9), (0xF4, 1), (0xD8, 2)):
            self.assertEqual(cbor.head_size(initial), size)

    def test_what_has_none(self):
        for initial in (0x1C, 0x1F, 0x5F, 0x7F, 0x9F, 0xBF, 0xFF, 0xF3, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB):
            with self.assertRaises(CborError):
                cbor.head_size(initial)

    def test_only_the_shortest_form(self):
        for data in (b"\x18\x17", b"\x19\x00\xff", b"\x1a\x00\x00\xff\xff", b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff"):
            with self.assertRaises(CborError):
                cbor.head(data)
        self.assertEqual(cbor.head(b"\x18\x18"), (cbor.UINT, 24))
        self.assertEqual(cbor.head(b"..\x5a\x00\x01\x00\x00", 2), (cbor.STRING, 65536))
