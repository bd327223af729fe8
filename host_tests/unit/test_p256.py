"""P-256: the signature of RFC 6979 §A.2.5, what must not pass for it, and that others have the loop meanwhile.

The published vectors are in host_tests/wire/test_crypto_vectors.py.
"""

import asyncio
import binascii
import hashlib
import unittest

from station.crypto import p256, slices
from station.crypto.generator import MULTIPLES

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
KEY = binascii.unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
R = binascii.unhexlify("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716")
S = binascii.unhexlify("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8")
DIGEST = hashlib.sha256(b"sample").digest()
ZERO = bytes(32)


def big(number):
    return number.to_bytes(32, "big")


class TestVerify(unittest.TestCase):
    def test_the_signature(self):
        self.assertTrue(p256.verify(KEY, DIGEST, R + S))
        self.assertTrue(p256.verify(memoryview(KEY), memoryview(DIGEST), memoryview(R + S)))

    def test_another_message(self):
        self.assertFalse(p256.verify(KEY, hashlib.sha256(b"test").digest(), R + S))

    def test_each_changed_byte(self):
        for at in range(0, 64, 3):
            changed = bytearray(R + S)
            changed[at] ^= 1
            self.assertFalse(p256.verify(KEY, DIGEST, changed), at)

    def test_r_and_s_are_between_1_and_n(self):
        for number in (ZERO, big(N), big(N + 1), b"\xff" * 32):
            self.assertFalse(p256.verify(KEY, DIGEST, number + S))
            self.assertFalse(p256.verify(KEY, DIGEST, R + number))

    def test_lengths(self):
        for signature in (b"", R, R + S[:-1], R + S + b"\x00", b"\x00" + R + S):
            self.assertFalse(p256.verify(KEY, DIGEST, signature))

    def test_the_other_half_of_the_curve(self):
        """-s is a signature as well, by the nature of ECDSA: nothing may count on their being unique."""
        s = int.from_bytes(S, "big")
        self.assertTrue(p256.verify(KEY, DIGEST, R + big(N - s)))

    def test_u1_and_u2_that_meet(self):
        """Q = G, and signatures by which the sum doubles or vanishes; most of the code's points are usual ones."""
        generator = MULTIPLES[:64]
        gx = int.from_bytes(generator[:32], "big")
        for digest in (ZERO, big(1), big(gx), big(N - gx), big(N - 1)):
            # s = digest + r signs with the key 1 and the nonce 1, whose r is G's x
            s = (int.from_bytes(digest, "big") + gx) % N
            self.assertEqual(p256.verify(generator, digest, big(gx % N) + big(s)), s != 0)


class TestKeys(unittest.TestCase):
    def refused(self, key):
        with self.assertRaises(ValueError) as context:
            p256.verify(key, DIGEST, R + S)
        return str(context.exception)

    def test_lengths(self):
        self.assertIn("65 bytes, it has 64", self.refused(b"\x04" + KEY))
        self.assertIn("0 bytes", self.refused(b""))

    def test_not_on_the_curve(self):
        changed = bytearray(KEY)
        changed[63] ^= 1
        self.assertIn("not a point", self.refused(changed))
        self.assertIn("not a point", self.refused(bytes(64)))

    def test_coordinates_beyond_the_field(self):
        # x + p and y + p are the same residues, where they fit
        self.assertIn("not a point", self.refused(big(P) + KEY[32:]))
        self.assertIn("not a point", self.refused(b"\xff" * 64))

    def test_a_digest_has_32_bytes(self):
        with self.assertRaises(ValueError):
            p256.verify(KEY, DIGEST + b"\x00", R + S)


class Clock:
    """A clock by which each part of the work takes `part_ms`."""

    def __init__(self, part_ms):
        self._now, self._part_ms = 0, part_ms

    def ticks_ms(self):
        self._now += self._part_ms
        return self._now

    @staticmethod
    def ticks_diff(late, early):
        return late - early


class TestSlices(unittest.TestCase):
    def turns(self, part_ms):
        """How often another task has the loop during one verification, where a part of it takes so long."""

        async def run():
            async def other():
                while True:
                    turns.append(None)
                    await asyncio.sleep_ms(0)

            task = asyncio.create_task(other())
            try:
                return await p256.verify_async(KEY, DIGEST, R + S)
            finally:
                task.cancel()

        turns = []
        real, slices.time = slices.time, Clock(part_ms)
        try:
            self.assertTrue(asyncio.run(run()))
        finally:
            slices.time = real
        return len(turns)

    def test_a_slow_board_gives_way_after_each_part(self):
        self.assertGreater(self.turns(11), 257)

    def test_a_fast_one_after_10_ms(self):
        turns = self.turns(2)
        self.assertGreater(turns, 40)
        self.assertLess(turns, 80)

    def test_the_wrong_ones_in_slices(self):
        self.assertFalse(asyncio.run(p256.verify_async(KEY, DIGEST, S + R)))
        with self.assertRaises(ValueError):
            asyncio.run(p256.verify_async(KEY[:-1], DIGEST, R + S))
