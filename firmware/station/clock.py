"""Wall clock and uptime, and the repair of timestamps that were taken before the clock was set.

`set` it from the backend's `currentTime`, ask `now`; `stamp` what happens, `resolve` or `iso` it later.
All is integer arithmetic on seconds since 1970-01-01T00:00:00Z, whatever the port's own epoch is.
A restart forgets the time; what an earlier boot stamped is repaired from what the journal lets us `learn`.
"""

import time

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

EPOCH_MIN = const(0x40000000)  # 2004-01-10: a 32-bit stamp below it is no epoch, but boot and uptime
EPOCH_END = const(0x100000000)  # 2106-02-07: no 32-bit stamp beyond it
UNSET = const(0)

_UPTIME_BITS = const(22)
_UPTIME_MAX = const(0x3FFFFF)  # 48 days without ever hearing the time: then stamps stand still
_BOOTS = const(256)
_JITTER_S = const(1)  # whole seconds and a network's delay: a smaller difference is no drift


class Clock:
    """The one source of wall time.

    `boot` counts the starts of this station (its last 8 bits are used), `ticks` stands for `time.ticks_ms`.
    Some method must be called every few days, so that no wrap of the ticks is missed; the heartbeat does.
    """

    def __init__(self, boot: int, ticks: "Callable[[], int] | None" = None) -> None:
        self._boot = boot % _BOOTS
        self._ticks = ticks or time.ticks_ms
        self._last = self._ticks()
        self._seconds = 0
        self._rest_ms = 0
        self._callbacks: list = []
        self._bases: dict[int, int] = {}  # earlier boot -> epoch at its uptime 0
        self._lengths: dict[int, int] = {}  # earlier boot without a base -> largest uptime seen
        self.base = UNSET  # epoch at uptime 0 of this boot

    @property
    def boot(self) -> int:
        """The number of this boot modulo 256, as stamps of an unset clock bear it."""
        return self._boot

    @property
    def is_set(self) -> bool:
        return self.base != UNSET

    def uptime(self) -> int:
        """Whole seconds since this boot."""
        ticks = self._ticks()
        elapsed = self._rest_ms + time.ticks_diff(ticks, self._last)
        self._last = ticks
        self._seconds += elapsed // 1000
        self._rest_ms = elapsed % 1000
        return self._seconds

    def now(self) -> int:
        """Epoch in seconds, or `UNSET` (0)."""
        uptime = self.uptime()
        return self.base + uptime if self.base else UNSET

    def set(self, epoch: int) -> int:
        """Set the wall clock; returns the seconds by which it moved, 0 if it was unset or right to a second.

        Raises ValueError for an epoch that no 32-bit stamp can hold (before 2004, after 2106).
        """
        base = epoch - self.uptime()
        if base < EPOCH_MIN or epoch >= EPOCH_END:
            raise ValueError("clock: expected a time from 2004 to 2106, got %d" % epoch)
        if self.base:
            step = base - self.base
            if -_JITTER_S <= step <= _JITTER_S:
                return 0
            self.base = base
            return step
        self.base = base
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        return 0

    def on_set(self, callback: "Callable[[], None]") -> None:
        """Call back once, when the clock is set for the first time in this boot."""
        self._callbacks.append(callback)

    def stamp(self) -> int:
        """The present moment in 32 bits: an epoch if the clock is set, else this boot's number and uptime."""
        return self.now() or self._boot << _UPTIME_BITS | min(self._seconds, _UPTIME_MAX)

    def resolve(self, stamp: int) -> int:
        """Epoch of a stamp of this or an earlier boot; `UNSET` while that cannot be known yet."""
        if stamp >= EPOCH_MIN:
            return stamp
        boot = stamp >> _UPTIME_BITS
        if boot not in self._bases:
            self.seen(stamp)
        base = self._base_of(boot)
        return base + (stamp & _UPTIME_MAX) if base else UNSET

    def learn(self, boot: int, base: int) -> None:
        """An earlier boot's `base`, as the journal kept it."""
        if boot % _BOOTS != self._boot:
            self._bases[boot % _BOOTS] = base

    def seen(self, stamp: int) -> None:
        """A stamp found in the journal: an earlier boot lasted at least that long.

        If that boot's base is never learned (the station heard no time before it lost power), it is taken
        to have ended just before the next boot began: the latest possible time, in the right order.
        """
        boot = stamp >> _UPTIME_BITS
        if stamp < EPOCH_MIN and boot != self._boot:
            self._lengths[boot] = max(stamp & _UPTIME_MAX, self._lengths.get(boot, 0))

    def guess(self) -> "list[tuple[int, int]]":
        """(boot, base) of each earlier boot of which nobody knows it: as guessed now it stays. The clock is set."""
        guesses = [(boot, self._base_of(boot)) for boot in self._lengths if boot not in self._bases]
        self._bases.update(guesses)
        return guesses

    def iso(self, stamp: int) -> str:
        """A stamp or epoch as OCPP writes it; 1970 if it cannot be resolved yet (ask `resolve` first)."""
        return format_iso(self.resolve(stamp))

    def _base_of(self, boot: int) -> int:
        """Walk back from this boot to that one; each whose base is unknown ended as the next began."""
        base = self.base
        number = self._boot
        while number != boot:
            number = (number - 1) % _BOOTS
            if number in self._bases:
                base = self._bases[number]
            elif base and number in self._lengths:
                base -= self._lengths[number] + 1
        return base


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    year -= month <= 2  # a year that starts in March has its leap day last
    month = month - 3 if month > 2 else month + 9
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469


def civil_from_days(days: int) -> "tuple[int, int, int]":
    """(year, month, day) of the day that many days after 1970-01-01."""
    era, days = divmod(days + 719468, 146097)  # 400 years of days
    year = (days - days // 1460 + days // 36524 - days // 146096) // 365
    days -= year * 365 + year // 4 - year // 100
    month = (5 * days + 2) // 153
    day = days - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month <= 2), month, day


def format_iso(epoch: int) -> str:
    """'2026-11-22T11:00:00Z' of seconds since 1970."""
    days, seconds = divmod(epoch, 86400)
    date = "%04d-%02d-%02d" % civil_from_days(days)
    return date + "T%02d:%02d:%02dZ" % (seconds // 3600, seconds // 60 % 60, seconds % 60)


def parse_iso(text: str) -> int:
    """Seconds since 1970 of an RFC 3339 date-time; the fraction is cut off, :60 is the next second.

    Some backends write no offset; OCPP 1.6 §3.14 recommends UTC, so they are read as UTC.
    Raises ValueError naming the text.
    """
    try:
        raw = text.encode()  # MicroPython looks each new string up among all names, but not bytes
        if raw[4:5] + raw[7:8] + raw[13:14] + raw[16:17] != b"--::" or raw[10:11] not in b"Tt ":
            raise ValueError
        date, clock = _number(raw[:4] + raw[5:7] + raw[8:10], 8), _number(raw[11:13] + raw[14:16] + raw[17:19], 6)
        year, month, day = date // 10000, date // 100 % 100, date % 100
        hour, minute, second = clock // 10000, clock // 100 % 100, clock % 100
        if not (1 <= month <= 12 and 1 <= day <= _days_in(year, month)):
            raise ValueError
        if hour > 23 or minute > 59 or second > 60:
            raise ValueError
        seconds = hour * 3600 + minute * 60 + second
        if raw[19:] != b"Z":
            seconds -= _offset(raw, _after_fraction(raw))
        return days_from_civil(year, month, day) * 86400 + seconds
    except (ValueError, IndexError):
        raise ValueError("expected a date-time such as 2026-11-22T11:00:00Z, got %r" % text[:40])


def _number(digits: bytes, count: int) -> int:
    if len(digits) != count or not digits.isdigit():
        raise ValueError
    return int(digits)


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _after_fraction(raw: bytes) -> int:
    """Index of the character after the seconds and their fraction."""
    end = 19
    if raw[end : end + 1] == b".":
        end += 1
        while raw[end : end + 1].isdigit():
            end += 1
        if end == 20:
            raise ValueError
    return end


def _offset(raw: bytes, start: int) -> int:
    """Seconds east of UTC that 'Z', '+01:00' or nothing stand for."""
    zone = raw[start:]
    if zone in (b"Z", b"z", b""):
        return 0
    if len(zone) != 6 or zone[0] not in b"+-" or zone[3:4] != b":":
        raise ValueError
    hours, minutes = _number(zone[1:3], 2), _number(zone[4:6], 2)
    if hours > 23 or minutes > 59:
        raise ValueError
    seconds = hours * 3600 + minutes * 60
    return -seconds if zone[:1] == b"-" else seconds
