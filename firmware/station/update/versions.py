"""The versions of all components, as they were heard last: for whoever must know without waiting."""

import asyncio

from micropython import const

from station.update import version
from station.update.components import ComponentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log
    from station.update.components import Component

_SOON_S = const(60)  # while one has not answered
_AGAIN_S = const(3600)


class Versions:
    """`components`: by name."""

    def __init__(self, components: "dict[str, Component]", log: "Log") -> None:
        self._components = components
        self._log = log
        self._heard: "dict[str, str]" = {}
        self._changed = asyncio.Event()

    def told(self) -> str:
        """ "application 1.2.0,router 2.1.0", "?" for the version of one that does not answer."""
        return ",".join([name + " " + self._heard.get(name, "?") for name in sorted(self._components)])

    def ask_again(self) -> None:
        """They may have changed."""
        self._changed.set()

    async def run(self) -> None:
        """The task: asks at the start, after each update, and now and then."""
        while True:
            self._changed.clear()
            missing = False
            for name, component in self._components.items():
                try:
                    self._heard[name] = version.text((await component.status()).version)
                except ComponentError as error:
                    if self._heard.pop(name, "") or not missing:
                        self._log.warning("components", "%s", error)
                    missing = True
            try:
                await asyncio.wait_for(self._changed.wait(), _SOON_S if missing else _AGAIN_S)
            except asyncio.TimeoutError:
                pass
