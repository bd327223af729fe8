"""One verification of each kind, as a generator that does a part of it between two `yield`s: what is measured."""

import binascii
import hashlib

from station.crypto import p256, rsa

KEY = binascii.unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SIGNATURE = binascii.unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
DIGEST = hashlib.sha256(b"sample").digest()
MODULUS = (1 << 2047) + 0x1234567  # any odd number costs the same; what comes out is no padding


def es256():
    return p256._verify(KEY, DIGEST, SIGNATURE)


def rsa2048():
    return rsa._verify(MODULUS, 65537, DIGEST, b"\x5a" * 256, -1)
