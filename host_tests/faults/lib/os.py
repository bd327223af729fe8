"""The faults' `os`: `urandom` gives the same bytes in each run after `seed`, all else is the built-in's."""

import sys

_path = sys.path
sys.path = ()  # else `os` would be this file again
try:
    from os import *  # noqa: F403
finally:
    sys.path = _path

_state = 1


def seed(number: int) -> None:
    global _state  # noqa: PLW0603 - a module of the interpreter has nowhere else to keep it
    _state = number


def urandom(n: int) -> bytes:
    global _state  # noqa: PLW0603
    data = bytearray(n)
    for i in range(n):
        _state = (_state * 1103515245 + 12345) & 0x7FFFFFFF
        data[i] = _state >> 16 & 0xFF
    return bytes(data)
