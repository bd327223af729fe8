"""The Firmware Management profile: UpdateFirmware and GetDiagnostics (OCPP 1.6 §5.19, §5.9), and their statuses
(§4.5, §4.4)."""

import asyncio

from station import clock as clocks
from station.ocpp.calls import CallRefused, NoAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log
    from station.ocpp.link import Link

_RETRY_S = 60  # between tries, where the backend leaves it to us
_MOST_KEPT = 16  # statuses that the backend has not heard; more than one update has


class FirmwareManagement:
    """`request(location, retrieve_at, retries, retry_interval)` is `FirmwareUpdate.request`;
    `send_diagnostics(location, retries, retry_interval, since, until)` gives the name of the file that it will send."""

    def __init__(self, link: "Link", log: "Log") -> None:
        self._link = link
        self._log = log
        self._kept: "list[tuple[str, str]]" = []  # (action, status)
        self._came = asyncio.Event()
        self.request: "Callable[[str, int, int, int], bool] | None" = None
        self.send_diagnostics: "Callable[[str, int, int, str, str], str] | None" = None

    def handlers(self) -> dict:
        return {"GetDiagnostics": self.get_diagnostics, "UpdateFirmware": self.update_firmware}

    def update_firmware(self, payload: dict) -> dict:
        """OCPP 1.6 §5.19; its answer says nothing, the statuses do."""
        at = clocks.parse_iso(payload["retrieveDate"])
        self.request(payload["location"], at, *_tries(payload))
        return {}

    def get_diagnostics(self, payload: dict) -> dict:
        """OCPP 1.6 §5.9; the answer names the file, statuses say how it went."""
        window = [_stamp(payload.get(name)) for name in ("startTime", "stopTime")]
        return {"fileName": self.send_diagnostics(payload["location"], *_tries(payload), *window)}

    def tell(self, status: str) -> None:
        """Let the backend know what came of an update, now or when it is back; the order is kept."""
        self._keep("FirmwareStatusNotification", status)

    def tell_diagnostics(self, status: str) -> None:
        """The same for the file of diagnostics."""
        self._keep("DiagnosticsStatusNotification", status)

    def _keep(self, action, status):
        if len(self._kept) >= _MOST_KEPT:
            self._kept.pop(0)
        self._kept.append((action, status))
        self._came.set()

    def is_told(self) -> bool:
        return not self._kept

    async def run(self) -> None:
        """Runs while the connection is up. Raises LinkError when it is lost."""
        while True:
            while self._kept:
                action, status = self._kept[0]
                try:
                    await self._link.call(action, {"status": status})
                except (CallRefused, NoAnswer) as error:
                    if not self._link.connected:
                        raise
                    self._log.warning("firmware", "%s: %s", action, error)
                self._kept.pop(0)
            self._came.clear()
            await self._came.wait()


def _tries(payload: dict) -> "tuple[int, int]":
    """(retries, seconds between them)"""
    return max(0, payload.get("retries", 0)), max(1, payload.get("retryInterval", _RETRY_S))


def _stamp(text: "str | None") -> str:
    """A date-time as the log writes it, "" if there is none."""
    return clocks.format_iso(clocks.parse_iso(text)) if text else ""
