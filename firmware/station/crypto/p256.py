"""Verification of ECDSA signatures on P-256 with SHA-256 (FIPS 186-5 §6.4.2; COSE's ES256, RFC 9053 §2.1).

    p256.verify(key, digest, signature)               True or False
    await p256.verify_async(key, digest, signature)   the same, in slices of the loop

Only public values are at work, so nothing here takes care to take the same time for all of them: no use for signing.

u1·G + u2·Q is one walk over the bits of both numbers (Straus), which are written in odd digits, so that most of them
are 0 (wNAF). Points are in Jacobian coordinates: x = X/Z², y = Y/Z³, Z = 0 at infinity. The multiples that the digits
choose are affine; those of G lie in `generator.py`. The last division is saved: r is compared with x as r·Z² with X.
"""

from micropython import const

from station.crypto import slices
from station.crypto.generator import MULTIPLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generator

KEY_SIZE = const(64)  # x and y, 32 bytes each, big-endian
SIGNATURE_SIZE = const(64)  # r and s

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_BITS = const(257)  # a digit may carry one place beyond the 256 bits
_G_WIDTH = const(6)  # digits up to 31: their multiples are made already
_Q_WIDTH = const(4)  # up to 7: theirs are made each time, and kept in RAM meanwhile
_Q_MULTIPLES = const(4)
_DIVISIONS = const(16)  # of one inversion, between two yields


def verify(key: "bytes | memoryview", digest: "bytes | memoryview", signature: "bytes | memoryview") -> bool:
    """Has the owner of `key` (x and y, 64 bytes) signed what has the SHA-256 `digest`? `signature`: r and s, 64 bytes.

    A signature of another length, or with r or s outside of 1 to n - 1, is none. Raises ValueError for a key that is
    not one, and for a digest that has not 32 bytes.
    """
    return slices.run(_verify(key, digest, signature))


async def verify_async(key, digest, signature) -> bool:
    """`verify`, giving way to other tasks after each 10 ms."""
    return await slices.run_in_slices(_verify(key, digest, signature))


def check_key(key: "bytes | memoryview") -> "tuple[int, int]":
    """The point that `key` is. Raises ValueError if it has not 64 bytes or is no point of the curve."""
    if len(key) != KEY_SIZE:
        raise ValueError("P-256 key: %d bytes, it has %d" % (len(key), KEY_SIZE))
    x, y = _number(key[:32]), _number(key[32:])
    if x >= _P or y >= _P or (y * y - (x * x - 3) * x - _B) % _P:
        raise ValueError("P-256 key: not a point of the curve")
    return x, y


def _number(data):
    return int.from_bytes(bytes(data), "big")


def _verify(key, digest, signature):
    if len(digest) != 32:
        raise ValueError("P-256: a digest of %d bytes, SHA-256 has 32" % len(digest))
    point = check_key(key)
    if len(signature) != SIGNATURE_SIZE:
        yield False
        return
    r, s = _number(signature[:32]), _number(signature[32:])
    if not (0 < r < _N and 0 < s < _N):
        yield False
        return
    w = yield from _inverse(s, _N)
    u1 = _digits(_number(digest) * w % _N, _G_WIDTH)
    u2 = _digits(r * w % _N, _Q_WIDTH)
    q = yield from _odd_multiples(*point)
    x, y, z = 1, 1, 0
    for i in range(_BITS - 1, -1, -1):
        x, y, z = _double(x, y, z)
        if u1[i]:
            x, y, z = _add_digit(x, y, z, None, u1[i])
        if u2[i]:
            x, y, z = _add_digit(x, y, z, q, u2[i])
        yield None
    if not z:  # infinity has no x
        yield False
        return
    zz = z * z % _P
    yield r * zz % _P == x or (r + _N < _P and (r + _N) * zz % _P == x)


def _digits(number, width):
    """The wNAF of a number below 2^256, the lowest digit first; a digit is a byte, -1 is 255."""
    data = number.to_bytes(34, "little")
    found = bytearray(_BITS)
    carry = 0
    i = 0
    while i < _BITS:
        at = i >> 3
        bits = (data[at] | data[at + 1] << 8) >> (i & 7)
        if bits & 1 == carry:
            i += 1
            continue
        digit = (bits & (1 << width) - 1) + carry
        carry = 1 if digit > 1 << width - 1 else 0
        found[i] = (digit - (carry << width)) & 0xFF
        i += width
    return found


def _odd_multiples(x: int, y: int) -> "Generator[None, None, list[Any]]":
    """The multiples 1, 3, … of a point, affine: one inversion for all of them (Montgomery's trick)."""
    two = _double(x, y, 1)
    found: "list[Any]" = [(x, y, 1)]
    for _ in range(_Q_MULTIPLES - 1):
        found.append(_add(two, found[-1]))
        yield None
    product = 1
    products = []
    for multiple in found:
        products.append(product)
        product = product * multiple[2] % _P
    inverse = yield from _inverse(product, _P)
    for i in range(len(found) - 1, -1, -1):
        x, y, z = found[i]
        inverted = inverse * products.pop() % _P
        inverse = inverse * z % _P
        square = inverted * inverted % _P
        found[i] = x * square % _P, y * square % _P * inverted % _P
        yield None
    return found


def _inverse(number: int, modulus: int) -> "Generator[None, None, int]":
    """1/number for a prime modulus (Euclid)."""
    a, b = number, modulus
    u, v = 1, 0
    count = 0
    while a > 1:
        quotient = b // a
        a, b = b - quotient * a, a
        u, v = v - quotient * u, u
        count += 1
        if count % _DIVISIONS == 0:
            yield None
    return u % modulus


def _double(x, y, z):
    """Twice the point; the curve's a is -3."""
    zz = z * z % _P
    yy = y * y % _P
    s = 4 * x * yy % _P
    m = 3 * (x - zz) * (x + zz) % _P
    x3 = (m * m - 2 * s) % _P
    return x3, (m * (s - x3) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add_digit(x, y, z, multiples, digit):
    """The point and the multiple that a digit, not 0, stands for; `multiples` None: of G."""
    index = (digit if digit < 128 else 255 - digit) >> 1
    if multiples:
        x2, y2 = multiples[index]
    else:
        x2, y2 = _number(MULTIPLES[64 * index : 64 * index + 32]), _number(MULTIPLES[64 * index + 32 : 64 * index + 64])
    if digit >= 128:
        y2 = _P - y2
    if not z:
        return x2, y2, 1
    zz = z * z % _P
    return _sum(x, y, x2 * zz % _P, y2 * zz % _P * z % _P, z)


def _add(one, other):
    """The sum of two points, none of them at infinity."""
    x, y, z = one
    x2, y2, z2 = other
    zz = z * z % _P
    zz2 = z2 * z2 % _P
    return _sum(x * zz2 % _P, y * zz2 % _P * z2 % _P, x2 * zz % _P, y2 * zz % _P * z % _P, z * z2 % _P)


def _sum(x, y, x2, y2, z):
    """The sum of two points that have the same Z."""
    h = (x2 - x) % _P
    r = (y2 - y) % _P
    if not h:
        return (1, 1, 0) if r else _double(x, y, z)
    hh = h * h % _P
    hhh = hh * h % _P
    v = x * hh % _P
    x3 = (r * r - hhh - 2 * v) % _P
    return x3, (r * (v - x3) - y * hhh) % _P, z * h % _P
