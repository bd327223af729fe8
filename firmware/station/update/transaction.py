"""The update of the whole station as one transaction: every component that a package has, or none.

    transaction = Transaction(journal, components, …)     journal: mounted, of the region "update"
    transaction.begin(sequence_number, parts)     all parts are staged and verified
    await transaction.proceed()          to its end, from wherever it stands; never returns where the board restarts
    transaction.outcome                  (installed, reason) until `forget()`

Components are activated in the order of the package, each looked at before the next: it must run the new image, the
station be as well as before and as connected. The first that fails rolls all back that were activated, in reverse
order. Each step is in the journal before it is done, so that a power cut, of the board or of a component, ends in the
whole new set or in the whole old one:

    PART, PART, … BEGIN       the parts; from BEGIN on the transaction is open
    STEP ACTIVATING i         part i is about to be activated
    STEP COMMITTED            all are up: they stay. Where our own application is among them its confirmation in the
                              boot records comes before, and is the commit; either is one word of flash
    STEP ROLLING_BACK i       parts up to i are about to be rolled back; the reason stands before it
    STEP DONE | UNDONE        every component runs, confirmed, what it should; to be told
    STEP TOLD                 it was

While it is open no connector is in service. A component that does not come back is asked for without end, and so long
they stay out of service: nobody knows what would run together.

Records hold JSON, a STEP its phase and the part. They have a version, for another application goes on with them.
"""

import asyncio
import binascii
import json
import time

from micropython import const

from station.update.components import BUSY, FAILED, STAGED, TRIAL, ComponentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from station.log import Log
    from station.settings import Settings
    from station.storage.journal import Journal
    from station.update.components import Component, Status
    from station.update.health import Health

_FORM = const(1)  # of these records; a board that finds another one leaves them alone
_PART, _BEGIN, _STEP, _REASON = const(1), const(2), const(3), const(4)  # kinds of records

NONE, ACTIVATING, COMMITTED, ROLLING_BACK, DONE, UNDONE, TOLD = (
    const(0),
    const(1),
    const(2),
    const(3),
    const(4),
    const(5),
    const(6),
)
_OPEN = (ACTIVATING, COMMITTED, ROLLING_BACK)
_WORDS = ("", "activating", "confirming", "rolling back", "installed", "rolled back", "")

_LOOK_MS = const(250)
_IN_A_ROW = const(3)  # looks at which all must be well
_LONGEST_MS = const(10_000)  # between two looks at a component that does not answer
_REASON_MOST = const(120)  # characters


class Part:
    """One component of the transaction: the images, as `Status.image` has them, that it ran before and is to run."""

    def __init__(self, name: str, old: bytes, new: bytes) -> None:
        self.name = name
        self.old = old
        self.new = new


class Transaction:
    """`journal`: None on a board without updates. `components`: by name. `restart()` returns, a restart comes soon."""

    def __init__(
        self,
        journal: "Journal | None",
        components: "dict[str, Component]",
        health: "Health",
        restart: "Callable[[], None]",
        settings: "Settings",
        log: "Log",
    ) -> None:
        self._journal: "Any" = journal
        self._components = components
        self._health = health
        self._restart = restart
        self._settings = settings
        self._log = log
        self._parts: "list[Part]" = []
        self._phase = NONE
        self._index = 0  # of the part that was activated last
        self._was_online = self._was_well = False
        self._reason = ""
        self._said = ""  # the warning that was logged last
        self._lock = asyncio.Lock()
        self.sequence_number = 0
        self.on_end: "Callable[[], None] | None" = None  # called when it has come to its end
        if journal:
            self._load()

    # --- what others see

    @property
    def is_open(self) -> bool:
        """Is there something to `proceed` with?"""
        return self._phase in _OPEN

    @property
    def outcome(self) -> "tuple[bool, str] | None":
        """(installed, reason) of what came to its end and was not forgotten yet."""
        return (self._phase == DONE, self._reason) if self._phase in (DONE, UNDONE) else None

    def told(self) -> str:
        """Where it stands or what the last one came to, for people; "" if there is none."""
        words = _WORDS[self._index if self._phase == TOLD else self._phase]
        if self._phase == ACTIVATING:
            words += " " + self._parts[self._index].name
        return words + (": " + self._reason if self._reason and words else "")

    def begin(self, sequence_number: int, parts: "Sequence[Part]") -> None:
        """Open it: the station must come out as well as it is now.

        Raises OSError, and nothing has begun, if the journal cannot be written.
        """
        journal = self._journal
        was_online, was_well = self._health.now()
        journal.free(journal.next - 1)
        for part in parts:
            row = (part.name, binascii.hexlify(part.old).decode(), binascii.hexlify(part.new).decode())
            journal.append(_PART, json.dumps(row).encode())
        head = (_FORM, len(parts), sequence_number, was_online, was_well)
        journal.append(_BEGIN, json.dumps(head).encode())
        self._parts = list(parts)
        self._phase, self._index, self._reason = ACTIVATING, 0, ""
        self._was_online, self._was_well = was_online, was_well
        self.sequence_number = sequence_number

    async def proceed(self) -> None:
        """Everything that is left to do; who comes second waits. Raises OSError if the journal cannot be written: ask
        again."""
        async with self._lock:
            if self._phase == ACTIVATING:
                reason = "" if await self._is_committed() else await self._activate()
                self._turn(reason, COMMITTED)
            if self._phase == COMMITTED:
                self._turn(await self._confirm(), DONE)
            if self._phase == ROLLING_BACK:
                await self._roll_back()
                self._log.error("update", "rolled back: %s", self._reason)
                self._step(UNDONE)

    def forget(self) -> None:
        """The outcome was told."""
        self._step(TOLD, self._phase)

    # --- forward

    async def _is_committed(self) -> bool:
        """Our own application was confirmed, and the power went before it was written here."""
        for part in self._parts:
            if self._components[part.name].commits:
                status = await self._components[part.name].status()
                return status.image == part.new and status.phase != TRIAL
        return False

    async def _activate(self) -> str:
        """One after the other, from the first on: those that are up already only prove it. The reason if one fails."""
        for index, part in enumerate(self._parts):
            if index > self._index:
                self._step(ACTIVATING, index)
            component = self._components[part.name]
            try:
                status = await self._reach(component)
                if status.image != part.new:
                    if status.phase == FAILED:
                        raise component.error("it did not stay %s" % status.fault)
                    self._log.info("update", "%s is activated", part.name)
                    await component.activate()
                    if component.restarts:
                        await self._until_restart()
                reason = await self._settle(part, 1 if index < self._index else _IN_A_ROW)
                if reason:
                    return reason
                await component.hold()
            except ComponentError as error:
                return str(error)
        for part in self._parts:
            if self._components[part.name].commits:
                await self._components[part.name].confirm()
        return ""

    async def _reach(self, component: "Component") -> "Status":
        """Its status, once it answers: it may have lost its power with us. Raises ComponentError."""
        began = time.ticks_ms()
        while True:
            try:
                return await component.status()
            except ComponentError as error:
                if self._is_late(began):
                    raise error
                self._warn(str(error))
            await asyncio.sleep_ms(_LOOK_MS)

    def _is_late(self, began: "Any") -> bool:
        return time.ticks_diff(time.ticks_ms(), began) > self._settings["FirmwareProbation"] * 1000

    async def _settle(self, part: Part, looks: int) -> str:
        """Wait until the part is up and the station as well as before, at so many looks in a row.

        The reason if that does not come in time.
        """
        began, in_a_row = time.ticks_ms(), 0
        while True:
            component = self._components[part.name]
            wrong, for_good = "", False
            try:
                status = await component.status()
                if status.image != part.new:
                    wrong = "%s: it runs another image %s" % (part.name, status.fault)
                    for_good = status.phase in (FAILED, TRIAL)
                elif status.fault:
                    wrong, for_good = "%s: %s" % (part.name, status.fault), True
            except ComponentError as error:
                wrong = str(error)
            wrong = wrong or self._health.missing(self._was_online, self._was_well)
            in_a_row = 0 if wrong else in_a_row + 1
            if in_a_row == looks:
                return ""
            if wrong and (for_good or self._is_late(began)):
                return wrong
            await asyncio.sleep_ms(_LOOK_MS)

    async def _confirm(self) -> str:
        """All stay. The reason if one has gone back meanwhile, and does not come up again."""
        for part in self._parts:
            component = self._components[part.name]
            gone_at, pause_ms = None, _LOOK_MS
            while True:
                try:
                    status = await component.status()
                    if status.image != part.new:
                        self._warn("%s has gone back, it is activated again" % part.name)
                        if gone_at is None:
                            gone_at = time.ticks_ms()
                        if component.restarts or self._is_late(gone_at):
                            return str(component.error("it has gone back " + status.fault))
                        await component.activate()
                        reason = await self._settle(part, _IN_A_ROW)
                        if reason:
                            return reason
                    elif status.phase == TRIAL:
                        await component.confirm()
                    elif status.phase != BUSY:
                        break
                except ComponentError as error:
                    self._warn(str(error))
                    pause_ms = min(2 * pause_ms, _LONGEST_MS)
                await asyncio.sleep_ms(pause_ms)
        return ""

    # --- back

    async def _roll_back(self) -> None:
        for part in self._parts[self._index + 1 :]:
            try:
                await self._components[part.name].discard()
            except ComponentError as error:
                self._warn(str(error))
        for part in reversed(self._parts[: self._index + 1]):
            await self._put_back(part)

    async def _put_back(self, part: Part) -> None:
        """Until it runs what it ran before."""
        component = self._components[part.name]
        pause_ms = _LOOK_MS
        while True:
            try:
                status = await component.status()
                if status.image == part.old and status.phase not in (BUSY, TRIAL):
                    if status.phase == STAGED:
                        await component.discard()
                    await component.hold()
                    return
                if status.phase != BUSY:
                    self._warn("%s is rolled back" % part.name)
                    await component.roll_back(self._reason)
                    if component.restarts:
                        await self._until_restart()
            except ComponentError as error:
                self._warn(str(error))
                pause_ms = min(2 * pause_ms, _LONGEST_MS)
            await asyncio.sleep_ms(pause_ms)

    async def _until_restart(self) -> None:
        self._restart()
        await asyncio.Event().wait()

    # --- the journal

    def _turn(self, reason: str, phase: int) -> None:
        """On to the next phase, or back."""
        if not reason:
            self._step(phase, self._index)
            return
        # a component may have said anything
        self._reason = "".join([letter if " " <= letter <= "~" else "?" for letter in reason[:_REASON_MOST]])
        self._log.error("update", "%s: all is rolled back", self._reason)
        self._journal.append(_REASON, self._reason.encode())
        self._step(ROLLING_BACK, self._index)

    def _warn(self, text: str) -> None:
        """Into the log, but not again and again."""
        if text != self._said:
            self._log.warning("update", "%s", text)
        self._said = text

    def _step(self, phase: int, index: int = 0) -> None:
        self._journal.append(_STEP, bytes((phase, index)))
        self._phase, self._index = phase, index
        if phase in (DONE, UNDONE) and self.on_end:
            self.on_end()

    def _load(self) -> None:
        """What the journal says. Raises nothing: what cannot be read has not been."""
        parts: "list[Part]" = []
        for _, kind, payload in self._journal.records(self._journal.first):
            if kind == _STEP:
                self._phase, self._index = payload[0], payload[1]
            elif kind == _REASON:
                self._reason = bytes(payload).decode()
            elif kind == _PART:
                name, old, new = json.loads(bytes(payload))
                parts.append(Part(name, binascii.unhexlify(old), binascii.unhexlify(new)))
            elif kind == _BEGIN:
                form, count, self.sequence_number, self._was_online, self._was_well = json.loads(bytes(payload))
                if form != _FORM:
                    self._log.error("update", "the journal has the form %r, %d is known", form, _FORM)
                    return
                self._parts, parts = parts[-count:], []
                self._phase, self._index, self._reason = ACTIVATING, 0, ""
        if self._phase in _OPEN and not all([part.name in self._components for part in self._parts]):
            self._log.error("update", "a component of the open transaction is not in the provisioning any more")
            self._phase = NONE
