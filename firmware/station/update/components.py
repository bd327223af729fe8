"""What an update asks of each component of the station, and what those beside our own board answer: `Component`.

    status = await component.status()        what it is, which image runs, how far a new one has come
    await component.begin(size, digest)      staging: an image of so many bytes with this SHA-256 is going to come
    await component.write(offset, piece)
    await component.verify(size, digest)     it has the image, whole and as signed; nothing has changed yet
    await component.activate()               the staged image runs, on trial; the former one is kept
    await component.confirm()                it stays
    await component.roll_back(reason)        the former image runs again, also after `confirm`
    await component.discard()                what is staged is forgotten

Each of these may be asked again; asking twice changes no more than asking once. Whatever fails raises ComponentError,
whose text can stand in the log.

What a component must be to take part: it has room for two images, and its boot loader runs a staged one on trial, goes
back by itself when that does not start, and when nobody confirms it within its own time. It keeps the former image
until the next `begin`. A power cut leaves it with one of the two, never with none.
"""

import asyncio
import time

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDLE, RECEIVING, BUSY, STAGED, TRIAL, FAILED = const(0), const(1), const(2), const(3), const(4), const(5)
PHASES = ("idle", "receiving", "busy", "staged", "trial", "failed")

ORDERS = ("begin", "verify", "activate", "confirm", "roll_back", "discard")  # as they go over the wire, from 1 on

_POLL_MS = const(250)
_VERIFY_MS = const(120_000)  # to read back and to hash the largest image


class ComponentError(Exception):
    """A component does not answer, refuses, or is not as it should be."""


class Status:
    """What a component says of itself. `vendor`, `class_id`: UUIDs; `version` a tuple; `limit`: bytes of an image;
    `phase`: see PHASES; `image`: which one runs, its SHA-256 mostly; `fault`: in its words."""

    def __init__(
        self,
        vendor: bytes,
        class_id: bytes,
        version: "tuple[int, ...]",
        limit: int,
        phase: int = IDLE,
        image: bytes = b"",
        fault: str = "",
    ) -> None:
        self.vendor = vendor
        self.class_id = class_id
        self.version = version
        self.limit = limit
        self.phase = phase
        self.image = image
        self.fault = fault


class Component:
    """A component beside our own board. A subclass brings `status`, `write`, and `_order(number, data)`."""

    restarts = False  # does our own board restart when it is activated or rolled back?
    commits = False  # is its confirmation the commit of the whole update?

    def __init__(self, name: str) -> None:
        self.name = name

    async def status(self) -> Status:
        raise NotImplementedError

    async def write(self, offset: int, piece: memoryview) -> None:
        """The next bytes of the image, in order."""
        raise NotImplementedError

    def image(self, digest: "bytes | memoryview") -> bytes:
        """What `status().image` will be once the image with this SHA-256 runs that is staged."""
        return bytes(digest)

    async def _order(self, order: str, size: int = 0, digest: "bytes | memoryview" = b"") -> None:
        raise NotImplementedError

    async def begin(self, size: int, digest: "bytes | memoryview") -> None:
        await self._order("begin", size, digest)

    async def verify(self, size: int, digest: "bytes | memoryview") -> None:
        await self._order("verify", size, digest)
        began = time.ticks_ms()
        status = await self.status()
        while status.phase == BUSY and time.ticks_diff(time.ticks_ms(), began) < _VERIFY_MS:
            await asyncio.sleep_ms(_POLL_MS)
            status = await self.status()
        if status.phase != STAGED:
            raise self.error("it is %s and not staged %s" % (PHASES[status.phase], status.fault))

    async def activate(self) -> None:
        await self._order("activate")

    async def hold(self) -> None:
        """It is up: a restart of our own board must not end its trial. Most have one of their own."""

    async def confirm(self) -> None:
        await self._order("confirm")

    async def roll_back(self, reason: str) -> None:
        await self._order("roll_back")

    async def discard(self) -> None:
        await self._order("discard")

    def error(self, text: "Any") -> ComponentError:
        """An error with its name."""
        return ComponentError("%s: %s" % (self.name, text))
