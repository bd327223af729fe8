"""The orderly way down: Reset of OCPP 1.6 §5.14, Soft and Hard.

Both end the transactions, with SoftReset or HardReset, and store that before the board restarts. Soft also waits,
for a bounded time, until the backend has been told; what it was not told then is in the journal and is told after
the restart.
"""

import asyncio

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.charging.cache import Cache
    from station.charging.charge_point import ChargePoint
    from station.log import Log
    from station.ocpp.backend import Backend
    from station.ocpp.link import Link
    from station.ocpp.outbox import Outbox

_STOP_MS = const(5_000)  # for the transactions to be ended and stored
_DELIVER_MS = const(15_000)  # for the backend to be told, Soft only
_POLL_MS = const(50)


class Shutdown:
    """`request("Soft" or "Hard")` returns at once; the task `run` does it. `restart()` never returns."""

    def __init__(
        self,
        charge_point: "ChargePoint",
        backend: "Backend",
        outbox: "Outbox",
        cache: "Cache",
        link: "Link",
        restart: "Callable[[], None]",
        log: "Log",
    ) -> None:
        self._charge_point = charge_point
        self._backend = backend
        self._outbox = outbox
        self._cache = cache
        self._link = link
        self._restart = restart
        self._log = log
        self._kind: str = None
        self._requested = asyncio.Event()

    def request(self, kind: str) -> None:
        """A Hard reset overtakes a Soft one that is under way."""
        if self._kind != "Hard":
            self._kind = kind
        self._requested.set()

    async def run(self) -> None:
        await self._requested.wait()
        self._log.warning("shutdown", "%s reset", self._kind)
        await self._wait(lambda: not self._charge_point.stop_all(self._kind + "Reset"), _STOP_MS)
        await self._wait(self._is_told, _DELIVER_MS)
        self._cache.flush()
        await self._link.close()
        self._restart()

    def _is_told(self) -> bool:
        return self._kind == "Hard" or not self._backend.is_online or not self._outbox.depth

    async def _wait(self, condition, limit_ms: int) -> None:
        waited = 0
        while not condition() and waited < limit_ms:
            await asyncio.sleep_ms(_POLL_MS)
            waited += _POLL_MS
