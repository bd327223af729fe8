"""idTagInfo of the wire (OCPP 1.6 §7.27) becomes the IdTagInfo of `charging`, and its parentIdTag a keyed hash."""

from micropython import const

from station import clock as clocks
from station.charging.authorization import IdTagInfo, parent_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

_LAST = const(0xFFFFFFFE)  # 2106: what expires later, as 9999-12-31 does in the lists of some backends, expires then


class IdTags:
    """`conceal(parent id tag)` gives its keyed hash, the same for tags that differ in case only."""

    def __init__(self, conceal: "Callable[[str], bytes]") -> None:
        self._conceal = conceal

    def info(self, payload: dict) -> IdTagInfo:
        """Reads a checked idTagInfo; an expiry date that cannot be read has passed, an empty parent is none."""
        expiry = 0
        if "expiryDate" in payload:
            try:
                expiry = min(max(clocks.parse_iso(payload["expiryDate"]), 1), _LAST)
            except ValueError:
                expiry = 1
        parent = payload.get("parentIdTag")
        return IdTagInfo(payload["status"], expiry, parent_text(self._conceal(parent)) if parent else None)
