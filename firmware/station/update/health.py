"""Is the station as well as it was before an update began? `Health`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable


class Health:
    """`is_online()`: is the backend connected; `is_well()`: does no device of a connector fail."""

    def __init__(self, is_online: "Callable[[], bool]", is_well: "Callable[[], bool]") -> None:
        self._is_online = is_online
        self._is_well = is_well

    def now(self) -> "tuple[bool, bool]":
        """(is online, is well)"""
        return self._is_online(), self._is_well()

    def missing(self, was_online: bool, was_well: bool) -> str:
        """What it lacks to be as it was; empty if nothing."""
        if was_well and not self._is_well():
            return "a device fails that did not"
        if was_online and not self._is_online():
            return "no backend, there was one"
        return ""
