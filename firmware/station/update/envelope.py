"""A package as it arrives: a SUIT envelope (draft-ietf-suit-manifest §8.2), taken as a stream.

    package = Package(keys, inventory, sequence_number, sink)
    await package.feed(piece)      each piece of the file, cut anywhere
    package.finish()               no more comes: Refused (TRUNCATED) if that is too early
    package.manifest               None until it has been verified; then what is to be installed, and fetched by URI

The order of what happens is the order of trust: signature over the digest, digest over the manifest, manifest read and
found to fit the station, then the payloads that are in the envelope, each handed to `sink` piece by piece while it is
hashed. Nothing before has been handed to anyone, nothing but the first two has been interpreted before the signature.
The first fault raises Refused and ends it; each later call raises the same.

    d8 6b                     tag 107
    map                       2 entries and one for each integrated payload
      2: authentication wrapper, bytes
      3: manifest, bytes      the digest is over these, their head included (§6.2)
      "#name": payload, bytes

Memory: the wrapper, then the manifest, each as long as it is (a few hundred bytes mostly, at most `WRAPPER` and
`MANIFEST`), and the manifest's components. No part of a payload.
"""

import hashlib

from micropython import const

from station.update import inventory as inventories
from station.update.cbor import HEAD, MAP, STRING, TAG, TEXT, UINT, CborError, head, head_size
from station.update.cose import authenticate
from station.update.manifest import COMPONENTS, NAME, Manifest
from station.update.payload import Payload
from station.update.refused import DIGEST, FORMAT, SIZE, TRAILING, TRUNCATED, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from station.update.components import Status
    from station.update.manifest import Component
    from station.update.payload import Sink

WRAPPER = const(192)  # bytes of the largest authentication wrapper
MANIFEST = const(4096)  # of the largest manifest

_TAG = const(107)
_NO_ENVELOPE = "not a SUIT envelope (tag 107)"
_KEY_WRAPPER = const(2)
_KEY_MANIFEST = const(3)

# What the next byte belongs to: the head of an item, or the bytes of a string
_AT_TAG = const(0)
_AT_MAP = const(1)
_AT_KEY = const(2)
_AT_WRAPPER = const(3)
_AT_MANIFEST = const(4)
_AT_PAYLOAD = const(5)
_AT_END = const(6)
_IN_WRAPPER = const(7)  # from here on in a string that is collected
_IN_MANIFEST = const(8)
_IN_NAME = const(9)
_IN_PAYLOAD = const(10)


class Package:
    """One package. `keys`: those that may sign, P-256, 64 bytes each; `inventory`, `sequence_number`: of this station.

    `sink(component, offset, piece)` is awaited with each piece of an integrated payload; the piece is only lent.
    """

    def __init__(
        self,
        keys: "Sequence[bytes]",
        inventory: "dict[str, Status | None]",
        sequence_number: int,
        sink: "Sink",
    ):
        self.manifest: "Manifest | None" = None
        self.received = 0  # bytes of the envelope
        self._keys = keys
        self._inventory = inventory
        self._sequence_number = sequence_number
        self._sink = sink
        self._buffer = memoryview(b"")  # the string that is being collected
        self._fault: "Refused | None" = None
        self._head = bytearray(HEAD)  # of the item that begins
        self._head_got = 0
        self._got = 0  # bytes of it
        self._state = _AT_TAG
        self._entries = 0  # of the envelope that are to come
        self._last_key = b""
        self._digest: "bytes | None" = None  # of the manifest, signed
        self._manifest_hash = hashlib.sha256()
        self._payload: "Payload | None" = None
        self._component: "Component" = None  # whose payload follows

    async def feed(self, piece: "bytes | bytearray | memoryview") -> None:
        """Takes the next bytes. Raises Refused."""
        if self._fault:
            raise self._fault
        try:
            await self._feed(memoryview(piece))
        except CborError as error:
            self._fault = Refused(FORMAT, str(error))
            raise self._fault
        except Refused as error:
            self._fault = error
            raise

    def finish(self) -> None:
        """No more bytes. Raises Refused unless the envelope is whole."""
        if self._fault:
            raise self._fault
        if self._state != _AT_END:
            self._fault = Refused(TRUNCATED, "the package ends after %d bytes" % self.received)
            raise self._fault

    async def _feed(self, data):
        at = 0
        size = len(data)
        while at < size:
            if self._state < _IN_WRAPPER:
                taken = 1
                self._take_head(data[at])
            elif self._state == _IN_PAYLOAD:
                taken = min(self._payload.left, size - at)
                await self._payload.feed(data[at : at + taken])
                if not self._payload.left:
                    self._end_payload()
            else:
                taken = min(len(self._buffer) - self._got, size - at)
                self._buffer[self._got : self._got + taken] = data[at : at + taken]
                self._got += taken
                if self._got == len(self._buffer):
                    await self._take_string()
            at += taken
            self.received += taken

    def _take_head(self, byte):
        """A byte of a head; when it is whole it is judged by what may stand here."""
        state = self._state
        if state == _AT_END:
            raise Refused(TRAILING, "bytes follow the end of the package")
        if state == _AT_TAG and self.received == 0 and byte >> 5 != TAG:
            raise Refused(FORMAT, _NO_ENVELOPE)  # a page of HTML, mostly
        self._head[self._head_got] = byte
        self._head_got += 1
        if self._head_got < head_size(self._head[0]):
            return
        self._head_got = 0
        kind, argument = head(self._head)
        if state == _AT_TAG:
            self._on_tag(kind, argument)
        elif state == _AT_MAP:
            self._on_map(kind, argument)
        elif state == _AT_KEY:
            self._on_key(kind, argument)
        elif state == _AT_WRAPPER:
            self._on_wrapper(kind, argument)
        elif state == _AT_MANIFEST:
            self._on_manifest(kind, argument)
        else:
            self._on_payload(kind, argument)

    async def _take_string(self):
        if self._state == _IN_WRAPPER:
            await self._wrapper_whole()
        elif self._state == _IN_MANIFEST:
            self._manifest_whole()
        else:
            self._name_whole()

    # ---- what each head must be

    def _on_tag(self, kind, argument):
        if (kind, argument) != (TAG, _TAG):
            raise Refused(FORMAT, _NO_ENVELOPE)
        self._state = _AT_MAP

    def _on_map(self, kind, argument):
        if kind != MAP or not 2 <= argument <= 2 + COMPONENTS:
            raise Refused(FORMAT, "an envelope is a map of 2 to %d entries" % (2 + COMPONENTS))
        self._entries = argument
        self._state = _AT_KEY

    def _on_key(self, kind, argument):
        if kind == UINT and argument == _KEY_WRAPPER and self._digest is None:
            self._state = _AT_WRAPPER
        elif kind == UINT and argument == _KEY_MANIFEST and self._digest is not None and self.manifest is None:
            self._state = _AT_MANIFEST
        elif kind == TEXT and self.manifest is not None:
            if argument > NAME + 1:
                raise Refused(FORMAT, "a payload's name of %d bytes, allowed are %d" % (argument, NAME + 1))
            self._collect(argument, _IN_NAME)
        else:
            raise Refused(FORMAT, "an envelope has its signature, its manifest and payloads, in this order")

    def _on_wrapper(self, kind, argument):
        if kind != STRING or argument > WRAPPER:
            raise Refused(FORMAT, "an authentication wrapper is a string of at most %d bytes" % WRAPPER)
        self._collect(argument, _IN_WRAPPER)

    def _on_manifest(self, kind, argument):
        if kind != STRING or argument > MANIFEST:
            raise Refused(SIZE, "a manifest is a string of at most %d bytes" % MANIFEST)
        self._manifest_hash = hashlib.sha256(self._head[: head_size(self._head[0])])
        self._collect(argument, _IN_MANIFEST)

    def _on_payload(self, kind, argument):
        component = self._component
        if kind != STRING or argument != component.size:
            raise Refused(SIZE, "%s has %d bytes, %d were signed" % (component.name, argument, component.size))
        self._payload = Payload(component, self._sink)
        self._state = _IN_PAYLOAD
        if not argument:
            self._end_payload()

    # ---- what is done with each string

    def _collect(self, size, state):
        if not size:
            raise Refused(FORMAT, "a string without bytes")
        self._buffer = memoryview(bytearray(size))
        self._got = 0
        self._state = state

    async def _wrapper_whole(self):
        self._digest = bytes(await authenticate(self._buffer, self._keys))
        self._next()

    def _manifest_whole(self):
        data = self._buffer
        self._manifest_hash.update(data)
        if self._manifest_hash.digest() != self._digest:
            raise Refused(DIGEST, "the manifest is not what was signed")
        manifest = Manifest(data)
        inventories.check(manifest, self._inventory, self._sequence_number)
        integrated = 0
        for component in manifest.order:
            if component.integrated:
                integrated += 1
        if integrated != self._entries - 1:
            raise Refused(FORMAT, "%d payloads in the package, %d are signed" % (self._entries - 1, integrated))
        self.manifest = manifest
        self._next()

    def _name_whole(self):
        key = bytes(self._buffer)
        # the order of the encoded keys: their length comes first
        if (len(key), key) <= (len(self._last_key), self._last_key):
            raise Refused(FORMAT, "payloads come twice or not in the order of their names")
        self._last_key = key
        for component in self.manifest.order:
            if component.integrated and component.uri.encode() == key:
                self._component = component
                self._state = _AT_PAYLOAD
                return
        raise Refused(FORMAT, "a payload that is not signed")

    def _end_payload(self):
        self._payload.finish()
        self._payload = None
        self._next()

    def _next(self):
        """An entry of the envelope is done."""
        self._entries -= 1
        self._state = _AT_KEY if self._entries else _AT_END
