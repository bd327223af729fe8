"""The board's real-time clock: mbedTLS judges the dates of certificates by it, before any backend has told the time.

Most boards have no battery: their clock starts in 2000, when no certificate is valid yet. So it is set to the latest
time that is known to be past: when a backend last told the time in the boots before, else when the station was
provisioned. A certificate made since then is taken too early; the backend's first answer sets the clock right.

Nothing else is dated by this clock: records and messages have `clock.py`, which knows only what a backend told.
What a power cut leaves: the former time, or the new one.
"""

from micropython import const

from station.clock import EPOCH_MIN
from station.storage import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log

_END = const(4_102_444_800)  # 2100: chips count years of two digits


class RealTimeClock:
    """`read()` and `write(epoch)`: of the board, s since 1970. `path` keeps the time last told. `past`: a time that is
    past in any case, 0 if none is known."""

    def __init__(
        self, path: str, log: "Log", read: "Callable[[], int]", write: "Callable[[int], None]", past: int
    ) -> None:
        self._path = path
        self._log = log
        self._write = write
        told = atomic.load_json(path, log)
        if isinstance(told, int) and max(past, EPOCH_MIN) <= told < _END:
            past = told
        if read() < past:
            write(past)

    def learn(self, epoch: int) -> None:
        """A backend has told the time."""
        if epoch < _END:
            self._write(epoch)
        try:
            atomic.replace_json(self._path, epoch)
        except OSError as error:
            self._log.error("storage", "the time cannot be kept: %s", error)
