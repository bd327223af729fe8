"""What the station consists of: `Inventory` asks each component, `check` says whether a package fits what they answer.

inventory = Inventory(components, log)
found = await inventory.look()       what each says of itself, by name; None for one that does not answer
check(manifest, found, sequence_number)                      raises Refused
inventory.told()                     the versions as they were heard last, for whoever must know without waiting
await inventory.run()                the task that keeps them fresh
"""

import asyncio

from micropython import const

from station.update import version
from station.update.components import ComponentError
from station.update.refused import CLASS, COMPONENT, SEQUENCE, SIZE, VENDOR, VERSION, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log
    from station.update.components import Component, Status
    from station.update.manifest import Manifest

_SOON_S = const(60)  # until they are asked again, if one has not answered
_AGAIN_S = const(3600)


class Inventory:
    """`components`: by name."""

    def __init__(self, components: "dict[str, Component]", log: "Log") -> None:
        self._components = components
        self._log = log
        self._heard: "dict[str, str]" = {}  # versions
        self._silent: "set[str]" = set()
        self._changed = asyncio.Event()

    def told(self) -> str:
        """ "application 1.2.0,router 2.1.0", "?" for the version of one that does not answer."""
        return ",".join([name + " " + self._heard.get(name, "?") for name in sorted(self._components)])

    async def look(self) -> "dict[str, Status | None]":
        """Ask each of them."""
        found: "dict[str, Status | None]" = {}
        for name, component in self._components.items():
            try:
                status = found[name] = await component.status()
                self._heard[name] = version.text(status.version)
                self._silent.discard(name)
            except ComponentError as error:
                found[name] = None
                self._heard.pop(name, None)
                if name not in self._silent:
                    self._log.warning("components", "%s", error)
                    self._silent.add(name)
        return found

    def changed(self) -> None:
        """They may have other versions now."""
        self._changed.set()

    async def run(self) -> None:
        """The task: asks at the start, when they may have changed, and now and then."""
        while True:
            self._changed.clear()
            await self.look()
            try:
                await asyncio.wait_for(self._changed.wait(), _SOON_S if self._silent else _AGAIN_S)
            except asyncio.TimeoutError:
                pass


def check(manifest: "Manifest", inventory: "dict[str, Status | None]", sequence_number: int) -> None:
    """Raises Refused for a package that is older than `sequence_number`, or of which any component does not fit.

    The same sequence number again is taken: an update that failed may be tried again. Versions are judged as they
    would be in the end, those of the package for what is in it, else those that are installed.
    """
    if manifest.sequence_number < sequence_number:
        raise Refused(SEQUENCE, "%d, this station has had %d" % (manifest.sequence_number, sequence_number))
    for component in manifest.components:
        name = component.name
        installed = inventory.get(name)
        if installed is None and name in inventory:
            raise Refused(COMPONENT, "%s does not answer" % name)
        if installed is None:
            raise Refused(COMPONENT, "%s, this station has %s" % (name, ", ".join(sorted(inventory))))
        if component.vendor is not None and component.vendor != installed.vendor:
            raise Refused(VENDOR, "%s is made by another" % name)
        if component.class_id is not None and component.class_id != installed.class_id:
            raise Refused(CLASS, "%s is for another kind of device" % name)
        if component.size > installed.limit:
            raise Refused(SIZE, "%s has %d bytes, allowed are %d" % (name, component.size, installed.limit))
        found = component.version or installed.version
        for comparison, other in component.needs:
            if not version.fits(found, comparison, other):
                wanted = version.text(other, comparison)
                raise Refused(VERSION, "%s must be %s, and would be %s" % (name, wanted, version.text(found)))
