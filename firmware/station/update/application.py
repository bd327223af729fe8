"""The application of our own board as a component of the station, in its slots.

It takes effect with a restart of the board, and its confirmation is the commit of the whole update: one word of the
boot records, see boot_choice.py.
"""

import boot_choice

from station.update import version
from station.update.components import IDLE, TRIAL, Component, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.update.slots import Slots

NAME = "application"  # in packages


class Application(Component):
    """`vendor`, `class_id`: UUIDs of this board, 16 bytes each. `as_now()` tells (is_online, is_well) of now: a new
    application must do as well."""

    restarts = True
    commits = True

    def __init__(self, slots: "Slots", vendor: bytes, class_id: bytes, as_now: "Callable[[], tuple[bool, bool]]"):
        super().__init__(NAME)
        self._slots = slots
        self._vendor = vendor
        self._class_id = class_id
        self._as_now = as_now

    async def status(self) -> Status:
        slots = self._slots
        phase = TRIAL if slots.on_trial else IDLE
        found = version.parse(slots.version)
        return Status(self._vendor, self._class_id, found, slots.capacity, phase, slots.running.encode())

    def image(self, digest: "bytes | memoryview") -> bytes:
        """The slot that it was staged in."""
        return self._slots.target.encode()

    async def begin(self, size: int, digest: "bytes | memoryview") -> None:
        self._slots.begin()

    async def write(self, offset: int, piece: memoryview) -> None:
        await self._slots.write(piece)

    async def verify(self, size: int, digest: "bytes | memoryview") -> None:
        await self._slots.end(digest)

    async def activate(self) -> None:
        """From the next start on it runs, on trial."""
        fallen_back = self._slots.fallen_back
        if fallen_back and fallen_back[0] == self._slots.target:
            raise self.error("%s did not stay: %s" % fallen_back)
        self._slots.try_next(*self._as_now())

    async def confirm(self) -> None:
        if self._slots.on_trial:
            self._slots.confirm()

    async def roll_back(self, reason: str) -> None:
        """The former one runs from the next start on."""
        if self._slots.on_trial:
            self._slots.revert(boot_choice.UNHEALTHY, reason)
        else:
            self._slots.go_back()

    async def discard(self) -> None:
        self._slots.discard()
