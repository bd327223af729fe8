"""The connectors together: which of them a card, a remote start, an unlock or an availability change is for.

Cards come in through `present`, the backend's wishes through `remote_start`, `remote_stop`, `change_availability`
and `stop_all`. What happens goes out to one listener (`status_changed(connector_id)`, `aligned(connector)`), which
may live in another layer.

One reader may serve several connectors. Then a card presented first is held for the first of them that is
plugged in, until ConnectionTimeOut (OCPP 1.6 §4.8, §9.1.7).
"""

import asyncio

from micropython import const

from station.charging import records, status
from station.charging.authorization import same_id_tag
from station.charging.connector import Grant
from station.storage import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.charging.authorization import Authorization
    from station.charging.connector import Connector
    from station.charging.transaction import Ledger
    from station.clock import Clock
    from station.log import Log
    from station.settings import Settings

ACCEPTED = "Accepted"
REJECTED = "Rejected"
SCHEDULED = "Scheduled"

_JOURNAL_FILLING = ("OtherError", "the transaction store is filling", "JournalFilling")
_JOURNAL_FULL = ("OtherError", "the transaction store is full", "JournalFull")
_READER_DEAD = ("ReaderFailure", "a card reader does not answer", "")
_NO_WARNING = ("NoError", "", "")
_HOUSEKEEPING_MS = const(50)

_WELCOME = ("granted", "stopped", "released", "withdrawn")  # answers of `present` to a card that may


class ChargePoint:
    """`connectors` in the order of their ids, which begin with 1. `path`: the file that keeps the availability."""

    def __init__(
        self,
        connectors: "list[Connector]",
        authorization: "Authorization",
        settings: "Settings",
        clock: "Clock",
        ledger: "Ledger",
        log: "Log",
        path: str,
    ) -> None:
        self.connectors = connectors
        self._authorization = authorization
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._log = log
        self._path = path
        # (grant, connector ids) of cards that wait for any of several cables, oldest first; at most one a connector
        self._held: list[tuple[Grant, tuple[int, ...]]] = []
        # (id_tag, connectors) of remote starts not yet authorized; at most one a connector
        self._remote: list[tuple[str, list[Connector]]] = []
        self._remote_came = asyncio.Event()
        self._closing = False  # the station is going down: nothing begins any more
        # connector ids (0: the charge point) whose availability shall be Inoperative
        self._inoperative: set[int] = set()
        self._withheld = False  # taken out of service by the station itself, whatever a backend says
        self.listener: Any = None
        self.on_card: "Callable[[bool, tuple[int, ...]], None] | None" = None  # (accepted, connectors of the reader)
        self.readers = []  # each has `alive`
        self._warnings = []  # what stands, oldest first
        for connector in connectors:
            connector.listener = self

    # --- persistence of the availability

    def load(self) -> None:
        """Read the availability that was persisted (OCPP 1.6 §5.2: it survives a reboot)."""
        stored = atomic.load_json(self._path, self._log)
        if isinstance(stored, list):
            self._inoperative = {i for i in stored if isinstance(i, int)}
        for connector in self.connectors:
            self._apply_availability(connector)

    def _wanted_operative(self, connector_id: int) -> bool:
        return not (self._withheld or 0 in self._inoperative or connector_id in self._inoperative)

    def _apply_availability(self, connector) -> None:
        connector.set_operative(self._wanted_operative(connector.connector_id))

    # --- what others ask

    @property
    def status(self) -> str:
        """The status of connector 0: Available or Unavailable (OCPP 1.6 §4.9)."""
        out = self._withheld or 0 in self._inoperative
        return status.UNAVAILABLE if out and not self._charging() else status.AVAILABLE

    def connector(self, connector_id: int):
        """The connector of this id, or None."""
        if 1 <= connector_id <= len(self.connectors):
            return self.connectors[connector_id - 1]
        return None

    def _charging(self) -> list:
        return [connector for connector in self.connectors if connector.transaction]

    @property
    def warning(self) -> "tuple[str, str, str]":
        """What is told with connector 0: (errorCode, info, vendorErrorCode)."""
        return self._warnings[0] if self._warnings else _NO_WARNING

    def _warn(self, warning: "tuple[str, str, str]", stands: bool) -> None:
        """A condition of the charge point as a whole begins or ends."""
        if stands == (warning in self._warnings):
            return
        if stands:
            self._warnings.append(warning)
        else:
            self._warnings.remove(warning)
        if self.listener:
            self.listener.status_changed(0)

    # --- what connectors tell

    def status_changed(self, connector) -> None:
        if self.listener:
            self.listener.status_changed(connector.connector_id)

    def aligned(self, connector) -> None:
        if self.listener:
            self.listener.aligned(connector)

    def store_full(self) -> None:
        self._warn(_JOURNAL_FULL, True)
        self._warn(_JOURNAL_FILLING, False)

    def transaction_ended(self, connector) -> None:
        """A scheduled availability comes into force (OCPP 1.6 §5.2)."""
        self._apply_availability(connector)
        if self.listener:
            self.listener.status_changed(0)

    # --- cards

    async def run(self, report: "Callable[[], None]") -> None:
        """The charge point's task: held cards, dead readers, a shortage of room; `report()` says that it goes round."""
        while True:
            report()
            await asyncio.sleep_ms(_HOUSEKEEPING_MS)
            self.match_held()
            self._warn(_READER_DEAD, not all([reader.alive for reader in self.readers]))
            full = _JOURNAL_FULL in self._warnings and not self._ledger.has_room_for_readings()
            self._warn(_JOURNAL_FILLING, self._ledger.is_filling() and not full)
            self._warn(_JOURNAL_FULL, full)

    async def serve_reader(self, reader, connector_ids: "tuple[int, ...]") -> None:
        """The task of one card reader; a reader that died is told with connector 0, and read again."""
        while True:
            try:
                id_tag = await reader.read()
            except OSError as error:
                self._log.error("card", "%s", error)
            else:
                answer = await self.present(id_tag, connector_ids)
                self._log.info("card", "%s: %s", id_tag, answer)
                if self.on_card:
                    self.on_card(answer in _WELCOME, connector_ids)

    def match_held(self) -> None:
        """Give each held card to the first of its connectors that is plugged in; drop it when its time is over."""
        for held in list(self._held):
            grant, connector_ids = held
            waiting = self._waiting(connector_ids)
            if waiting:
                self._held.remove(held)
                waiting.grant(grant)
            elif self._clock.uptime() >= grant.deadline:
                self._held.remove(held)
                self._log.info("card", "no cable within ConnectionTimeOut")

    async def present(self, id_tag: str, connector_ids: "tuple[int, ...]") -> str:
        """A card was presented to a reader that serves these connectors; says in a word what came of it."""
        served = [connector for connector in self.connectors if connector.connector_id in connector_ids]
        for connector in served:
            if connector.transaction and same_id_tag(connector.transaction.id_tag, id_tag):
                connector.stop("Local", id_tag)
                return "stopped"
            if connector.release_cable(id_tag):
                return "released"
        if self._take_back(id_tag, served):
            return "withdrawn"
        info = await self._authorization.authorize(id_tag)
        if info.status != ACCEPTED:
            self._log.info("card", "refused: %s", info.status)
            return info.status
        grant = Grant(id_tag, info.parent_id_tag, self._deadline())
        waiting = self._waiting(connector_ids)
        if waiting:
            waiting.grant(grant)
            return "granted"
        if self._stop_group(grant, served):
            return "stopped"
        return "granted" if self._hold(grant, served) else "busy"

    def _take_back(self, id_tag: str, served: list) -> bool:
        """The same card a second time, before anything came of the first: never mind."""
        for held in self._held:
            if same_id_tag(held[0].id_tag, id_tag):
                self._held.remove(held)
                return True
        for connector in served:
            if connector.grant_held and same_id_tag(connector.grant_held.id_tag, id_tag):
                connector.withdraw()
                return True
        return False

    def _deadline(self) -> int:
        return self._clock.uptime() + self._settings["ConnectionTimeOut"]

    def _waiting(self, connector_ids):
        """The connector that was plugged in last and waits for a card; one not used since its cable came first."""
        best = None
        for connector in () if self._closing else self.connectors:
            if connector.connector_id in connector_ids and connector.plugged and connector.is_free():
                rank = (not connector.finished, connector.plugged_at)
                if best is None or rank > (not best.finished, best.plugged_at):
                    best = connector
        return best

    def _stop_group(self, grant: Grant, served: list) -> bool:
        """A card of the same group (parentIdTag) may stop a transaction (OCPP 1.6 §3.6, §4.10)."""
        for connector in served:
            transaction = connector.transaction
            if transaction and same_id_tag(transaction.parent_id_tag, grant.parent_id_tag):
                connector.stop("Local", grant.id_tag)
                return True
        return False

    def _hold(self, grant: Grant, served: list) -> bool:
        """Keep a grant for a cable still to come; where only one connector can get it, that one is Preparing."""
        free = [connector for connector in served if connector.is_free()]
        if not free or self._closing or self._are_promised(free):
            return False
        if len(free) == 1:
            free[0].grant(grant)
        else:
            self._held.append((grant, tuple([connector.connector_id for connector in free])))
        return True

    def _are_promised(self, free: list) -> bool:
        """Do the cards that wait already need all of these, and all that they could go to instead?"""
        places = {connector.connector_id for connector in free}
        rivals = [connector_ids for _, connector_ids in self._held if places & set(connector_ids)]
        for connector_ids in rivals:
            places |= set(connector_ids)
        return len(rivals) >= len([i for i in places if self.connector(i).is_free()])

    # --- the backend's wishes

    def remote_start(self, id_tag: str, connector_id: "int | None") -> bool:
        """Can a transaction for this card begin (OCPP 1.6 §5.11)? If so it will, unless its card is refused."""
        if connector_id is None:
            served = [connector for connector in self.connectors if connector.is_free()]
        else:
            connector = self.connector(connector_id)
            served = [connector] if connector and connector.is_free() else []
        if not served or self._closing or len(self._remote) >= len(self.connectors) or not self._ledger.has_room():
            return False
        self._remote.append((id_tag, served))
        self._remote_came.set()
        return True

    async def serve_remote(self) -> None:
        """The task that authorizes remote starts, one after the other."""
        while True:
            await self._remote_came.wait()
            self._remote_came.clear()
            while self._remote:
                await self._begin_remote(*self._remote[0])
                self._remote.pop(0)

    async def _begin_remote(self, id_tag: str, served: list) -> None:
        """OCPP 1.6 §9.1.3: AuthorizeRemoteTxRequests asks for the card to be authorized like one presented."""
        parent_id_tag = None
        if self._settings["AuthorizeRemoteTxRequests"]:
            info = await self._authorization.authorize(id_tag)
            if info.status != ACCEPTED:
                self._log.info("card", "remote start refused: %s", info.status)
                return
            parent_id_tag = info.parent_id_tag
        grant = Grant(id_tag, parent_id_tag, self._deadline())
        waiting = self._waiting([connector.connector_id for connector in served])
        if waiting:
            waiting.grant(grant)
        elif not self._hold(grant, served):
            self._log.warning("card", "a remote start came to nothing: its connector is no longer free")

    def remote_stop(self, transaction_id: int) -> bool:
        """Stop the transaction of this backend's id, with reason Remote (OCPP 1.6 §5.12). Is there one?"""
        for connector in self._charging():
            if connector.transaction.transaction_id == transaction_id != records.NO_ID:
                connector.stop("Remote")
                return True
        return False

    def change_availability(self, connector_id: int, operative: bool) -> str:
        """Persist, then apply: Accepted, Scheduled while a transaction runs, or Rejected (OCPP 1.6 §5.2).

        Connector 0 stands for the charge point and all its connectors. What cannot be persisted is Rejected.
        """
        if connector_id and self.connector(connector_id) is None:
            return REJECTED
        wanted = set(self._inoperative)
        ids = [connector_id] if connector_id else [0] + [connector.connector_id for connector in self.connectors]
        for i in ids:
            if operative:
                wanted.discard(i)
            else:
                wanted.add(i)
        if operative and connector_id:
            wanted.discard(0)
        try:
            atomic.replace_json(self._path, sorted(wanted))
        except OSError as error:
            self._log.error("availability", "cannot be stored: %s", error)
            return REJECTED
        self._inoperative = wanted
        scheduled = False
        for connector in self.connectors:
            if connector.transaction:
                scheduled = scheduled or (connector.connector_id in ids and not operative)
            else:
                self._apply_availability(connector)
        if self.listener:
            self.listener.status_changed(0)
        return SCHEDULED if scheduled else ACCEPTED

    def withhold(self, withheld: bool) -> None:
        """Take each connector out of service as its transaction ends, or give all back. Nothing is persisted, and the
        availability that a backend has set is left as it is.
        """
        self._withheld = withheld
        if withheld:
            self._held.clear()
        for connector in self.connectors:
            if not connector.transaction:
                self._apply_availability(connector)
        if self.listener:
            self.listener.status_changed(0)

    @property
    def is_well(self) -> bool:
        """Does no device of a connector fail?"""
        return all([connector.status != status.FAULTED for connector in self.connectors])

    @property
    def is_idle(self) -> bool:
        """Does no transaction run, nor one that could begin?"""
        return not self._charging() and not any([connector.grant_held for connector in self.connectors])

    def stop_all(self, reason: str) -> bool:
        """Open every contact now and end every transaction with this reason; True while one still runs.

        No other begins from here on.
        """
        self._closing = True
        self._held.clear()
        for connector in self.connectors:
            connector.withdraw()
            connector.stop(reason)
        return bool(self._charging())

    # --- the backend's answers

    def judged(self, number: int, transaction_id: int, accepted: bool, parent_id_tag: "str | None" = None) -> None:
        """StartTransaction of transaction `number` was answered (OCPP 1.6 §4.8), which may name the card's group."""
        transaction = self._ledger.started(number, transaction_id, accepted)
        if transaction and parent_id_tag is not None:
            transaction.parent_id_tag = parent_id_tag
        if transaction and not accepted:
            self._log.warning("card", "the backend does not accept the card of transaction %d", transaction_id)
