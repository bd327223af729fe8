"""idTagInfo of the wire (OCPP 1.6 §7.27) becomes the IdTagInfo of `charging`."""

from station import clock as clocks
from station.charging.authorization import IdTagInfo


def from_payload(payload: dict) -> IdTagInfo:
    """Reads a checked idTagInfo; an expiry date that cannot be read has passed."""
    expiry = 0
    if "expiryDate" in payload:
        try:
            expiry = clocks.parse_iso(payload["expiryDate"])
        except ValueError:
            expiry = 1
    return IdTagInfo(payload["status"], expiry, payload.get("parentIdTag"))
