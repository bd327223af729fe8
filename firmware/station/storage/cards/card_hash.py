"""The name under which a card lies in flash: a keyed hash, so that a stolen board gives no card numbers away.

`of` for a card, `parent` for the group that it belongs to. HMAC-SHA-256 (RFC 2104), cut.
"""

import hashlib

from micropython import const

from station.storage.cards.entries import KEY, PARENT

_BLOCK = const(64)  # bytes that SHA-256 takes at once


class CardHash:
    """`secret`: this board's own random bytes, 16 or more, kept apart from the table. Another one: another table."""

    def __init__(self, secret: bytes):
        if len(secret) < 16:
            raise ValueError("card hash: secret of %d bytes, at least 16 are needed" % len(secret))
        if len(secret) > _BLOCK:
            secret = hashlib.sha256(secret).digest()
        key = secret + bytes(_BLOCK - len(secret))
        self._inner = bytes([byte ^ 0x36 for byte in key])
        self._outer = bytes([byte ^ 0x5C for byte in key])

    def of(self, id_tag: str) -> bytes:
        """Key of a card, 10 bytes; id tags that differ in case only are one card (CiString20Type)."""
        return self._digest(id_tag)[:KEY]

    def parent(self, id_tag: str) -> bytes:
        """Name of a parentIdTag, 8 bytes."""
        return self._digest(id_tag)[:PARENT]

    def _digest(self, id_tag: str) -> bytes:
        inner = hashlib.sha256(self._inner + id_tag.upper().encode()).digest()
        return hashlib.sha256(self._outer + inner).digest()
