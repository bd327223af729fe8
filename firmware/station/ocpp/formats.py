"""Formats of values that a JSON type does not tell: `is_date_time` (RFC 3339), `is_decimal`, `is_uri` (RFC 3986)."""
# ruff: noqa: PLR1714 - viper compares integers, `in` would make it build objects

import sys

import micropython

if sys.implementation.name != "micropython":

    def ptr8(text):  # a word that viper knows by itself
        return text.encode() if isinstance(text, str) else text


@micropython.viper
def is_date_time(text, size: int) -> bool:
    """True if `text`, of `size` characters, is a date-time of RFC 3339 §5.6: "2026-11-22T11:00:00.5+01:00".

    Days as month and year have them; second 60 (a leap second) in any minute; "t" and "z" for "T" and "Z". A blank
    for the "T" is not taken: OCPP 1.6 §3, "Time notations", asks for ISO 8601.
    """
    # A text with other than ASCII characters has more bytes than characters: one of them is met before `size`.
    p = ptr8(text)
    if size < 20:
        return False
    i = 0
    while i < 19:
        c = p[i]
        if i == 4 or i == 7:
            if c != 0x2D:  # -
                return False
        elif i == 10:
            if c | 0x20 != 0x74:  # T
                return False
        elif i == 13 or i == 16:
            if c != 0x3A:  # :
                return False
        elif c < 0x30 or c > 0x39:
            return False
        i += 1
    year = p[0] * 1000 + p[1] * 100 + p[2] * 10 + p[3] - 0x30 * 1111
    month = p[5] * 10 + p[6] - 0x30 * 11
    day = p[8] * 10 + p[9] - 0x30 * 11
    if month < 1 or month > 12 or day < 1 or day > 31:
        return False
    if day > 30 and (month == 4 or month == 6 or month == 9 or month == 11):
        return False
    if month == 2 and day > 28:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if day > 29 or not leap:
            return False
    if p[11] * 10 + p[12] - 0x30 * 11 > 23 or p[14] > 0x35:
        return False
    if p[17] * 10 + p[18] - 0x30 * 11 > 60:
        return False
    if p[19] == 0x2E:  # .
        i = 20
        while i < size and p[i] >= 0x30 and p[i] <= 0x39:
            i += 1
        if i == 20 or i >= size:
            return False
    if p[i] | 0x20 == 0x7A:  # Z
        return i + 1 == size
    if i + 6 != size or (p[i] != 0x2B and p[i] != 0x2D) or p[i + 3] != 0x3A:
        return False
    j = i + 1
    while j < size:
        if j != i + 3 and (p[j] < 0x30 or p[j] > 0x39):
            return False
        j += 1
    return p[i + 1] * 10 + p[i + 2] - 0x30 * 11 < 24 and p[i + 4] < 0x36


def is_decimal(value: "int | float") -> bool:
    """True if `value` is finite and has at most one digit after the point, i.e. is the nearest number to such a one."""
    if type(value) is int:
        return True
    if not -1e15 < value < 1e15:  # beyond: no room for fractions
        return value - value == 0  # not for infinity
    return round(value * 10) / 10 == value


_HEX = b"0123456789abcdefABCDEF"
_IN_SCHEME = b"+-."
_IN_REST = b"-._~:/?#[]@!$&'()*+,;=%"


def is_uri(text: str) -> bool:
    """True if `text` has a scheme, then only what RFC 3986 §2 lets into a URI, with two hex digits after a "%"."""
    # Bytes, since MicroPython interns each character that is taken out of a string, and keeps it.
    scheme, _, rest = text.encode().partition(b":")
    if not _consists_of(scheme, _IN_SCHEME) or not _consists_of(rest, _IN_REST):
        return False
    if not _is_letter(scheme[0]) or rest.count(b"#") > 1:
        return False
    return all(len(part) > 1 and part[0] in _HEX and part[1] in _HEX for part in rest.split(b"%")[1:])


def _is_letter(char):
    return 0x61 <= char | 0x20 <= 0x7A


def _consists_of(text, others):
    """True if each character is a letter, a digit or one of `others`, and there is one."""
    for char in text:
        if not (_is_letter(char) or 0x30 <= char <= 0x39 or char in others):
            return False
    return len(text) > 0
