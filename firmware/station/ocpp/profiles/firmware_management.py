"""The Firmware Management profile (OCPP 1.6 §5.19, §4.5): UpdateFirmware, and the statuses of what comes of it."""

import asyncio

from station import clock as clocks
from station.ocpp.calls import CallRefused, LinkError, NoAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log
    from station.ocpp.link import Link

_MOST_KEPT = 16  # statuses that the backend has not heard; more than one update has


class FirmwareManagement:
    """`request(location, retrieve_at, retries, retry_interval)` is `FirmwareUpdate.request`."""

    def __init__(self, link: "Link", log: "Log") -> None:
        self._link = link
        self._log = log
        self._kept: "list[str]" = []
        self._came = asyncio.Event()
        self.request: "Callable[[str, int, int, int], bool] | None" = None

    def handlers(self) -> dict:
        return {"UpdateFirmware": self.update_firmware}

    def update_firmware(self, payload: dict) -> dict:
        """OCPP 1.6 §5.19; its answer says nothing, the statuses do."""
        retries, interval = payload.get("retries", 0), payload.get("retryInterval", 60)
        at = clocks.parse_iso(payload["retrieveDate"])
        self.request(payload["location"], at, max(0, retries), max(1, interval))
        return {}

    def tell(self, status: str) -> None:
        """Let the backend know, now or when it is back; the order is kept."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.pop(0)
        self._kept.append(status)
        self._came.set()

    def is_told(self) -> bool:
        return not self._kept

    async def run(self) -> None:
        """Runs while the connection is up. Raises LinkError when it is lost."""
        while True:
            while self._kept:
                try:
                    await self._link.call("FirmwareStatusNotification", {"status": self._kept[0]})
                except (CallRefused, NoAnswer) as error:
                    if not self._link.connected:
                        raise
                    self._log.warning("firmware", "FirmwareStatusNotification: %s", error)
                except LinkError:
                    raise
                self._kept.pop(0)
            self._came.clear()
            await self._came.wait()
