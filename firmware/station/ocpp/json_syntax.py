"""Is this text JSON? The grammar of RFC 8259, which MicroPython's `json.loads` takes lightly.

`scan` holds a text against the grammar and the limits MAX_DEPTH and MAX_NUMBER; `json.loads` is only for what it has
passed. (By itself it takes `[1 2,}` for a list, and raw control characters in strings.) `join_surrogates` writes
escaped UTF-16 pairs as the characters they mean; `json.loads` would leave two halves, which no UTF-8 can hold.
"""
# ruff: noqa: PLR1714 - viper compares integers, `in` would make it build objects

import sys

import micropython
from micropython import const

if sys.implementation.name != "micropython":
    ptr8 = bytes  # a word that viper knows by itself

MAX_DEPTH = const(24)  # OCPP 1.6 needs 6; one bit of a 31-bit integer each
MAX_NUMBER = const(40)  # characters; to read n digits takes n² steps

HALVES = const(1)  # flag: the text has an escape in the range of the UTF-16 surrogates

# what may come next
_VALUE = const(0)
_VALUE_OR_END = const(1)  # after "["
_KEY = const(2)
_KEY_OR_END = const(3)  # after "{"
_COLON = const(4)
_COMMA_OR_END = const(5)
_NOTHING = const(6)


@micropython.viper
def scan(text, length: int) -> int:
    """0 or HALVES if the first `length` bytes of `text` are one JSON value, else -1 - offset of what is none.

    `text` is UTF-8; what stands in strings outside of ASCII is not looked at.
    """
    p = ptr8(text)
    flags = 0
    depth = 0
    arrays = 0  # a bit for each open bracket, the innermost lowest: 1 "[", 0 "{"
    state = _VALUE
    i = 0
    while i < length:
        c = p[i]
        if c == 0x20 or c == 0x0A or c == 0x0D or c == 0x09:
            pass
        elif c == 0x22:  # "
            if state > _KEY_OR_END:
                return -1 - i
            i += 1
            while True:
                if i >= length:
                    return -1 - i
                c = p[i]
                if c == 0x22:
                    break
                if c < 0x20:
                    return -1 - i
                if c == 0x5C:  # backslash
                    i += 1
                    if i >= length:
                        return -1 - i
                    c = p[i]
                    if c == 0x75:  # u
                        if i + 4 >= length:
                            return -1 - i
                        code = 0
                        stop = i + 4
                        while i < stop:
                            i += 1
                            c = p[i]
                            if c >= 0x30 and c <= 0x39:
                                c -= 0x30
                            else:
                                c = (c | 0x20) - 0x57
                                if c < 10 or c > 15:
                                    return -1 - i
                            code = code << 4 | c
                        if code & 0xF800 == 0xD800:
                            flags = HALVES
                    elif not (
                        c == 0x22
                        or c == 0x5C
                        or c == 0x2F
                        or c == 0x62
                        or c == 0x66
                        or c == 0x6E
                        or c == 0x72
                        or c == 0x74
                    ):
                        return -1 - i
                i += 1
            if state >= _KEY:
                state = _COLON
            elif depth > 0:
                state = _COMMA_OR_END
            else:
                state = _NOTHING
        elif c == 0x2C:  # ,
            if state != _COMMA_OR_END:
                return -1 - i
            state = _VALUE if arrays & 1 else _KEY
        elif c == 0x3A:  # :
            if state != _COLON:
                return -1 - i
            state = _VALUE
        elif c == 0x7B or c == 0x5B:  # { [
            if state > _VALUE_OR_END or depth >= MAX_DEPTH:
                return -1 - i
            depth += 1
            arrays <<= 1
            if c == 0x5B:
                arrays |= 1
                state = _VALUE_OR_END
            else:
                state = _KEY_OR_END
        elif c == 0x7D or c == 0x5D:  # } ]
            if c == 0x5D:
                if (state != _VALUE_OR_END and state != _COMMA_OR_END) or not arrays & 1:
                    return -1 - i
            elif (state != _KEY_OR_END and state != _COMMA_OR_END) or arrays & 1:
                return -1 - i
            depth -= 1
            arrays >>= 1
            state = _COMMA_OR_END if depth else _NOTHING
        else:
            if state > _VALUE_OR_END:
                return -1 - i
            start = i
            if c == 0x74:  # true
                if i + 3 >= length or p[i + 1] != 0x72 or p[i + 2] != 0x75 or p[i + 3] != 0x65:
                    return -1 - i
                i += 3
            elif c == 0x66:  # false
                if i + 4 >= length or p[i + 1] != 0x61 or p[i + 2] != 0x6C or p[i + 3] != 0x73 or p[i + 4] != 0x65:
                    return -1 - i
                i += 4
            elif c == 0x6E:  # null
                if i + 3 >= length or p[i + 1] != 0x75 or p[i + 2] != 0x6C or p[i + 3] != 0x6C:
                    return -1 - i
                i += 3
            else:  # number
                if c == 0x2D:
                    i += 1
                if i >= length:
                    return -1 - i
                c = p[i]
                if c < 0x30 or c > 0x39:
                    return -1 - i
                i += 1
                if c != 0x30:
                    while i < length and p[i] >= 0x30 and p[i] <= 0x39:
                        i += 1
                if i < length and p[i] == 0x2E:
                    i += 1
                    if i >= length or p[i] < 0x30 or p[i] > 0x39:
                        return -1 - i
                    while i < length and p[i] >= 0x30 and p[i] <= 0x39:
                        i += 1
                if i < length and p[i] | 0x20 == 0x65:
                    i += 1
                    if i < length and (p[i] == 0x2B or p[i] == 0x2D):
                        i += 1
                    if i >= length or p[i] < 0x30 or p[i] > 0x39:
                        return -1 - i
                    while i < length and p[i] >= 0x30 and p[i] <= 0x39:
                        i += 1
                if i - start > MAX_NUMBER:
                    return -1 - start
                i -= 1
            state = _COMMA_OR_END if depth else _NOTHING
        i += 1
    return flags if state == _NOTHING else -1 - length


def join_surrogates(text: "bytes | bytearray") -> bytes:
    """A JSON text without escaped surrogate pairs. Raises ValueError if half a pair stands alone."""
    text = bytes(text)
    parts = []
    done = 0
    start = text.find(b"\\")
    while start >= 0:
        stop = start + 2
        if text[start + 1] == 0x75:  # u
            stop = start + 6
            code = int(text[start + 2 : stop], 16)
            if code & 0xF800 == 0xD800:
                if code & 0x400 or text[stop : stop + 2] != b"\\u":
                    raise ValueError("half a surrogate pair")
                low = int(text[stop + 2 : stop + 6], 16)
                if low & 0xFC00 != 0xDC00:
                    raise ValueError("half a surrogate pair")
                stop += 6
                parts.append(text[done:start])
                parts.append(_utf_8(0x10000 + ((code & 0x3FF) << 10 | low & 0x3FF)))
                done = stop
        start = text.find(b"\\", stop)
    parts.append(text[done:])
    return b"".join(parts)


def _utf_8(code):
    """Four bytes. (`chr` would do, but MicroPython interns what it gives: the heap would keep each character.)"""
    return bytes((0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F))
