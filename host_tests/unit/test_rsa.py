"""RSA: one signature of each kind, made by another implementation, and what must not pass for it.

The published vectors are in host_tests/wire/test_crypto_vectors.py.
"""

import asyncio
import binascii
import hashlib
import unittest

from station.crypto import rsa

E = 65537
DIGEST = hashlib.sha256(b"a package").digest()
N = int(
    "ce69f309bf641743f8d1877fd8192af023df2828937a4ba08ac3406e887b78d916a320d140a5a61de8772a28ba401ac97ab10d09063318d3"
    "3d7c4a7b9d43d533df2d8575639c2fad42e0f61f66c7af443e2f3ca4b1beefd0601ad430e22704ef7a30834d020a471fe065441c7deff203"
    "e3a7369d339516a603ba7e0283a262f523991b10ca996a1ab40e76b95d5e02c7609a438c59716532a1d491ba79d4a29a22a0fe6e5d027923"
    "0474897b02b0fd69125075f86d2d99dbf1499f5791b56a76b6a5e77020d53c63e49549e15a6e7075d7513f119b90b38fac067768b4f98aec"
    "60cb0edf4cb55401d7ac9a72f63efaad2011c5ef93a602ba48f47b271de36f51",
    16,
)
PKCS1 = binascii.unhexlify(
    "563287372d8039bfa055898d4b74c0b0342a0da962132b19ab5f46e8eaeb487bd4369939a7009d03c1766cc36465516d5625c5307ad18ea5"
    "e2df8bb4a258d92777ab1272bfb053bb76d2f9ae26ef92cdf5e0d6518d7dce80b799ae881148a88ed3c213baefa32cb75e88e48bf86566ba"
    "cd6ece853957771be3898ad1e423eb57711d4dcf1e7022ab5bf0f6aceebf8e9daecb0bda43951b8e7bc2e588e688539b62ed8f1d20539496"
    "7835467641b0a9c8f74af75cb02880117eadbe836bb675898f2135656c77cf096b7df6eaae27e5a972e3b3f300be198ce6c62daaadf5ec8e"
    "b36b126d0786b81e9ea2447e618c6c05653b027a2b688e78f060834f0648238b"
)
PSS = binascii.unhexlify(
    "a9fd4fb7c016b51eba6ee8ddd5033965fe678912844a0f4cc1e13e62d768804ac7d4e162b559515eabba9106cc3da3b21a8370c996e5d8cc"
    "63ba8402383ed34e038bf88b38fe94532753461078d85bef6b3c79fb32ca2501e03fb6531ab1922ad177057f289f9154f5f6edde89b00558"
    "95fc26ed30e859471d46c695358b837ee098968846ae7dc7456fb0bda0bb6f8c427a33221afa9909f6e1e149d6c6395a2b62037326337772"
    "86e1f5d397ab9927fb6ea30c335cb863609292d26fd400adcd2a5117d5a50cfedb9e820a928b0b52885088efb390097b853a03f641e2f9a8"
    "c2cb73a327456d37fe361f87e63b600018fc706b9cc24f6bf2a89ec31e9e7862"
)
OTHER = hashlib.sha256(b"another").digest()


class TestSignatures(unittest.TestCase):
    def test_each_kind_is_verified_by_its_own_rule(self):
        self.assertTrue(rsa.verify_pkcs1(N, E, DIGEST, PKCS1))
        self.assertTrue(rsa.verify_pss(N, E, DIGEST, PSS))
        self.assertFalse(rsa.verify_pkcs1(N, E, DIGEST, PSS))
        self.assertFalse(rsa.verify_pss(N, E, DIGEST, PKCS1))

    def test_in_slices_too(self):
        async def both(digest):
            return await rsa.verify_pkcs1_async(N, E, digest, PKCS1), await rsa.verify_pss_async(N, E, digest, PSS)

        self.assertEqual(asyncio.run(both(DIGEST)), (True, True))
        self.assertEqual(asyncio.run(both(OTHER)), (False, False))

    def test_another_message(self):
        self.assertFalse(rsa.verify_pkcs1(N, E, OTHER, PKCS1))
        self.assertFalse(rsa.verify_pss(N, E, OTHER, PSS))

    def test_another_key(self):
        self.assertFalse(rsa.verify_pkcs1(N - 2, E, DIGEST, PKCS1))
        self.assertFalse(rsa.verify_pkcs1(N, 3, DIGEST, PKCS1))

    def test_a_salt_of_another_size(self):
        for size in (0, 20, 31, 33, 222, 300):
            self.assertFalse(rsa.verify_pss(N, E, DIGEST, PSS, size))

    def test_each_changed_byte(self):
        for signature, verify in ((PKCS1, rsa.verify_pkcs1), (PSS, rsa.verify_pss)):
            for at in range(0, len(signature), 8):
                changed = bytearray(signature)
                changed[at] ^= 1
                self.assertFalse(verify(N, E, DIGEST, changed), at)

    def test_lengths(self):
        for signature, verify in ((PKCS1, rsa.verify_pkcs1), (PSS, rsa.verify_pss)):
            for changed in (b"", signature[:-1], signature + b"\x00", b"\x00" + signature):
                self.assertFalse(verify(N, E, DIGEST, changed))

    def test_a_signature_is_below_n(self):
        number = int.from_bytes(PKCS1, "big")
        # the same residue again, which the length alone would let pass where it fits
        self.assertFalse(rsa.verify_pkcs1(N, E, DIGEST, (number + N).to_bytes(257, "big")))
        self.assertFalse(rsa.verify_pkcs1(N, E, DIGEST, N.to_bytes(256, "big")))


class TestKeys(unittest.TestCase):
    def refused(self, n, e):
        with self.assertRaises(ValueError) as context:
            rsa.verify_pkcs1(n, e, DIGEST, PKCS1)
        return str(context.exception)

    def test_sizes(self):
        self.assertIn("1024 bits, allowed 2048 to 4096", self.refused(1 << 1023 | 1, E))
        self.assertIn("2047 bits", self.refused(1 << 2046 | 1, E))
        self.assertIn("4097 bits", self.refused(1 << 4096 | 1, E))

    def test_even(self):
        self.assertIn("odd", self.refused(N - 1, E))

    def test_exponents(self):
        for e in (0, 1, 2, 65536, 1 << 32 | 1):
            self.assertIn("e is %d, allowed 3" % e, self.refused(N, e))

    def test_a_digest_has_32_bytes(self):
        with self.assertRaises(ValueError):
            rsa.verify_pkcs1(N, E, DIGEST[:31], PKCS1)

    def test_bit_length(self):
        for bits in (0, 1, 8, 255, 256, 257, 512, 2048):
            self.assertEqual(rsa.bit_length((1 << bits) - 1), bits)
