"""Stages an update: every image of a signed package goes, verified, to its component, and nothing else is touched.

    installer = Installer(components, inventory, keys, download, log)
    manifest, parts = await installer.stage(read, sequence_number)     raises Refused, ComponentError, OSError: nothing
                                                                       of it would be run
    await installer.discard()                                          the same when it is not wanted any more

`read(buffer)` is awaited for the next bytes of the package, 0 at its end; a transfer, a file. An image that is not in
the package is fetched from its URI by `download(uri)`.

Memory: a buffer of 512 bytes, and what `envelope.py` takes. No block of it is larger than a download's own 2 KiB,
unless a manifest is, so that a heap which has run for weeks still has one: there is no lean mode to restart into.
"""

from micropython import const

from station.update.components import ComponentError
from station.update.envelope import Package
from station.update.payload import Payload
from station.update.transaction import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable, Sequence

    from station.log import Log
    from station.update.components import Component
    from station.update.inventory import Inventory
    from station.update.manifest import Component as Declared
    from station.update.manifest import Manifest

_PIECE = const(512)


class Installer:
    """`components`: by name. `keys`: those that may sign, P-256, 64 bytes each."""

    def __init__(
        self,
        components: "dict[str, Component]",
        inventory: "Inventory",
        keys: "Sequence[bytes]",
        download: "Callable[[str], Any]",
        log: "Log",
    ) -> None:
        self._components = components
        self._inventory = inventory
        self._keys = keys
        self._download = download
        self._log = log
        self._piece = memoryview(bytearray(_PIECE))
        self._begun: "list[Component]" = []  # that have at least a part of an image staged

    async def stage(
        self, read: "Callable[[memoryview], Awaitable[int]]", sequence_number: int
    ) -> "tuple[Manifest, list[Part]]":
        """Read the package to its end; none older than `sequence_number` is taken. The parts are in their order.

        Raises Refused with the reason, ComponentError, OSError if the flash or `read` fails.
        """
        self._begun = []
        found = await self._inventory.look()
        package = Package(self._keys, found, sequence_number, self._write)
        try:
            await self._read(read, package)
            package.finish()
            manifest = package.manifest
            for declared in manifest.order:
                if not declared.integrated:
                    await self._fetch(declared)
            parts = []
            for declared in manifest.order:
                component = self._components[declared.name]
                await component.verify(declared.size, declared.digest)
                parts.append(Part(declared.name, found[declared.name].image, component.image(declared.digest)))
        except BaseException:  # a caller that is cancelled leaves nothing behind, either
            await self.discard()
            raise
        return manifest, parts

    async def discard(self) -> None:
        """What was staged is not to be run."""
        begun, self._begun = self._begun, []
        for component in begun:
            try:
                await component.discard()
            except ComponentError as error:
                self._log.warning("update", "%s", error)

    async def _read(self, read, sink) -> None:
        while True:
            count = await read(self._piece)
            if not count:
                return
            await sink.feed(self._piece[:count])

    async def _fetch(self, declared: "Declared") -> None:
        """The image of a component from its URI."""
        payload = Payload(declared, self._write)
        download = self._download(declared.uri)
        try:
            await self._read(download.read_into, payload)
        finally:
            download.close()
        payload.finish()

    async def _write(self, declared: "Declared", offset: int, piece: memoryview) -> None:
        component = self._components[declared.name]
        if offset == 0:
            self._begun.append(component)
            await component.begin(declared.size, declared.digest)
        await component.write(offset, piece)
