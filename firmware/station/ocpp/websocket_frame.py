"""One frame of RFC 6455 §5, as a client receives and makes it: its head, and the payload of a close frame.

Plain functions over bytes. What a server must not send raises `RemoteError` with the close code that it earns.
"""

from micropython import const

from station.ocpp import utf8

# Opcodes (§5.2)
CONTINUATION = const(0x0)
TEXT = const(0x1)
BINARY = const(0x2)
CLOSE = const(0x8)
PING = const(0x9)
PONG = const(0xA)
CONTROL = const(0x8)  # the bit that all control opcodes have, and only they
# Where an opcode may come (§5.4): True inside a fragmented message, False outside, None anywhere.
# Opcodes that are not here are reserved.
_PLACE = {
    CONTINUATION: True,
    TEXT: False,
    BINARY: False,
    CLOSE: None,
    PING: None,
    PONG: None,
}

FIN = const(0x80)
_RESERVED_BITS = const(0x70)
_MASKED = const(0x80)

HEAD_LIMIT = const(10)  # bytes of the longest head without a masking key
CONTROL_LIMIT = const(125)  # bytes of payload of a control frame (§5.5)
REASON_LIMIT = const(123)  # bytes of a close reason: the code takes two of those

# Close codes (§7.4.1)
NORMAL = const(1000)
GOING_AWAY = const(1001)
PROTOCOL_ERROR = const(1002)
UNSUPPORTED_DATA = const(1003)
NO_STATUS = const(1005)  # never on the wire: the close frame held no code
ABNORMAL = const(1006)  # never on the wire: there was no close frame
INVALID_DATA = const(1007)
TOO_BIG = const(1009)


class RemoteError(Exception):
    """The peer broke the protocol; `code` is what the close frame will say (§7.4.1)."""

    def __init__(self, code: int, text: str):
        super().__init__(code, text)
        self.code = code
        self.text = text


def judge_first(byte: int, in_message: bool) -> None:
    """Judges a head's first byte; `in_message`: a fragmented message has begun and not ended."""
    if byte & _RESERVED_BITS:  # no extension gives them a meaning
        raise RemoteError(PROTOCOL_ERROR, "frame with reserved bits: 0x%02x" % byte)
    opcode = byte & 0x0F
    if opcode not in _PLACE:
        raise RemoteError(PROTOCOL_ERROR, "frame with reserved opcode 0x%x" % opcode)
    if opcode & CONTROL and not byte & FIN:
        raise RemoteError(PROTOCOL_ERROR, "fragmented control frame")
    place = _PLACE[opcode]
    if place is not None and place != in_message:
        raise RemoteError(PROTOCOL_ERROR, "continuation of no message" if place else "message inside a message")
    if opcode == BINARY:  # OCPP-J is text
        raise RemoteError(UNSUPPORTED_DATA, "binary message")


def judge_second(first: int, byte: int) -> None:
    """Judges a head's second byte, after `first`."""
    if byte & _MASKED:  # §5.1
        raise RemoteError(PROTOCOL_ERROR, "masked frame from a server")
    if first & CONTROL and byte > CONTROL_LIMIT:
        raise RemoteError(PROTOCOL_ERROR, "control frame of more than %d bytes" % CONTROL_LIMIT)


def head_size(second: int) -> int:
    """Bytes of the head whose second byte is `second`, not masked."""
    return 4 if second == 126 else 10 if second == 127 else 2


def payload_size(head: "bytes | bytearray") -> int:
    """Bytes of payload that a whole head announces (§5.2)."""
    size = head[1]
    if size < 126:
        return size
    if size == 126:
        size = head[2] << 8 | head[3]
        least = 126
    else:
        if head[2] & 0x80:
            raise RemoteError(PROTOCOL_ERROR, "payload size with its top bit set")
        size = int.from_bytes(head[2:10], "big")
        least = 0x10000
    if size < least:
        raise RemoteError(PROTOCOL_ERROR, "payload size %d not written the shortest way" % size)
    return size


def make_head(first: int, size: int) -> bytes:
    """Head of a masked frame but for its key; `first`: FIN and opcode."""
    if size < 126:
        return bytes((first, _MASKED | size))
    if size < 0x10000:
        return bytes((first, _MASKED | 126, size >> 8, size & 0xFF))
    return bytes((first, _MASKED | 127)) + size.to_bytes(8, "big")


def may_be_sent(code: int) -> bool:
    """Whether a close frame may hold this code (§7.4). 1012 to 1014 came later, in IANA's registry."""
    if 1000 <= code <= 1014:
        return code not in (1004, NO_STATUS, ABNORMAL)
    return 3000 <= code <= 4999


def make_close(code: int, reason: bytes = b"") -> bytes:
    """Payload of a close frame; none for NO_STATUS."""
    return b"" if code == NO_STATUS else code.to_bytes(2, "big") + reason


def parse_close(payload: bytes) -> "tuple[int, str]":
    """`(code, reason)` of a close frame's payload (§5.5.1)."""
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise RemoteError(PROTOCOL_ERROR, "close frame of one byte")
    code = payload[0] << 8 | payload[1]
    if not may_be_sent(code):
        raise RemoteError(PROTOCOL_ERROR, "close frame with code %d" % code)
    reason = payload[2:]
    if utf8.check(reason, 0, len(reason), utf8.WHOLE) != utf8.WHOLE:
        raise RemoteError(INVALID_DATA, "close reason that is not UTF-8")
    return code, reason.decode()
