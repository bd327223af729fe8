"""Verification of RSA signatures with SHA-256: RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 §8.2.2, §8.1.2).

    rsa.verify_pkcs1(n, e, digest, signature)          True or False
    rsa.verify_pss(n, e, digest, signature)            PSS with MGF1 on SHA-256 and, unless told, a salt of 32 bytes
    await rsa.verify_pkcs1_async(…), verify_pss_async(…)

The padding is not parsed: of PKCS1-v1_5 there is one right encoding, which is made and compared whole.
"""

import hashlib

from micropython import const

from station.crypto import slices

BITS_LEAST = const(2048)
BITS_MOST = const(4096)
_E_MOST = const(0xFFFFFFFF)
_HASH = const(32)
# DigestInfo of SHA-256 up to the digest (RFC 8017 §9.2, note 1)
_DIGEST_INFO = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def verify_pkcs1(n: int, e: int, digest: bytes, signature: "bytes | memoryview") -> bool:
    """Has the owner of the key (n, e) signed what has the SHA-256 `digest`, by RSASSA-PKCS1-v1_5?

    Raises ValueError for a key that is not taken: n of 2048 to 4096 bits, e odd, 3 to 2^32 - 1.
    """
    return slices.run(_verify(n, e, digest, signature, -1))


async def verify_pkcs1_async(n: int, e: int, digest: bytes, signature) -> bool:
    """`verify_pkcs1`, giving way to other tasks after each 10 ms."""
    return await slices.run_in_slices(_verify(n, e, digest, signature, -1))


def verify_pss(n: int, e: int, digest: bytes, signature: "bytes | memoryview", salt_size: int = _HASH) -> bool:
    """The same by RSASSA-PSS; `salt_size` in bytes, another one is refused."""
    return slices.run(_verify(n, e, digest, signature, salt_size))


async def verify_pss_async(n: int, e: int, digest: bytes, signature, salt_size: int = _HASH) -> bool:
    """`verify_pss`, giving way to other tasks after each 10 ms."""
    return await slices.run_in_slices(_verify(n, e, digest, signature, salt_size))


def bit_length(number: int) -> int:
    """Bits of a number that is not negative; MicroPython's int does not tell."""
    count = 0
    while number >> count + 256:
        count += 256
    number >>= count
    while number:
        number >>= 1
        count += 1
    return count


def _verify(n, e, digest, signature, salt_size):
    if len(digest) != _HASH:
        raise ValueError("RSA: a digest of %d bytes, SHA-256 has 32" % len(digest))
    bits = bit_length(n)
    if not (BITS_LEAST <= bits <= BITS_MOST and n & 1):
        raise ValueError("RSA key: n of %d bits, allowed %d to %d, odd" % (bits, BITS_LEAST, BITS_MOST))
    if not (3 <= e <= _E_MOST and e & 1):
        raise ValueError("RSA key: e is %d, allowed 3 to %d, odd" % (e, _E_MOST))
    size = (bits + 7) // 8
    number = int.from_bytes(bytes(signature), "big")
    if len(signature) != size or number >= n:
        yield False
        return
    power = number
    for i in range(bit_length(e) - 2, -1, -1):
        power = power * power % n
        yield None
        if e >> i & 1:
            power = power * number % n
            yield None
    if salt_size < 0:
        yield power.to_bytes(size, "big") == _pkcs1(digest, size)
    else:
        yield _is_pss(power, bits - 1, digest, salt_size)


def _pkcs1(digest, size):
    """EMSA-PKCS1-v1_5, `size` bytes."""
    rest = _DIGEST_INFO + digest
    return b"\x00\x01" + b"\xff" * (size - len(rest) - 3) + b"\x00" + rest


def _is_pss(number, bits, digest, salt_size):
    """EMSA-PSS-VERIFY of an encoded message of so many bits (RFC 8017 §9.1.2)."""
    size = (bits + 7) // 8
    if number >> bits:
        return False
    encoded = number.to_bytes(size, "big")
    masked = size - _HASH - 1
    padding = masked - salt_size - 1
    if padding < 0 or encoded[-1] != 0xBC:
        return False
    seed = encoded[masked:-1]
    mask = _mgf1(seed, masked)
    block = bytearray(masked)
    for i in range(masked):
        block[i] = encoded[i] ^ mask[i]
    block[0] &= 0xFF >> 8 * size - bits
    for i in range(padding):
        if block[i]:
            return False
    if block[padding] != 1:
        return False
    return hashlib.sha256(bytes(8) + digest + block[padding + 1 :]).digest() == seed


def _mgf1(seed, size):
    """At least `size` bytes of MGF1 with SHA-256 (RFC 8017 §B.2.1)."""
    mask = b""
    for count in range((size + _HASH - 1) // _HASH):
        mask += hashlib.sha256(seed + count.to_bytes(4, "big")).digest()
    return mask
