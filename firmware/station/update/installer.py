"""Stages an update: a signed package goes, verified, into the application's free slot, and nothing else is touched.

    installer = Installer(slots, keys, vendor, class_id, version)
    manifest = await installer.stage(read, sequence_number)     raises Refused, OSError: nothing of it would be run
    installer.activate(is_online, is_well)     from the next start on it runs, on trial

`read(buffer)` is awaited for the next bytes of the package, 0 at its end; a transfer, a file.

Memory: a buffer of 512 bytes and those of `envelope.py`, taken when an Installer is made, and that of the slots, taken
at the first image; all are kept, so that a later update on a heap that has run for weeks finds them whole.
"""

from micropython import const

from station.update.envelope import MANIFEST, WRAPPER, Package
from station.update.inventory import Installed
from station.update.refused import COMPONENT, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable, Sequence

    from station.update.manifest import Component, Manifest
    from station.update.slots import Slots

APPLICATION = "application"  # the name of the component in packages
_PIECE = const(512)


class Installer:
    """`keys`: those that may sign, P-256, 64 bytes each; `vendor`, `class_id`: UUIDs of this board, 16 bytes each."""

    def __init__(
        self,
        slots: "Slots",
        keys: "Sequence[bytes]",
        vendor: bytes,
        class_id: bytes,
        version: "tuple[int, ...]",
    ) -> None:
        self._slots = slots
        self._keys = keys
        self._inventory = {APPLICATION: Installed(vendor, class_id, version, slots.capacity)}
        self._piece = memoryview(bytearray(_PIECE))
        self._buffer = bytearray(WRAPPER + MANIFEST)
        self._staged = False

    async def stage(self, read: "Callable[[memoryview], Awaitable[int]]", sequence_number: int) -> "Manifest":
        """Read the package to its end; none older than `sequence_number` is taken.

        Raises Refused with the reason, OSError if the flash or `read` fails.
        """
        self._staged = False
        package = Package(self._keys, self._inventory, sequence_number, self._write, self._buffer)
        try:
            while True:
                count = await read(self._piece)
                if not count:
                    break
                await package.feed(self._piece[:count])
            package.finish()
            manifest = package.manifest
            for component in manifest.order:
                if not component.integrated:
                    raise Refused(COMPONENT, "%s is not in the package" % component.name)
                await self._slots.end(component.digest)
        except BaseException:  # a caller that is cancelled leaves nothing behind, either
            self._slots.discard()
            raise
        self._staged = True
        return manifest

    def activate(self, is_online: bool, is_well: bool) -> None:
        """What was staged runs from the next start on, on trial: it must do as well as what runs now."""
        if not self._staged:
            raise RuntimeError("installer: nothing is staged")
        self._slots.try_next(is_online, is_well)

    def discard(self) -> None:
        """What was staged is not to be run."""
        self._staged = False
        self._slots.discard()

    async def _write(self, component: "Component", offset: int, piece: memoryview) -> None:
        if offset == 0:
            self._slots.begin()
        await self._slots.write(piece)
