"""The station's log: levelled lines in a ring of bytes that GetDiagnostics reads.

`error`, `warning`, `info`, `debug` take the part that speaks ("link", …), a %-format and its arguments.
`lines` gives what is still there, the oldest first. When the ring is full the oldest lines go.
A line that cannot be formatted or echoed is kept as it can be: logging raises nothing but MemoryError.
"""

import io
import sys

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator

    from station.clock import Clock

ERROR = const(0)
WARNING = const(1)
INFO = const(2)
DEBUG = const(3)
LEVELS = ("ERROR", "WARNING", "INFO", "DEBUG")

MAX_LINE = const(400)  # bytes; one peer's nonsense must not push everything else out of the ring


class Log:
    """`limit`: bytes of the ring. `echo(line)`, if given, gets each line as it is written (a console)."""

    def __init__(self, limit: int, clock: "Clock | None" = None, echo: "Callable[[str], None] | None" = None) -> None:
        self.level = INFO
        self.clock = clock
        self._echo = echo
        self._ring = bytearray(limit)
        self._end = 0  # bytes ever written; the ring holds the last `limit` of them

    def set_level(self, name: str) -> None:
        """`name` is one of `LEVELS`; what is less urgent is not kept."""
        self.level = LEVELS.index(name)

    def error(self, area: str, text: str, *args: object) -> None:
        self._log(ERROR, area, text, args)

    def warning(self, area: str, text: str, *args: object) -> None:
        self._log(WARNING, area, text, args)

    def info(self, area: str, text: str, *args: object) -> None:
        self._log(INFO, area, text, args)

    def debug(self, area: str, text: str, *args: object) -> None:
        self._log(DEBUG, area, text, args)

    def exception(self, area: str, text: str, error: BaseException) -> None:
        """An error with its traceback, a line of the log for each of its lines."""
        self._log(ERROR, area, text, ())
        trace = io.StringIO()
        sys.print_exception(error, trace)
        for line in trace.getvalue().split("\n"):
            if line:
                self._log(ERROR, area, "  %s", (line,))

    def lines(self) -> "Iterator[str]":
        """Whole lines, the oldest first. Lines may be written meanwhile: what they push out is left out."""
        limit = len(self._ring)
        at = max(0, self._end - limit)
        if at:
            at = self._line_after(at)
        while at < self._end:
            oldest = self._end - limit
            if at < oldest:
                at = self._line_after(oldest)
                continue
            start, at = at, self._line_after(at)
            yield str(self._bytes(start, at - 1), "utf-8")

    def _log(self, level: int, area: str, text: str, args: tuple) -> None:
        if level > self.level:
            return
        try:
            text = text % args if args else text
        except (TypeError, ValueError):
            text = "%s %r" % (text, args)
        line = "%s %s %s: %s" % (self._time(), LEVELS[level], area, text)
        if "\n" in line or "\r" in line:  # what a peer sent must not look like a line of ours
            line = line.replace("\r", " ").replace("\n", " ")
        self._write(line)
        if self._echo:
            try:
                self._echo(line)
            except OSError:
                self._echo = None  # the console is gone; the ring goes on

    def _time(self) -> str:
        clock = self.clock
        if clock is None:
            return "-"
        return clock.iso(clock.now()) if clock.is_set else "+%ds" % clock.uptime()

    def _write(self, line: str) -> None:
        limit = len(self._ring)
        longest = min(MAX_LINE, limit // 2)
        data = line.encode()
        if len(data) > longest:
            data = data[: _cut(data, longest - 3)] + b"..."
        at = self._end % limit
        size = len(data)
        head = min(size, limit - at)
        self._ring[at : at + head] = data[:head]
        self._ring[0 : size - head] = data[head:size]
        self._ring[(at + size) % limit] = 10
        self._end += size + 1

    def _line_after(self, at: int) -> int:
        """Offset after the end of the line that `at` lies in."""
        limit = len(self._ring)
        while at < self._end:
            start = at % limit
            stop = min(limit, start + self._end - at)
            found = self._ring.find(b"\n", start, stop)
            if found >= 0:
                return at + found - start + 1
            at += stop - start
        return self._end

    def _bytes(self, start: int, stop: int) -> bytes:
        limit = len(self._ring)
        at = start % limit
        size = stop - start
        if at + size <= limit:
            return bytes(self._ring[at : at + size])
        return bytes(self._ring[at:]) + bytes(self._ring[: at + size - limit])


def _cut(data: bytes, size: int) -> int:
    """The largest length up to `size` that splits no UTF-8 character."""
    while size and data[size] & 0xC0 == 0x80:
        size -= 1
    return size
