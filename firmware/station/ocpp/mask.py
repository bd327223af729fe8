"""The XOR that RFC 6455 §5.3 lays over everything a client sends: `mask(buf, key, start, end)`, in place."""

import sys

import micropython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as ptr8  # viper knows the word by itself: anything with a buffer

if sys.implementation.name == "micropython":

    @micropython.viper
    def mask(buf: ptr8, key: ptr8, start: int, end: int):
        """XOR `buf[start:end]` with the 4 bytes of `key`, from `key[0]` on. `buf` must be writable."""
        i = start
        k = 0
        # Some cores (Xtensa) trap on a 32-bit access that is not aligned: bytes until it is.
        while i < end and (int(buf) + i) & 3:
            buf[i] = buf[i] ^ key[k & 3]
            i += 1
            k += 1
        # Every port with a native emitter is little-endian.
        word = key[k & 3] | key[(k + 1) & 3] << 8 | key[(k + 2) & 3] << 16 | key[(k + 3) & 3] << 24
        words = ptr32(int(buf) + i)  # noqa: F821
        count = (end - i) >> 2
        j = 0
        while j < count:
            words[j] = words[j] ^ word
            j += 1
        i += count << 2
        while i < end:
            buf[i] = buf[i] ^ key[k & 3]
            i += 1
            k += 1

else:

    def mask(buf, key, start, end):
        size = end - start
        keys = (bytes(key) * (size // 4 + 1))[:size]
        whole = int.from_bytes(buf[start:end], "little") ^ int.from_bytes(keys, "little")
        buf[start:end] = whole.to_bytes(size, "little")
