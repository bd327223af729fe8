"""One backend, from the station's side: what is done, in which order, whenever its connection comes up.

First the registration, once a boot; then the statuses that have changed; only then the stored transaction
messages (OCPP 1.6 §3.7, §4.9). While the connection is up, heartbeats, statuses and transactions each have a task
of their own, and `authorize` and `data_transfer` ask the backend on behalf of others.
"""

import asyncio

from station.ocpp import outbox
from station.ocpp.calls import LinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from station.charging.authorization import IdTagInfo
    from station.log import Log
    from station.ocpp.id_tags import IdTags
    from station.ocpp.link import Link
    from station.ocpp.registration import Registration
    from station.ocpp.reporter import Reporter


class Backend:
    """Ties a link to its registration, reporter and outbox."""

    def __init__(
        self,
        link: "Link",
        registration: "Registration",
        reporter: "Reporter",
        out: outbox.Outbox,
        id_tags: "IdTags",
        log: "Log",
    ) -> None:
        self._link = link
        self._registration = registration
        self._reporter = reporter
        self._outbox = out
        self._id_tags = id_tags
        self._log = log
        self._up = asyncio.Event()
        self._fallen = asyncio.Event()
        self._online = asyncio.Event()
        self._introduced = False
        link.on_up = self._up.set
        link.on_down = self._went_down
        link.allow = self._allows

    @property
    def is_online(self) -> bool:
        """Connected, accepted, and told the present statuses."""
        return self._online.is_set()

    def _went_down(self, reason: str) -> None:
        self._up.clear()
        self._online.clear()
        self._fallen.set()

    def _allows(self, action: str) -> bool:
        if action in _TRANSACTION_ACTIONS and not self.is_online:
            return False
        return self._registration.allows(action)

    # --- tasks

    async def introduce(self) -> None:
        """The task that makes a connection one on which transactions may be told."""
        while True:
            await self._up.wait()
            self._fallen.clear()
            try:
                await self._registration.register()
                if not self._introduced:
                    self._reporter.forget()
                    self._introduced = True
                await self._reporter.catch_up()
            except LinkError as error:
                self._log.info("backend", "not online: %s", error)
                if self._up.is_set():
                    await asyncio.sleep(1)  # it stands; what was asked was not answered
                continue
            if self._up.is_set():
                self._online.set()
                await self._fallen.wait()

    async def heartbeats(self) -> None:
        await self.while_online(self._registration.heartbeats)

    async def report(self) -> None:
        await self.while_online(self._reporter.run)

    async def deliver(self) -> None:
        await self.while_online(self._outbox.run)

    async def while_online(self, work: "Callable[[], Awaitable[None]]") -> None:
        """Do this work, which ends with LinkError, again each time that the station is online."""
        while True:
            await self._online.wait()
            try:
                await work()
            except LinkError as error:
                self._log.info("backend", "interrupted: %s", error)
                if self._online.is_set():
                    await asyncio.sleep(1)

    # --- questions to the backend

    async def authorize(self, id_tag: str) -> "IdTagInfo | None":
        """The backend's opinion on a card (OCPP 1.6 §4.1), None if it gives none."""
        try:
            answer = await self._link.call("Authorize", {"idTag": id_tag})
        except LinkError as error:
            self._log.warning("backend", "Authorize: %s", error)
            return None
        return self._id_tags.info(answer["idTagInfo"])

    async def data_transfer(self, vendor_id: str, message_id: "str | None" = None, data: "str | None" = None) -> dict:
        """Send a DataTransfer (OCPP 1.6 §4.3); returns its answer's payload. Raises LinkError."""
        payload = {"vendorId": vendor_id}
        if message_id is not None:
            payload["messageId"] = message_id
        if data is not None:
            payload["data"] = data
        return await self._link.call("DataTransfer", payload)


_TRANSACTION_ACTIONS = tuple(outbox.ACTIONS.values())
