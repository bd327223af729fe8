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
# the same as ticks know it: small integers within half a turn of their clocks, so that interrupts may add them
_skipped_ms = 0
_skipped_us = 0
# functions of the built-in, as names that cost one look-up
_ticks_ms = _real.ticks_ms
_ticks_us = _real.ticks_us
_ticks_add = _real.ticks_add
_time_ns = _real.time_ns
_WHOLE = isinstance(_real.time(), int)
_HALF = (_ticks_add(0, -1) + 1) // 2  # of the turn after which ticks begin anew


def advance(ms: int) -> None:
    """Move ticks and wall clock forward by `ms` milliseconds; raises ValueError if `ms` is negative."""
    if ms < 0:
        raise ValueError("time moves forward only, got %r ms" % ms)
    _skip(_skipped + ms)


def _skip(ms: int) -> None:
    """Be so far ahead of the built-in clocks."""
    global _skipped, _skipped_ms, _skipped_us  # noqa: PLW0603 - an interpreter's module has nowhere else to keep it
    _skipped = ms
    _skipped_ms = _within_half_a_turn(ms)
    _skipped_us = _within_half_a_turn(ms * 1000)


def _within_half_a_turn(ticks: int) -> int:
    """The number that `ticks_add` takes and that moves ticks as far as `ticks` does, to one tick."""
    return max(1 - _HALF, (ticks + _HALF) % (2 * _HALF) - _HALF)


def ticks_ms() -> int:
    return _ticks_add(_ticks_ms(), _skipped_ms)


def ticks_us() -> int:
    return _ticks_add(_ticks_us(), _skipped_us)


def time() -> "int | float":
    """Seconds since the port's epoch, with a fraction where the built-in gives one."""
    return time_ns() // 1_000_000_000 if _WHOLE else time_ns() / 1_000_000_000


def time_ns() -> int:
    return _time_ns() + _skipped * 1_000_000


def gmtime(seconds: "float | None" = None) -> tuple:
    return _real.gmtime(time() if seconds is None else seconds)


def localtime(seconds: "float | None" = None) -> tuple:
    return _real.localtime(time() if seconds is None else seconds)
