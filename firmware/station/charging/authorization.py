"""Who may charge: what the station knows by itself, then what the backend says (OCPP 1.6 §3.4, §3.5, §4.1).

`authorize` a card, look it up with `local`, `learn` what an answer of the backend said about it.
A backend that does not answer counts as offline. Nothing is kept here: the sources keep what must survive.

A group (parentIdTag) is known by its keyed hash alone, so that no source has to keep its name in clear.
"""

import binascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable

    from station.charging.cache import Cache
    from station.clock import Clock
    from station.log import Log
    from station.settings import Settings

# AuthorizationStatus, OCPP 1.6 §7.2
ACCEPTED = "Accepted"
BLOCKED = "Blocked"
EXPIRED = "Expired"
INVALID = "Invalid"
CONCURRENT_TX = "ConcurrentTx"
# in the order of their numbers in flash: append only
STATUSES = (ACCEPTED, BLOCKED, EXPIRED, INVALID, CONCURRENT_TX)


class IdTagInfo:
    """What is known about a card (OCPP 1.6 §7.27). Never changed, so that it may be shared.

    `expiry`: epoch in seconds, 0 for never. `parent_id_tag`: its group as `parent_text` gives it, or None.
    """

    __slots__ = ("expiry", "parent_id_tag", "status")

    def __init__(self, status: str, expiry: int = 0, parent_id_tag: "str | None" = None) -> None:
        self.status = status
        self.expiry = expiry
        self.parent_id_tag = parent_id_tag

    @property
    def accepted(self) -> bool:
        return self.status == ACCEPTED

    def as_of(self, now: int) -> "IdTagInfo":
        """The same, or Expired if it was accepted until before `now`. With no time (0) nothing expires."""
        if self.status == ACCEPTED and 0 < self.expiry <= now:
            return IdTagInfo(EXPIRED, self.expiry, self.parent_id_tag)
        return self


def parent_text(digest: bytes) -> str:
    """The keyed hash of a parentIdTag in the form in which an IdTagInfo and the journal bear it."""
    return str(binascii.hexlify(digest), "utf-8")


def parent_digest(text: str) -> bytes:
    """The hash of which `parent_text` made this."""
    return binascii.unhexlify(text)


def same_id_tag(one: "str | None", other: "str | None") -> bool:
    """Id tags are compared without regard to case (CiString20, OCPP 1.6 §7.28); no tag is like no tag."""
    return one is not None and other is not None and one.upper() == other.upper()


class Authorization:
    """Decides about a card.

    `ask(id_tag)` brings the backend's IdTagInfo, or None if it gave no answer; `online()` tells whether to ask.
    `settings` are OCPP's keys. The sources are asked in order, the first that knows the card decides: the local list
    if there is one, then the cache; each has `get(id_tag) -> IdTagInfo | None`. The cache alone learns.
    """

    def __init__(
        self,
        settings: "Settings",
        clock: "Clock",
        cache: "Cache",
        log: "Log",
        ask: "Callable[[str], Awaitable[IdTagInfo | None]]",
        online: "Callable[[], bool]",
        local_list: "Any" = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._cache = cache
        self._local_list = local_list
        self._sources = (cache,) if local_list is None else (local_list, cache)
        self._log = log
        self._ask = ask
        self._online = online

    async def authorize(self, id_tag: str) -> IdTagInfo:
        """May this card charge now? Always an answer, never an error of the network."""
        if self._online():
            known = self.local(id_tag)
            if known is not None and known.accepted and self._settings["LocalPreAuthorize"]:
                return known
            answer = await self._ask(id_tag)
            if answer is not None:
                self.learn(id_tag, answer)
                return answer
            self._log.warning("authorization", "no answer about %s: deciding as if offline", id_tag)
        return self._offline(id_tag)

    def local(self, id_tag: str) -> "IdTagInfo | None":
        """What the station knows about a card by itself, as of now; None for a stranger."""
        for source in self._sources:
            info = source.get(id_tag)
            if info is not None:
                return info.as_of(self._clock.now())
        return None

    def learn(self, id_tag: str, info: IdTagInfo) -> None:
        """The backend has said this about a card, in whatever answer (OCPP 1.6 §3.5.1).

        A card of the local list does not enter the cache (§4.1); but what the cache holds of it from before, and
        would bring up when the list lets go of the card, must not be outdated then.
        """
        if self._local_list is not None and self._local_list.get(id_tag) is not None:
            self._cache.contradict(id_tag, info)
        else:
            self._cache.put(id_tag, info)

    def _offline(self, id_tag: str) -> IdTagInfo:
        """OCPP 1.6 §3.5.3: a card known to be bad stays refused, however generous the station is to strangers."""
        known = self.local(id_tag)
        if known is not None and (not known.accepted or self._settings["LocalAuthorizeOffline"]):
            return known
        if self._settings["AllowOfflineTxForUnknownId"]:
            return IdTagInfo(ACCEPTED)
        return IdTagInfo(INVALID)
