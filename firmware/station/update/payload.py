"""The bytes of one component on their way to where they are staged: counted, hashed, handed on, compared.

    payload = Payload(component, sink)
    await payload.feed(piece); …; payload.finish()       raises Refused (SIZE, DIGEST, TRUNCATED)

The same for a payload within the envelope and for one that is fetched from its URI. The sink has them before the digest
is known: what it holds counts for nothing until `finish` has returned.
"""

import hashlib

from station.update.refused import DIGEST, SIZE, TRUNCATED, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from station.update.manifest import Component

    Sink = Callable[[Component, int, memoryview], Awaitable[None]]


class Payload:
    """`sink(component, offset, piece)` is awaited with each piece; the piece is only lent."""

    def __init__(self, component: "Component", sink: "Sink"):
        self._component = component
        self._sink = sink
        self._hash = hashlib.sha256()
        self.received = 0  # bytes

    @property
    def left(self) -> int:
        """Bytes that are to come."""
        return self._component.size - self.received

    async def feed(self, piece: memoryview) -> None:
        """Takes some bytes. Raises Refused, before the sink sees them, if they are too many."""
        if len(piece) > self.left:
            text = "%s: more than the %d bytes that were signed" % (self._component.name, self._component.size)
            raise Refused(SIZE, text)
        self._hash.update(piece)
        await self._sink(self._component, self.received, piece)
        self.received += len(piece)

    def finish(self) -> None:
        """No more bytes. Raises Refused unless these are the ones that were signed."""
        if self.left:
            raise Refused(TRUNCATED, "%s: %d bytes are missing" % (self._component.name, self.left))
        if self._hash.digest() != self._component.digest:
            raise Refused(DIGEST, "%s is not what was signed" % self._component.name)
