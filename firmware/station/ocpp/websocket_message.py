"""Text messages, one after the other, from the pieces that frames bring: `begin`, `take` and `piece`, `end`.

`WebSocket` tells of each frame and hands over each piece as it comes. A message is kept until it is whole; one that
`in_pieces(head)` asks for is not: its pieces go on as they come. `head` is what has come of a message so far; the
answer is True, False, or None to be asked again when there is more.

Memory: the message and, while another fragment makes it grow, its copy; both at most `limit` bytes. Of a message in
pieces only the head, until it is known for one.
"""

from station.ocpp import utf8
from station.ocpp.websocket_frame import INVALID_DATA, TOO_BIG, RemoteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    Piece = bytes | bytearray | memoryview


class Message:
    def __init__(self, limit: int, in_pieces: "Callable[[Piece], bool | None] | None" = None):
        """`limit`: bytes that a message may have that is kept."""
        self._limit = limit
        self._ask = in_pieces
        self.drop()

    def drop(self) -> None:
        """Forgets what has come of a message."""
        self._in_pieces: "bool | None" = None if self._ask else False  # None: not known yet
        self._piece: "Piece | None" = None  # to be handed on
        self._buffer = bytearray()
        self._size = 0  # bytes kept
        self._utf8 = utf8.WHOLE

    def begin(self, size: int) -> None:
        """A frame of the message, with `size` bytes of payload, begins. Nothing has been kept for it yet."""
        if self._in_pieces is False:
            self._check(size)

    def take(self, piece: memoryview, left: int, last: bool) -> None:
        """Takes the next piece; `left` bytes follow in the same frame, `last`: that frame is the message's last.

        `piece` is the caller's again when what `piece()` gives has been used.
        """
        size = len(piece)
        self._utf8 = utf8.check(piece, 0, size, self._utf8)
        if self._utf8 == utf8.BAD:  # §8.1: no need to wait for the rest
            raise RemoteError(INVALID_DATA, "text that is not UTF-8")
        if self._in_pieces is None:
            self._choose(piece, left)
        if self._in_pieces:
            self._piece = piece if not self._size else self._head(piece)
            self._size = 0
        else:
            self._keep(piece, left if self._in_pieces is False else 0, last)

    def piece(self) -> "Piece | None":
        """What is to be handed on of a message in pieces; None: nothing now."""
        piece = self._piece
        self._piece = None
        return piece

    def end(self) -> "bytearray | None":
        """The message is at its end: gives it away, if it was kept, and is ready for the next one."""
        if self._utf8 != utf8.WHOLE:
            raise RemoteError(INVALID_DATA, "text that ends inside a character")
        message, size = self._buffer, self._size
        in_pieces = self._in_pieces
        self.drop()
        if in_pieces:
            return None
        if len(message) > size:
            message[size:] = b""
        return message

    def _choose(self, piece: memoryview, left: int) -> None:
        self._in_pieces = self._ask(self._head(piece) if self._size else piece)
        if not self._in_pieces:
            self._check(len(piece) if self._in_pieces is None else len(piece) + left)

    def _head(self, piece: memoryview) -> bytearray:
        """What was kept, and `piece`."""
        return self._buffer[: self._size] + piece

    def _check(self, more: int) -> None:
        if more > self._limit - self._size:
            raise RemoteError(TOO_BIG, "message of more than %d bytes" % self._limit)

    def _keep(self, piece: memoryview, left: int, last: bool) -> None:
        """Keeps `piece`, and makes room for the `left` bytes behind it."""
        size = len(piece)
        try:
            if last and not left and not self._size:
                self._buffer = bytearray(piece)  # the usual message: all of it in one read
            else:
                self._make_room(self._size + size + left)
                self._buffer[self._size : self._size + size] = piece
        except MemoryError:
            raise RemoteError(TOO_BIG, "no memory for a message of %d bytes" % (self._size + size + left))
        self._size += size

    def _make_room(self, size: int) -> None:
        """Makes the buffer hold `size` bytes, or twice what it held: tiny fragments must not each cost a copy."""
        old = self._buffer
        if len(old) < size:
            self._buffer = bytearray(max(size, min(2 * len(old), self._limit)))
            self._buffer[: self._size] = memoryview(old)[: self._size]
