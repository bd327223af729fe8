"""UTF-8 as RFC 3629 §4 has it, checked piece by piece: `check(text, start, end, state)`.

`bytes.decode` is no substitute: it wants the whole text, and lets overlong forms and surrogates pass on MicroPython.
"""

import sys

import micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as ptr8  # viper knows the word by itself: anything with a buffer
elif sys.implementation.name != "micropython":
    ptr8 = bytes

WHOLE = 0  # state: the text seen so far ends with a whole character
BAD = -1  # state: the text cannot be UTF-8, whatever follows


@micropython.viper
def check(text: ptr8, start: int, end: int, state: int) -> int:
    """The state after `text[start:end]`, given the state after all before it (`WHOLE` at the beginning).

    Any other value than `WHOLE` and `BAD` means: inside a character. It holds how many bytes it still
    needs and the least and the greatest value that the next of them may have (8 bits each).
    """
    need = state >> 16
    least = (state >> 8) & 0xFF
    most = state & 0xFF
    i = start
    while i < end:
        byte = int(text[i])
        i += 1
        if need:
            if byte < least or byte > most:
                return -1
            need -= 1
            least = 0x80
            most = 0xBF
        elif byte >= 0x80:
            # 80..BF cannot start a character; C0, C1 would be overlong; F5.. would pass U+10FFFF.
            if byte < 0xC2 or byte > 0xF4:
                return -1
            least = 0x80
            most = 0xBF
            if byte < 0xE0:
                need = 1
            elif byte < 0xF0:
                need = 2
                if byte == 0xE0:
                    least = 0xA0  # below: overlong
                elif byte == 0xED:
                    most = 0x9F  # above: surrogates
            else:
                need = 3
                if byte == 0xF0:
                    least = 0x90  # below: overlong
                elif byte == 0xF4:
                    most = 0x8F  # above: past U+10FFFF
    if need:
        return need << 16 | least << 8 | most
    return 0
