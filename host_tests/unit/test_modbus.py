"""drivers/modbus.py: frames with known CRCs, and every way a reply can be wrong."""

import unittest

from station.drivers.modbus import (
    ModbusError,
    ModbusException,
    crc16,
    find,
    parse,
    reply_size,
    request,
    unpack,
    write_file,
    write_registers,
)

ASKED = request(1, 4, 0, 2)


def framed(*body):
    body = bytes(body)
    crc = crc16(body, len(body))
    return body + bytes((crc & 255, crc >> 8))


class TestModbus(unittest.TestCase):
    def refused(self, reply, word):
        with self.assertRaises(ModbusError) as caught:
            parse(reply, ASKED)
        self.assertIn(word, str(caught.exception))

    def test_crc_known_values(self):
        self.assertEqual(crc16(b"123456789", 9), 0x4B37)
        self.assertEqual(crc16(b"", 0), 0xFFFF)

    def test_known_requests(self):
        self.assertEqual(request(17, 3, 0x006B, 3), b"\x11\x03\x00\x6b\x00\x03\x76\x87")
        self.assertEqual(request(1, 4, 0, 2), b"\x01\x04\x00\x00\x00\x02\x71\xcb")

    def test_known_writes(self):
        """Modbus Application Protocol 1.1b3 §6.12, §6.15, their examples."""
        self.assertEqual(
            write_registers(1, 1, b"\x00\x0a\x01\x02")[:-2], b"\x01\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02"
        )
        data = b"\x06\xaf\x04\xbe\x10\x0d"
        self.assertEqual(write_file(1, 4, 7, data)[:-2], b"\x01\x15\x0d\x06\x00\x04\x00\x07\x00\x03" + data)

    def test_refuses_impossible_writes(self):
        for wrong in ((1, 0, b""), (1, 0, b"x"), (1, 0, bytes(248)), (1, 65535, bytes(4)), (0, 0, bytes(2))):
            with self.assertRaises(ValueError):
                write_registers(*wrong)
        for wrong in (
            (1, 0, 0, bytes(2)),
            (1, 1, 9999, bytes(4)),
            (1, 1, 0, b"x"),
            (1, 1, 0, bytes(246)),
            (1, 1, 0, b""),
        ):
            with self.assertRaises(ValueError):
                write_file(*wrong)

    def test_replies_to_writes(self):
        asked = write_registers(1, 1, bytes(4))
        good = framed(1, 16, 0, 1, 0, 2)
        self.assertEqual(reply_size(asked), len(good))
        self.assertEqual((find(good, len(good), asked), bytes(parse(good, asked))), (0, b""))
        self.assertEqual(find(asked, len(asked), asked), -1, "our own request, heard back")
        asked = write_file(1, 4, 7, b"abcd")
        self.assertEqual((find(asked, len(asked), asked), bytes(unpack(asked, 0))), (0, b""))
        self.assertEqual(find(asked, len(asked), asked, len(asked)), -1, "where the line echoes")
        self.assertEqual(find(asked * 2, 2 * len(asked), asked, len(asked)), len(asked))
        self.assertEqual(find(framed(1, 0x95, 4), 5, asked), 0)

    def test_refuses_impossible_requests(self):
        for wrong in (
            (0, 3, 0, 1),
            (248, 3, 0, 1),
            (1, 6, 0, 1),
            (1, 3, 0, 0),
            (1, 3, 0, 126),
            (1, 3, 65535, 2),
        ):
            with self.assertRaises(ValueError):
                request(*wrong)

    def test_good_reply(self):
        reply = framed(1, 4, 4, 0x43, 0x66, 0x33, 0x34)
        self.assertEqual(bytes(parse(reply, ASKED)), b"\x43\x66\x33\x34")
        self.assertEqual(bytes(parse(memoryview(bytearray(reply)), ASKED)), b"\x43\x66\x33\x34")

    def test_every_single_bit_error_is_noticed(self):
        good = framed(1, 4, 4, 0x43, 0x66, 0x33, 0x34)
        for bit in range(8 * len(good)):
            reply = bytearray(good)
            reply[bit // 8] ^= 1 << bit % 8
            self.refused(reply, "CRC")

    def test_every_cut_is_noticed(self):
        good = framed(1, 4, 4, 0x43, 0x66, 0x33, 0x34)
        self.refused(b"", "no reply")
        for size in range(1, len(good)):
            self.refused(good[:size], "short" if size < 5 else "CRC")

    def test_exception_reply(self):
        self.refused(framed(1, 0x84, 2), "exception 2")

    def test_foreign_replies(self):
        self.refused(framed(2, 4, 4, 0, 0, 0, 0), "slave 2 instead of 1")
        self.refused(framed(1, 3, 4, 0, 0, 0, 0), "function 3 instead of 4")
        self.refused(framed(1, 4, 2, 0, 0), "2 bytes of data instead of 4")
        self.refused(framed(1, 4, 4, 0, 0), "bytes of data")

    def test_an_exception_is_an_error_of_its_own(self):
        with self.assertRaises(ModbusException):
            parse(framed(1, 0x84, 6), ASKED)


class TestFind(unittest.TestCase):
    """The reply among what else was heard."""

    good = framed(1, 4, 4, 0x43, 0x66, 0x33, 0x34)

    def found(self, received):
        return find(received, len(received), ASKED)

    def test_alone(self):
        self.assertEqual(self.found(self.good), 0)
        self.assertEqual(bytes(unpack(self.good, 0)), b"\x43\x66\x33\x34")

    def test_not_before_its_last_byte(self):
        for size in range(len(self.good)):
            self.assertEqual(self.found(self.good[:size]), -1, size)

    def test_behind_the_echo_of_the_request(self):
        self.assertEqual(self.found(request(1, 4, 0x48, 2)), -1)
        self.assertEqual(self.found(request(1, 4, 0x48, 2) + self.good), 8)

    def test_behind_and_before_noise(self):
        for noise in (b"\x00", b"\xff\x00", b"\x01", b"\x01\x04", b"\x01\x04\x04", b"\x01\x84"):
            self.assertEqual(self.found(noise + self.good), len(noise), noise)
            self.assertEqual(self.found(self.good + noise), 0, noise)

    def test_behind_replies_of_others(self):
        for other in (framed(2, 4, 4, 1, 2, 3, 4), framed(1, 3, 4, 1, 2, 3, 4), framed(1, 4, 2, 1, 2)):
            self.assertEqual(self.found(other), -1)
            self.assertEqual(self.found(other + self.good), len(other))

    def test_a_corrupt_one_is_passed_over(self):
        bad = bytearray(self.good)
        bad[4] ^= 1
        self.assertEqual(self.found(bytes(bad)), -1)
        self.assertEqual(self.found(bytes(bad) + self.good), len(bad))

    def test_an_exception_is_an_answer(self):
        refusal = framed(1, 0x84, 2)
        self.assertEqual(self.found(b"\x00" + refusal), 1)
        with self.assertRaises(ModbusException) as caught:
            unpack(b"\x00" + refusal, 1)
        self.assertEqual(str(caught.exception), "exception 2")
        self.assertEqual(self.found(framed(1, 0x83, 2)), -1, "of another function")

    def test_only_what_was_received_counts(self):
        buffer = bytearray(self.good) + bytearray(20)
        self.assertEqual(find(buffer, len(self.good) - 1, ASKED), -1, "the rest is of an earlier reply")
