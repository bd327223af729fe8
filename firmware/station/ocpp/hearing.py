"""Is the backend still there? Judged by when it was heard last.

hearing.heard()                     bytes came, or those that came are worked off
hearing.busy()                      until then nothing is read: not to hear anything is no sign of silence
hearing.mark()                      from now on `silent` counts
await hearing.until_silent(…)       pings a backend that is quiet, comes back when it stays so
"""

import asyncio
import time

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

PONG_TIMEOUT_MS = const(10_000)  # that an answer to a ping may take, or the interval of the pings if that is less


class Hearing:
    def __init__(self) -> None:
        self._last = time.ticks_ms()  # when it was heard
        self._count = 0  # times that it was heard
        self._marked = 0  # of these, at `mark()`
        self._busy = False

    def heard(self) -> None:
        self._busy = False
        self._count += 1
        self._last = time.ticks_ms()

    def busy(self) -> None:
        self._busy = True

    def mark(self) -> None:
        self._marked = self._count

    @property
    def silent(self) -> bool:
        """Nothing was heard since `mark()`."""
        return self._count == self._marked and not self._busy

    @property
    def quiet_ms(self) -> int:
        """How long nothing was heard."""
        return 0 if self._busy else time.ticks_diff(time.ticks_ms(), self._last)

    async def until_silent(self, interval_ms: int, ping: "Callable[[], None]") -> None:
        """Pings when nothing came for `interval_ms`; comes back when then, too, not one byte comes in time."""
        while True:
            quiet = self.quiet_ms
            if quiet < interval_ms:
                await asyncio.sleep_ms(interval_ms - quiet)
                continue
            count = self._count
            ping()
            await asyncio.sleep_ms(min(interval_ms, PONG_TIMEOUT_MS))
            await asyncio.sleep_ms(1)  # a loop that was held up reads first what has come meanwhile
            if self._count == count and not self._busy:
                return
