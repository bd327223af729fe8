"""The base image of our own board as a component: MicroPython, the boot loader's choice, the factory's application.

Only where the port has two places for it and a boot loader that goes back to the former one by itself: an image that
was chosen and does not say in time that it is well, by `hold()`, is given up at the next reset.
"""

import binascii

from station.storage import atomic
from station.update import version
from station.update.components import IDLE, Component, Status
from station.update.image_writer import ImageWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from station.log import Log

NAME = "base"  # in packages


class Base(Component):
    """`places`: the board's (`running()` and `staged()` give (version as text, identity of the image), `region()`,
    `choose_other()`, `hold()`). `path`: of the file that remembers which image was tried."""

    restarts = True

    def __init__(self, places: "Any", vendor: bytes, class_id: bytes, path: str, log: "Log") -> None:
        super().__init__(NAME)
        self._places = places
        self._vendor = vendor
        self._class_id = class_id
        self._path = path
        self._log = log
        self._writer: "ImageWriter | None" = None

    async def status(self) -> Status:
        found, image = self._places.running()
        limit = self._places.region().size
        return Status(self._vendor, self._class_id, version.parse(found), limit, IDLE, image)

    def image(self, digest: "bytes | memoryview") -> bytes:
        return self._places.staged()[1]

    async def begin(self, size: int, digest: "bytes | memoryview") -> None:
        if self._writer is None:
            self._writer = ImageWriter()
        atomic.replace_json(self._path, "")
        self._writer.begin(self._places.region(), NAME)

    async def write(self, offset: int, piece: memoryview) -> None:
        await self._writer.write(piece)

    async def verify(self, size: int, digest: "bytes | memoryview") -> None:
        await self._writer.end(digest)
        try:
            self._places.staged()
        except ValueError as error:
            raise self.error(error)

    async def activate(self) -> None:
        """From the next start on it runs. Raises ComponentError if it did once, and did not stay."""
        image = binascii.hexlify(self._places.staged()[1]).decode()
        if atomic.load_json(self._path, self._log) == image:
            raise self.error("it did not stay: the boot loader has gone back")
        atomic.replace_json(self._path, image)
        self._choose()

    async def hold(self) -> None:
        self._places.hold()

    async def confirm(self) -> None:
        """It was held, that is all."""

    async def roll_back(self, reason: str) -> None:
        self._choose()

    async def discard(self) -> None:
        """What is staged is never chosen by itself."""

    def _choose(self):
        try:
            self._places.choose_other()
        except OSError as error:
            raise self.error("the boot loader does not take it: %s" % error)
