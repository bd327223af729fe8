"""The unix board's `time`: the built-in module, and `advance(ms)`, which moves all its clocks forward together.

asyncio takes its ticks from here, so its timers follow: whatever was due within the time skipped runs at once.
Waiting still takes its time. Nothing moves backwards, and nothing is kept when the process ends.
"""

import sys

import utime as _real  # the `u` names the built-in module, whatever lies on sys.path

_path = sys.path
sys.path = ()  # else `time` would be this file again
try:
    from time import *  # noqa: F403
finally:
    sys.path = _path

_skipped = 0  # ms
# functions of the built-in, as names that cost one look-up
_ticks_ms = _real.ticks_ms
_ticks_us = _real.ticks_us
_ticks_add = _real.ticks_add
_time_ns = _real.time_ns


def advance(ms: int) -> None:
    """Move ticks and wall clock forward by `ms` milliseconds; raises ValueError if `ms` is negative."""
    global _skipped  # noqa: PLW0603 - a module of the interpreter has nowhere else to keep it
    if ms < 0:
        raise ValueError("time moves forward only, got %r ms" % ms)
    _skipped += ms


def ticks_ms() -> int:
    return _ticks_add(_ticks_ms(), _skipped)


def ticks_us() -> int:
    return _ticks_add(_ticks_us(), _skipped * 1000)


def time() -> float:
    """Seconds since 1970, with a fraction, as the built-in gives them."""
    return time_ns() / 1_000_000_000


def time_ns() -> int:
    return _time_ns() + _skipped * 1_000_000


def gmtime(seconds: "float | None" = None) -> tuple:
    return _real.gmtime(time() if seconds is None else seconds)


def localtime(seconds: "float | None" = None) -> tuple:
    return _real.localtime(time() if seconds is None else seconds)
