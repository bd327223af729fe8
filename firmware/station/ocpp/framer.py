"""The frames of OCPP-J 1.6 §4: `parse` reads one, `call`, `result` and `error` write one. Bytes in, bytes out.

What cannot be read raises FrameError, which says whom it concerns: `unique_id` is set if it was a CALL whose id can be
read, which always gets a CALLERROR; `reply_to` is set if it was to be the answer to our own CALL of that id.

Decisions where OCPP-J leaves room:

* JSON is that of RFC 8259, with the limits of `json_syntax`: no NaN, no trailing comma, bounded nesting and numbers.
  Of a key that comes twice the last value counts.
* A CALL has exactly four elements and an id of at most MAX_ID characters. A longer id is answered, under that id, by
  a FormationViolation; so is an id that is an integer, as text. Ids of other types are not readable.
* Text that is no JSON has a readable id if it begins as a CALL, up to the end of the id, within _HEAD bytes.
* Answers are judged by what we need of them: elements after the payload are ignored, description and details of a
  CALLERROR may be missing or of another type.
* A message type other than 2, 3, 4 is ignored (OCPP-J 1.6 §4.1.3): FrameError without any id.
"""

import json

from micropython import const

from station.ocpp import json_syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CALL = const(2)
RESULT = const(3)
ERROR = const(4)

MAX_ID = const(36)  # characters, OCPP-J 1.6 §4.1.4
MAX_DESCRIPTION = const(255)  # characters, OCPP-J 1.6 §4.2.3

_HEAD = const(1024)  # bytes of a text that is no JSON, searched for an id
_COMPACT = (",", ":")
_FORMATION = "FormationViolation"


class FrameError(Exception):
    """A message that is no frame. `code` and `description` are those of the CALLERROR."""

    def __init__(
        self,
        unique_id: "str | None",
        code: str,
        description: str,
        reply_to: "str | None" = None,
    ):
        super().__init__(description)
        self.unique_id = unique_id
        self.code = code
        self.description = description
        self.reply_to = reply_to


def parse(data: "bytes | bytearray") -> "tuple[Any, ...]":
    """(2, id, action, payload), (3, id, payload) or (4, id, code, description, details) of a whole message.

    `data` is UTF-8, as a WebSocket text message is. Raises FrameError, also where the heap does not hold the message.
    """
    try:
        frame = load(data)
    except FrameError as error:
        error.unique_id = find_id(data)
        raise
    if type(frame) is not list or len(frame) < 2:
        raise FrameError(None, _FORMATION, "no frame: not a list of at least 2 elements")
    kind = frame[0]
    if kind == CALL:
        return _call(frame)
    if kind in (RESULT, ERROR):
        return _answer(frame)
    raise FrameError(None, _FORMATION, "message type is none of 2, 3, 4")


def load(text: "Any") -> "Any":
    """The value that a text in UTF-8 is, JSON as `parse` takes it. Raises FrameError that knows no id."""
    fault = json_syntax.scan(text, len(text))
    if fault < 0:
        raise FrameError(None, _FORMATION, "no JSON from byte %d on" % (-1 - fault))
    try:
        return json.loads(json_syntax.join_surrogates(text) if fault else text)
    except ValueError:
        raise FrameError(None, _FORMATION, "no Unicode text")
    except MemoryError:
        raise FrameError(None, "InternalError", "too large for the memory that is left")


def _call(frame):
    unique_id = frame[1]
    if type(unique_id) is not str:
        known = str(unique_id) if type(unique_id) is int else None
        raise FrameError(known, _FORMATION, "the id of a CALL is a string")
    if len(unique_id) > MAX_ID:
        raise FrameError(unique_id, _FORMATION, "the id has more than %d characters" % MAX_ID)
    if len(frame) != 4:
        raise FrameError(unique_id, _FORMATION, "%d elements, a CALL has 4" % len(frame))
    if type(frame[2]) is not str:
        raise FrameError(unique_id, _FORMATION, "the action is a string")
    if type(frame[3]) is not dict:
        raise FrameError(unique_id, _FORMATION, "the payload is an object")
    return tuple(frame)


def _answer(frame):
    unique_id = frame[1]
    if type(unique_id) is not str:
        raise FrameError(None, _FORMATION, "the id of an answer is a string")
    size = len(frame)
    if frame[0] == RESULT:
        if size < 3 or type(frame[2]) is not dict:
            raise FrameError(None, _FORMATION, "the payload of a CALLRESULT is an object", unique_id)
        return (RESULT, unique_id, frame[2])
    if size < 3 or type(frame[2]) is not str:
        raise FrameError(None, _FORMATION, "the errorCode of a CALLERROR is a string", unique_id)
    description = frame[3] if size > 3 and type(frame[3]) is str else ""
    details = frame[4] if size > 4 and type(frame[4]) is dict else {}
    return (ERROR, unique_id, frame[2], description, details)


def find_id(data: "bytes | bytearray | memoryview") -> "str | None":
    """The id of a CALL out of text that is no JSON; None if it cannot be read."""
    head = bytes(data[:_HEAD])
    start = head.find(b'"')
    if start < 0 or b"".join(head[:start].split()) != b"[2,":
        return None
    end = string_end(head, start)
    try:
        return load(head[start : end + 1])
    except FrameError:
        return None


def string_end(data: bytes, start: int) -> int:
    """Where the string that opens at `start` has its closing quotation mark; -1 if that has not come yet."""
    end = data.find(b'"', start + 1)
    while end > 0 and is_escaped(data, end):
        end = data.find(b'"', end + 1)
    return end


def is_escaped(data: bytes, position: int) -> bool:
    """True if the byte follows an odd number of backslashes."""
    count = 0
    while data[position - count - 1] == 0x5C:
        count += 1
    return count & 1 == 1


def call(unique_id: str, action: str, payload: dict) -> bytes:
    return json.dumps([CALL, unique_id, action, payload], separators=_COMPACT).encode()


def result(unique_id: str, payload: dict) -> bytes:
    return json.dumps([RESULT, unique_id, payload], separators=_COMPACT).encode()


def error(unique_id: str, code: str, description: str = "", details: "dict | None" = None) -> bytes:
    """A CALLERROR; the description is cut at MAX_DESCRIPTION characters."""
    frame = [ERROR, unique_id, code, description[:MAX_DESCRIPTION], details or {}]
    return json.dumps(frame, separators=_COMPACT).encode()
