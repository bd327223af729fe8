"""RFC 6455, the client's side, sans-I/O: bytes in, events out.

    ws = WebSocket(url, user=…, password=…, max_message=65536, random=os.urandom)
    write(ws.request())              then, for each read from the socket:
    ws.receive(data)                 or `ws.eof()` where the socket ended
    while event := ws.event(): …     until None: `data` is looked at in place, not copied
    write(ws.output())               what there is to say: answers to pings and closes, and what was queued by
    ws.send_text(text), ws.ping(), ws.close()

Events: `(OPEN,)`, `(MESSAGE, bytearray)`, `(PIECE, bytes, last)`, `(PONG, payload)` and one last, `(REFUSED,
http_status, text)` or `(CLOSED, code, reason)`. A peer that breaks the protocol costs the connection: the close frame
is queued, CLOSED tells its code (§7.1.7). After the last event write `output()` and close the socket; what is received
later is ignored. Misuse by the caller is `LocalError`.

A message that `in_pieces` asks for (see `websocket_message`) comes as PIECEs, checked like any other. Each is for use
before the next `event()`, it may lie in `data`; who takes time for it holds the peer back.

Memory: one message of at most `max_message` bytes; nothing of one in pieces. The peer makes the output grow by one
pong and one close frame, no more, however often it pings.
"""

from micropython import const

from station.ocpp import utf8
from station.ocpp import websocket_frame as frame
from station.ocpp.handshake import Handshake, Refused, parse_url, quote
from station.ocpp.mask import mask
from station.ocpp.websocket_message import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.ocpp.websocket_message import Piece

__all__ = (
    "CLOSED",
    "CLOSING",
    "CONNECTING",
    "MESSAGE",
    "OPEN",
    "PIECE",
    "PONG",
    "REFUSED",
    "LocalError",
    "WebSocket",
    "parse_url",
    "quote",
)

# States; OPEN and CLOSED are the events that tell of them, too.
CONNECTING = const(0)
OPEN = const(1)
CLOSING = const(2)  # our close frame is queued, the peer's has not come
CLOSED = const(3)
# The other events.
MESSAGE = const(4)
PONG = const(5)
REFUSED = const(6)
PIECE = const(7)

# What can happen to the connection, and the state after it. None: it cannot, or must not, happen there.
_SEND = const(0)  # the caller sends a text or a ping
_ACCEPTED = const(1)  # the peer's half of the opening handshake is good
_CLOSE_SENT = const(2)  # the caller closes
_CLOSE_RECEIVED = const(3)
_BROKEN = const(4)  # the peer broke the protocol, or refused
_LOST = const(5)  # the socket ended
_NEXT = (
    # SEND, ACCEPTED, CLOSE_SENT, CLOSE_RECEIVED, BROKEN, LOST
    (None, OPEN, CLOSED, None, CLOSED, CLOSED),  # CONNECTING
    (OPEN, None, CLOSING, CLOSED, CLOSED, CLOSED),  # OPEN
    (None, None, CLOSING, CLOSED, CLOSED, CLOSED),  # CLOSING
    (None, None, CLOSED, None, None, CLOSED),  # CLOSED
)
_NOTHING = memoryview(b"")
_STATE_NAMES = ("CONNECTING", "OPEN", "CLOSING", "CLOSED")


class LocalError(Exception):
    """The caller asked for what the protocol or the state does not allow. Nothing was queued."""


class WebSocket:
    """One connection, from its opening handshake to its end.

    `state`: CONNECTING, OPEN, CLOSING (messages may still come) or CLOSED. `failed`: we ended it, for the peer
    broke the protocol; CLOSED's code and reason are ours then, else the peer's.
    """

    def __init__(
        self,
        url: str,
        *,
        subprotocol: str = "ocpp1.6",
        user: "str | None" = None,
        password: "bytes | None" = None,
        max_message: int,
        in_pieces: "Callable[[Piece], bool | None] | None" = None,
        random: "Callable[[int], bytes]",
    ):
        """`random(n)`: n bytes that no one can guess (§10.3). `max_message`: bytes. Raises ValueError."""
        self._handshake = Handshake(url, subprotocol, user, password, random)
        self._random = random
        self.state = CONNECTING
        self.failed = False
        # what was received and is not looked at yet: `_data[_at:_end]`
        self._data = _NOTHING
        self._at = 0
        self._end = 0
        self._socket_ended = False
        self._farewell: "tuple | None" = None  # the last event, where a call by the caller brought it about
        # what is to be sent
        self._out = bytearray()
        self._pong: "bytes | None" = None  # payload of the latest ping that is not answered
        # the frame that is being received
        self._head = bytearray(frame.HEAD_LIMIT)
        self._head_size = 0  # bytes of it that have come
        self._opcode = -1  # -1 while the head is not whole
        self._left = 0  # bytes of payload to come
        self._control = bytearray(frame.CONTROL_LIMIT)
        self._control_size = 0
        # the message that is being received, over all its frames
        self._message = Message(max_message, in_pieces)
        self._in_message = False
        self._last_frame = False

    # ---- sending

    def request(self) -> bytes:
        """The opening handshake, to be written first."""
        if self.state != CONNECTING:
            raise LocalError("request() while %s" % _STATE_NAMES[self.state])
        return self._handshake.request()

    def send_text(self, data: "bytes | bytearray | memoryview", fragment: int = 0) -> None:
        """Queues a message, UTF-8, in frames of at most `fragment` bytes of payload unless that is 0 (§5.4)."""
        self._go(_SEND)
        size = len(data)
        if utf8.check(data, 0, size, utf8.WHOLE) != utf8.WHOLE:
            raise LocalError("send_text(): the text is not UTF-8")
        if not fragment or size <= fragment:
            self._write(frame.FIN | frame.TEXT, data)
            return
        view = memoryview(data)
        opcode = frame.TEXT
        for start in range(0, size, fragment):
            fin = frame.FIN if start + fragment >= size else 0
            self._write(fin | opcode, view[start : start + fragment])
            opcode = frame.CONTINUATION

    def ping(self, payload: bytes = b"") -> None:
        """Queues a ping (§5.5.2); the event PONG brings its payload of at most 125 bytes back."""
        if len(payload) > frame.CONTROL_LIMIT:
            raise LocalError("ping(): a payload of %d bytes, allowed are %d" % (len(payload), frame.CONTROL_LIMIT))
        self._go(_SEND)
        self._write(frame.FIN | frame.PING, payload)

    def close(self, code: int = frame.NORMAL, reason: str = "") -> None:
        """Queues a close frame; the event CLOSED follows when the peer has answered it (§7.1.2).

        Before the handshake is done there is no one to tell: CLOSED follows at once. Once closing, changes nothing.
        """
        text = reason.encode()
        if not frame.may_be_sent(code):
            raise LocalError("close(): code %d must not be sent (§7.4)" % code)
        if len(text) > frame.REASON_LIMIT:
            raise LocalError("close(): a reason of %d bytes, allowed are %d" % (len(text), frame.REASON_LIMIT))
        before = self.state
        self._go(_CLOSE_SENT)
        if before == OPEN:
            self._write_close(frame.make_close(code, text))
        elif before == CONNECTING:
            self._farewell = (CLOSED, frame.ABNORMAL, "closed before the handshake was answered")

    def output(self) -> "bytes | bytearray":
        """Takes what is to be written to the socket, b"" if there is nothing."""
        self._write_pong()
        out = self._out
        if not out:
            return b""
        self._out = bytearray()
        return out

    def _write(self, first: int, payload: "bytes | bytearray | memoryview") -> None:
        """Appends a frame, masked with a new key (§5.3); `first`: FIN and opcode."""
        size = len(payload)
        key = self._random(4)
        out = self._out
        out.extend(frame.make_head(first, size) + key)
        start = len(out)
        out.extend(payload)
        mask(out, key, start, start + size)

    def _write_close(self, payload: bytes) -> None:
        self._write_pong()  # a pong may not follow it
        self._write(frame.FIN | frame.CLOSE, payload)

    def _write_pong(self) -> None:
        """Answers the latest ping, and thereby all before it (§5.5.3)."""
        if self._pong is not None:
            self._write(frame.FIN | frame.PONG, self._pong)
            self._pong = None

    # ---- receiving

    def receive(self, data: "bytes | bytearray | memoryview") -> None:
        """Gives what the socket brought. `data` must stay as it is until `event()` has returned None."""
        if self.state == CLOSED:
            return
        if self._at < self._end:
            raise LocalError("receive(): event() has not taken the last %d bytes yet" % (self._end - self._at))
        self._data = memoryview(data)
        self._at = 0
        self._end = len(data)

    def eof(self) -> None:
        """The socket has ended: the last event will follow those of the data received before."""
        self._socket_ended = True

    def event(self) -> "tuple | None":
        """The next event, None if that takes more data, or if the last one has been."""
        event = None
        try:
            while event is None and self._at < self._end and self.state != CLOSED:
                if self.state == CONNECTING:
                    event = self._receive_answer()
                elif self._opcode < 0:
                    event = self._receive_head()
                else:
                    event = self._receive_payload()
        except Refused as refused:
            self._go(_BROKEN)
            event = (REFUSED, refused.status, refused.text)
        except frame.RemoteError as error:
            event = self._fail(error.code, error.text)
        if event is None:
            event = self._take_farewell()
        if self.state == CLOSED:
            self._forget()
        return event

    def _receive_answer(self) -> "tuple | None":
        self._at, whole = self._handshake.feed(self._data, self._at, self._end)
        if not whole:
            return None
        self._go(_ACCEPTED)
        self._handshake = None
        return (OPEN,)

    def _receive_head(self) -> "tuple | None":
        """Gathers a frame's head; a bad byte is noticed when it comes, not when the head is whole."""
        head, size = self._head, self._head_size
        data, at, end = self._data, self._at, self._end
        whole = False
        while at < end and not whole:
            byte = head[size] = data[at]
            at += 1
            size += 1
            if size == 1:
                frame.judge_first(byte, self._in_message)
            else:
                if size == 2:
                    frame.judge_second(head[0], byte)
                whole = size == frame.head_size(head[1])
        self._at, self._head_size = at, size
        return self._begin_frame(head[0], frame.payload_size(head)) if whole else None

    def _begin_frame(self, first: int, size: int) -> "tuple | None":
        self._head_size = 0
        self._opcode = first & 0x0F
        self._left = size
        if self._opcode & frame.CONTROL:
            self._control_size = 0
        else:
            self._message.begin(size)
            self._in_message = True
            self._last_frame = first & frame.FIN != 0
        return self._receive_payload()  # there may be none to wait for

    def _receive_payload(self) -> "tuple | None":
        start = self._at
        size = min(self._left, self._end - start)
        if size:
            self._at = start + size
            self._left -= size
            piece = self._data[start : self._at]
            if self._opcode & frame.CONTROL:
                self._control[self._control_size : self._control_size + size] = piece
                self._control_size += size
            else:
                self._message.take(piece, self._left, self._last_frame)
        return self._take_piece() if self._left else self._end_frame()

    def _take_piece(self) -> "tuple | None":
        piece = self._message.piece()
        return None if piece is None else (PIECE, piece, False)

    def _end_frame(self) -> "tuple | None":
        opcode = self._opcode
        self._opcode = -1
        if opcode & frame.CONTROL:
            return self._end_control(opcode, bytes(self._control[: self._control_size]))
        if not self._last_frame:
            return self._take_piece()
        self._in_message = False
        piece = self._message.piece()
        message = self._message.end()
        return (PIECE, piece or b"", True) if message is None else (MESSAGE, message)

    def _end_control(self, opcode: int, payload: bytes) -> "tuple | None":
        if opcode == frame.PING:
            self._pong = payload
            return None
        if opcode == frame.PONG:
            return (PONG, payload)
        code, reason = frame.parse_close(payload)
        before = self.state
        self._go(_CLOSE_RECEIVED)
        if before == OPEN:
            self._write_close(frame.make_close(code))  # §5.5.1: the answer tells the same code
        return (CLOSED, code, reason)

    # ---- the end

    def _fail(self, code: int, text: str) -> tuple:
        """§7.1.7 Fail the WebSocket Connection."""
        if self.state == OPEN:
            self._write_close(frame.make_close(code, text.encode()))
        self.failed = True
        self._go(_BROKEN)
        return (CLOSED, code, text)

    def _take_farewell(self) -> "tuple | None":
        """The last event, if it is due and did not come from the peer."""
        event = self._farewell
        self._farewell = None
        if self._socket_ended and self.state != CLOSED:
            if self.state == CONNECTING:
                event = (REFUSED, 0, "the connection ended before the handshake was answered")
            else:
                event = (CLOSED, frame.ABNORMAL, "the connection was lost")
            self._go(_LOST)
        return event

    def _forget(self) -> None:
        """Lets go of all but the output; this object may outlive its connection."""
        self._data = _NOTHING
        self._at = self._end = 0
        self._handshake = None
        self._message.drop()

    def _go(self, what: int) -> None:
        after = _NEXT[self.state][what]
        if after is None:
            raise LocalError("sending while %s" % _STATE_NAMES[self.state])
        self.state = after
