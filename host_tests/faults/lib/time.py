"""The faults' `time`: it stands still until `advance` moves it, so that each run is the same and waits for nothing.

Else as the built-in module; `START` is the wall clock at tick 0, `restart()` goes back to it.
"""

import sys

_path = sys.path
sys.path = ()  # else `time` would be this file again
try:
    from time import *  # noqa: F403
    from time import gmtime as _gmtime
finally:
    sys.path = _path

START = 1_795_345_200  # 2026-11-22T11:00:00Z, s since 1970

_now = 0  # ms


def restart() -> None:
    global _now  # noqa: PLW0603 - a module of the interpreter has nowhere else to keep it
    _now = 0


def advance(ms: int) -> None:
    """Move ticks and wall clock forward; raises ValueError if `ms` is negative."""
    global _now  # noqa: PLW0603
    if ms < 0:
        raise ValueError("time moves forward only, got %r ms" % ms)
    _now += ms


def ticks_ms() -> int:
    return _now


def ticks_us() -> int:
    return _now * 1000


def sleep_ms(ms: int) -> None:
    advance(ms)


def time() -> float:
    return START + _now / 1000


def time_ns() -> int:
    return (START * 1000 + _now) * 1_000_000


def gmtime(seconds: "float | None" = None) -> tuple:
    return _gmtime(time() if seconds is None else seconds)
