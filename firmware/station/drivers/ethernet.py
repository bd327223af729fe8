"""The network port: whether the station has a cable and an address, as MicroPython's `network` interface tells.

`run()` watches it and tells `on_up()` each time a way out has come; `up()` waits for it. Addresses are the port's
business (DHCP, in the stack). A board whose network belongs to the host has no interface: it is always up.
"""

import asyncio

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.log import Log

_LOOK_MS = const(250)


class Ethernet:
    """`interface` has `isconnected()` (link and address) and `ifconfig()`, and is active; None is a host's network."""

    def __init__(self, interface: "Any", log: "Log") -> None:
        self._interface = interface
        self._log = log
        self._up = asyncio.Event()
        self.on_up: "Callable[[], None] | None" = None
        if interface is None:
            self._up.set()

    async def up(self) -> None:
        """Wait until there is a way out."""
        await self._up.wait()

    async def run(self) -> None:
        """Watch the interface, for ever; ends at once where there is none."""
        if self._interface is None:
            return
        while True:
            self.look()
            await asyncio.sleep_ms(_LOOK_MS)

    def look(self) -> None:
        """One look: tells what has changed since the last."""
        connected = self._interface.isconnected()
        if connected == self._up.is_set():
            return
        if not connected:
            self._up.clear()
            self._log.warning("network", "no cable, or no address")
            return
        self._log.info("network", "address %s", self._interface.ifconfig()[0])
        self._up.set()
        if self.on_up:
            self.on_up()
