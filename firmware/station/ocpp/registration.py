"""Whether the backend knows this station: BootNotification, its three answers, and the heartbeat after it.

OCPP 1.6 §4.2: until the backend has said Accepted, nothing but BootNotification is sent. Pending: requests are
answered. Rejected: the station keeps silent for the interval, answers included. An error or no answer is asked again.
§4.6: a heartbeat every HeartbeatInterval keeps the clock right. A lost connection needs no new BootNotification.
"""

import asyncio

from micropython import const

from station import clock as clocks
from station.ocpp.calls import LinkError
from station.settings import MAX_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.clock import Clock
    from station.log import Log
    from station.ocpp.link import Link
    from station.settings import Settings

ACCEPTED = "Accepted"
PENDING = "Pending"
REJECTED = "Rejected"

_DEFAULT_INTERVAL_S = const(30)  # where the backend leaves the interval to us with a 0
_LONGEST_S = const(3600)  # in one piece: a port's ticks reach a few days
_UNANSWERED_S = const(10)  # before a BootNotification that was not answered is sent again


class Registration:
    """The station's standing with one backend. `state`: None until the first answer of this boot."""

    def __init__(self, link: "Link", settings: "Settings", clock: "Clock", log: "Log", payload: dict) -> None:
        self._link = link
        self._settings = settings
        self._clock = clock
        self._log = log
        self._payload = payload
        self.state: str = None

    @property
    def accepted(self) -> bool:
        return self.state == ACCEPTED

    def allows(self, action: str) -> bool:
        """May this CALL be sent now?"""
        return action == "BootNotification" or self.accepted

    def admits(self) -> bool:
        """May a CALL of the backend be answered? Not while it rejects us (OCPP 1.6 §4.2)."""
        return self.state != REJECTED

    async def register(self) -> None:
        """Ask until accepted. Returns at once if that was before in this boot; raises LinkError if the link is lost."""
        while not self.accepted:
            await _pause(await self._ask())

    async def _ask(self) -> int:
        """Send one BootNotification; returns the seconds to wait before the next, 0 when accepted."""
        try:
            answer = await self._link.call("BootNotification", self._payload)
        except LinkError as error:
            if not self._link.connected:
                raise
            self._log.warning("boot", "BootNotification: %s", error)
            return _UNANSWERED_S
        self.state = answer["status"]
        interval = answer["interval"]
        self._log.info("boot", "the backend says %s, interval %d s", self.state, interval)
        self._set_clock(answer["currentTime"])
        if not self.accepted:
            return interval if interval > 0 else _DEFAULT_INTERVAL_S
        if interval > 0:
            self._settings.change("HeartbeatInterval", str(min(interval, MAX_SECONDS)))
        return 0

    async def heartbeats(self) -> None:
        """Runs while the connection is up (OCPP 1.6 §4.6). Raises LinkError when it is lost."""
        sent_at = self._clock.uptime()
        while True:
            # look often enough that a shorter interval, set meanwhile, works at once
            await asyncio.sleep(1)
            if self._clock.uptime() - sent_at < self._settings["HeartbeatInterval"]:
                continue
            sent_at = self._clock.uptime()
            try:
                answer = await self._link.call("Heartbeat", {})
                self._set_clock(answer["currentTime"])
            except LinkError as error:
                if not self._link.connected:
                    raise
                self._log.warning("boot", "Heartbeat: %s", error)

    def _set_clock(self, text: str) -> None:
        try:
            moved = self._clock.set(clocks.parse_iso(text))
        except ValueError as error:
            self._log.warning("boot", "currentTime: %s", error)
        else:
            if moved:
                self._log.info("boot", "the clock was %d s off", moved)


async def _pause(seconds: int) -> None:
    """Sleep, however long a backend wishes it."""
    while seconds > 0:
        piece = min(seconds, _LONGEST_S)
        await asyncio.sleep(piece)
        seconds -= piece
