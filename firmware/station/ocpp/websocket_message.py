"""Text messages, one after the other, put together from the pieces that frames bring: `begin`, `take`, `end`.

`WebSocket` tells of each frame and hands over each piece as it comes. What wants the pieces of a long message, and
not the whole of it, is another class with these four methods.

Memory: the message and, while another fragment makes it grow, its copy; both at most `limit` bytes.
"""

from station.ocpp import utf8
from station.ocpp.websocket_frame import INVALID_DATA, TOO_BIG, RemoteError


class Message:
    def __init__(self, limit: int):
        """`limit`: bytes that a message may have."""
        self._limit = limit
        self._buffer = bytearray()
        self._size = 0  # bytes that have come
        self._utf8 = utf8.WHOLE

    def begin(self, size: int) -> None:
        """A frame of the message, with `size` bytes of payload, begins. Nothing has been kept for it yet."""
        if size > self._limit - self._size:
            raise RemoteError(TOO_BIG, "message of more than %d bytes" % self._limit)

    def take(self, piece: memoryview, left: int, last: bool) -> None:
        """Takes the next piece; `left` bytes follow in the same frame, `last`: that frame is the message's last.

        `piece` is the caller's again afterwards.
        """
        size = len(piece)
        self._utf8 = utf8.check(piece, 0, size, self._utf8)
        if self._utf8 == utf8.BAD:  # §8.1: no need to wait for the rest
            raise RemoteError(INVALID_DATA, "text that is not UTF-8")
        try:
            if last and not left and not self._size:
                self._buffer = bytearray(piece)  # the usual message: all of it in one read
            else:
                self._make_room(self._size + size + left)
                self._buffer[self._size : self._size + size] = piece
        except MemoryError:
            raise RemoteError(TOO_BIG, "no memory for a message of %d bytes" % (self._size + size + left))
        self._size += size

    def end(self) -> bytearray:
        """The message is whole: gives it away and is ready for the next one."""
        if self._utf8 != utf8.WHOLE:
            raise RemoteError(INVALID_DATA, "text that ends inside a character")
        message, size = self._buffer, self._size
        self.drop()
        if len(message) > size:
            message[size:] = b""
        return message

    def drop(self) -> None:
        """Forgets what has come of a message."""
        self._buffer = bytearray()
        self._size = 0
        self._utf8 = utf8.WHOLE

    def _make_room(self, size: int) -> None:
        """Makes the buffer hold `size` bytes, or twice what it held: tiny fragments must not each cost a copy."""
        old = self._buffer
        if len(old) < size:
            self._buffer = bytearray(max(size, min(2 * len(old), self._limit)))
            self._buffer[: self._size] = memoryview(old)[: self._size]
