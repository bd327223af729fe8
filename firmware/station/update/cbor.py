"""CBOR (RFC 8949) that lies in a buffer, taken item by item in the order in which it is written. Sans-I/O.

    reader = Reader(buffer)
    for key in reader.map_keys(): …    # reader.uint(), .integer(), .string(), .text(), .null(), .tag(), .array()
    reader.finish()

The caller says what must come; anything else is a CborError that names the offset. Only deterministic encoding is
taken (§4.2.1): the shortest form of each number and length, no indefinite length, map keys in the order of their
bytes, none twice. Floats, simple values other than false, true and null, and texts beyond ASCII have no place in what
is read here and are refused.

Nothing is copied: strings are memoryviews of the buffer. What is bounded: a nested item by the depth of `skip`, each
length by the buffer. For CBOR that arrives in pieces, `head_size` and `head` read the head of an item by itself.
"""

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

UINT = const(0)  # major types, §3.1
NEGATIVE = const(1)
STRING = const(2)
TEXT = const(3)
ARRAY = const(4)
MAP = const(5)
TAG = const(6)
SIMPLE = const(7)

DEPTH = const(16)  # of items in items that `skip` follows
HEAD = const(9)  # bytes of the longest head

_FALSE = const(0xF4)
_NULL = const(0xF6)
_NAMES = (
    "an unsigned integer",
    "a negative integer",
    "a byte string",
    "a text",
    "an array",
    "a map",
    "a tag",
    "a simple",
)


class CborError(ValueError):
    """Not the CBOR that is taken here; the text names the offset."""


def head_size(initial: int) -> int:
    """Bytes of the head that begins with the byte `initial`. Raises CborError if no item begins so."""
    if initial >> 5 == SIMPLE:
        if not _FALSE <= initial <= _NULL:
            raise CborError("0x%02x is a float or simple value, allowed are false, true and null" % initial)
        return 1
    low = initial & 31
    if low < 24:
        return 1
    if low < 28:
        return 1 + (1 << low - 24)
    raise CborError("0x%02x has no definite length" % initial)


def head(data: "bytes | bytearray | memoryview", at: int = 0) -> "tuple[int, int]":
    """Major type and argument of the head at this offset, which must be there whole. Raises CborError."""
    initial = data[at]
    size = head_size(initial)
    if size == 1:
        return initial >> 5, initial & 31
    argument = 0
    for i in range(at + 1, at + size):
        argument = argument << 8 | data[i]
    least = 24 if size == 2 else 1 << 8 * (size >> 1)
    if argument < least:
        raise CborError("%d is not in its shortest form" % argument)
    return initial >> 5, argument


class Reader:
    """The items in `data`, one after the other. What `name` says is what errors call it."""

    def __init__(self, data: "bytes | bytearray | memoryview", name: str = "CBOR"):
        self._data = memoryview(data)
        self._size = len(data)
        self._name = name
        self.at = 0  # offset of the next item

    def error(self, text: str) -> CborError:
        """The error that says so about this place."""
        return CborError("%s, byte %d: %s" % (self._name, self.at, text))

    def peek(self) -> int:
        """Major type of the next item; -1 at the end."""
        return self._data[self.at] >> 5 if self.at < self._size else -1

    def finish(self) -> None:
        """Nothing may come any more."""
        if self.at < self._size:
            raise self.error("%d bytes more than expected" % (self._size - self.at))

    def uint(self) -> int:
        """An unsigned integer."""
        return self._expect(UINT)

    def integer(self) -> int:
        """An integer."""
        if self.peek() == NEGATIVE:
            return -1 - self._expect(NEGATIVE)
        return self._expect(UINT)

    def string(self, size: int = -1) -> memoryview:
        """A byte string, of `size` bytes if that is given."""
        return self._bytes(STRING, size)

    def text(self) -> str:
        """A text. Printable ASCII only: the texts that mean something here are URIs."""
        data = self._bytes(TEXT, -1)
        for byte in data:
            if not 0x20 <= byte <= 0x7E:
                raise self.error("0x%02x in a text, allowed is printable ASCII" % byte)
        return bytes(data).decode()

    def array(self) -> int:
        """The head of an array; how many items follow."""
        return self._counted(ARRAY, 1)

    def tag(self) -> int:
        """The head of a tag; its content follows."""
        return self._expect(TAG)

    def simple(self) -> "bool | None":
        """false, true or null."""
        return (False, True, None)[self._expect(SIMPLE) - 20]

    def null(self) -> None:
        """null."""
        if self._expect(SIMPLE) != _NULL & 31:
            raise self.error("null is expected")

    def map_starts(self) -> "Iterator[int]":
        """The head of a map, then the offset of each key; the caller takes key and value before the next."""
        last = b""
        for _ in range(self._counted(MAP, 2)):
            start = self.at
            self.skip()
            key = bytes(self._data[start : self.at])
            if key <= last:
                self.at = start
                raise self.error("a key comes twice" if key == last else "keys are not in order")
            last = key
            self.at = start
            yield start

    def map_keys(self) -> "Iterator[int]":
        """The head of a map, then its keys, all of them integers; the caller takes each value before the next."""
        for _ in self.map_starts():
            yield self.integer()

    def nested(self, name: str) -> "Reader":
        """A reader of the CBOR that a byte string holds."""
        return Reader(self.string(), name)

    def skip(self, depth: int = DEPTH) -> None:
        """Any item, whole, with what it holds."""
        if not depth:
            raise self.error("nested deeper than %d" % DEPTH)
        kind = self.peek()
        if kind == STRING:
            self.string()
        elif kind == TEXT:
            self.text()
        elif kind == ARRAY:
            for _ in range(self.array()):
                self.skip(depth - 1)
        elif kind == MAP:
            last = b""
            for _ in range(self._counted(MAP, 2)):
                start = self.at
                self.skip(depth - 1)
                key = bytes(self._data[start : self.at])
                if key <= last:
                    raise self.error("keys are not in order, or one comes twice")
                last = key
                self.skip(depth - 1)
        elif kind == TAG:
            self.tag()
            self.skip(depth - 1)
        else:
            self._head()

    def _head(self):
        at = self.at
        if at >= self._size:
            raise self.error("it ends where an item is expected")
        try:
            size = head_size(self._data[at])
            if at + size > self._size:
                raise CborError("it ends within the head of an item")
            found = head(self._data, at)
        except CborError as error:
            raise self.error(str(error))
        self.at = at + size
        return found

    def _expect(self, kind):
        start = self.at
        major, argument = self._head()
        if major != kind:
            self.at = start
            raise self.error("%s is expected, not %s" % (_NAMES[kind], _NAMES[major]))
        return argument

    def _counted(self, kind, least):
        """A number of items, each of so many bytes at least: one that cannot be there is refused at once."""
        count = self._expect(kind)
        if count * least > self._size - self.at:
            raise self.error("%d items in %d bytes" % (count, self._size - self.at))
        return count

    def _bytes(self, kind, size):
        start = self.at
        length = self._expect(kind)
        at = self.at
        if length > self._size - at:
            raise self.error("%d bytes where %d are left" % (length, self._size - at))
        if size not in (-1, length):
            self.at = start
            raise self.error("%d bytes where %d are expected" % (length, size))
        self.at = at + length
        return self._data[at : self.at]
