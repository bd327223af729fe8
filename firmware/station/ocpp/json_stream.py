"""A CALL whose payload has one list that is longer than the memory, taken apart while its bytes arrive. Sans-I/O.

    stream = JsonStream(name)           `name`: the property that is the long list
    for item in stream.feed(piece): …   for each piece of the text, cut anywhere; always to the end of the loop
    frame = stream.end()                (2, id, action, payload) as `framer.parse` gives it, the long list empty

An item is given as soon as it is whole, parsed. What is left of the text when the items are taken out of the list is
its outline: the framer judges it at the end, so that properties may stand in any order and every fault of a frame is
the same fault here. Of items only the JSON is judged here; whether they are what the action wants, `schema` tells.

A fault shows in `fault` when its byte comes; what follows is drained, and `end()` raises it. Then the items that were
given count for nothing: they were part of no message.

What is bounded: an item, its blanks included, to ITEM_LIMIT bytes and the nesting of `json_syntax` by itself; the
outline to OUTLINE_LIMIT bytes. The number of items is not. More, or the long list twice, is a FormationViolation.

Memory: the outline, and the item that a cut between two pieces has cut in two.
"""
# ruff: noqa: PLR1714 - viper compares integers, `in` would make it build objects

import sys

import micropython
from micropython import const

from station.ocpp import framer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator
    from typing import Any as ptr8  # viper knows the word by itself: anything with a buffer
elif sys.implementation.name != "micropython":
    ptr8 = bytes

ITEM_LIMIT = const(1024)  # a card with its parent takes 600 if each character is escaped
OUTLINE_LIMIT = const(1024)

_IN_LIST = const(3 << 2)  # state of `_find` right inside of the third bracket
_IN_PAYLOAD = const(2 << 2)
_BLANKS = b" \t\n\r"
_FORMATION = "FormationViolation"


class JsonStream:
    """One message; `name` is the property of its payload whose value, if it is a list, is given item by item."""

    def __init__(self, name: str):
        self.fault: "framer.FrameError | None" = None
        self._name = name
        self._state = 0  # of `_find`
        self._outline = bytearray()
        self._in_list = False
        self._count = 0  # items given
        self._seen = False  # the list has begun, and may have ended
        self._cut = bytearray()  # the beginning of an item whose end is in a piece to come

    @property
    def outline(self) -> bytearray:
        """The text without the items."""
        return self._outline

    def feed(self, piece: "bytes | bytearray | memoryview") -> "Iterator[Any]":
        """The items that end in this piece. It is looked at in place: it must stay as it is until the loop ends."""
        at = 0
        size = len(piece)
        while at < size and self.fault is None:
            stop = _find(piece, at, size, self._state)
            if stop < 0:
                self._state = -1 - stop
                self._keep(piece[at:])
                return
            mark = piece[stop - 1]
            self._state = _IN_PAYLOAD if mark == 0x5D or mark == 0x7D else _IN_LIST  # ] }
            if not self._in_list:
                self._keep(piece[at:stop])
                if mark == 0x5B:  # [
                    self._enter()
            else:
                text = self._item(piece[at : stop - 1])
                if mark == 0x2C or self._count or text.strip(_BLANKS):  # a list without items is one, too
                    item = self._load(text)
                    if self.fault is not None:
                        return
                    self._count += 1
                    yield item
                if mark != 0x2C:
                    self._outline.append(mark)
                    self._in_list = False
            at = stop

    def end(self) -> "tuple[Any, ...]":
        """The frame, where no piece is to come; the long list, if there was one, is empty. Raises FrameError."""
        if self.fault is not None:
            raise self.fault
        return framer.parse(self._outline)

    def _keep(self, text):
        """Keeps what belongs to the outline, or to an item that is not whole."""
        kept, limit = (self._cut, ITEM_LIMIT) if self._in_list else (self._outline, OUTLINE_LIMIT)
        if len(kept) + len(text) <= limit:
            kept.extend(text)
        else:
            self._fail("more than %d bytes%s" % (limit, "" if self._in_list else " without " + self._name))

    def _item(self, rest):
        """The text of the item whose last bytes are `rest`."""
        if not self._cut and len(rest) <= ITEM_LIMIT:
            return bytes(rest)
        self._keep(rest)
        text = bytes(self._cut)
        self._cut = bytearray()
        return text

    def _load(self, text):
        if self.fault is None:
            try:
                return framer.load(text)
            except framer.FrameError as error:
                self._fail(error.description, error.code)
        return None

    def _enter(self):
        """A list begins in the payload: is it the long one?"""
        if self._last_key() == self._name:
            if self._seen:
                self._fail("%s comes twice" % self._name)
            self._seen = self._in_list = True

    def _last_key(self):
        """The key of the value whose first bracket the outline ends with; "" if there is none."""
        text = bytes(self._outline[:-1]).rstrip()
        if text[-1:] != b":":
            return ""
        text = text[:-1].rstrip()
        end = len(text) - 1
        start = text.rfind(b'"', 0, max(end, 0))
        while start > 0 and framer.is_escaped(text, start):
            start = text.rfind(b'"', 0, start)
        try:
            return framer.load(text[start:]) if start > 0 else ""
        except framer.FrameError:
            return ""

    def _fail(self, description, code=_FORMATION):
        place = "%s[%d]" % (self._name, self._count) if self._in_list else "payload"
        self.fault = framer.FrameError(framer.find_id(self._outline), code, place + ": " + description)
        self._cut = bytearray()


@micropython.viper
def _find(text: ptr8, start: int, end: int, state: int) -> int:
    """Looks for the next byte that opens, separates or closes at the third level of brackets: inside the payload.

    The offset behind it; -1 - state if there is none before `end`. `state`: the depth and, in its two lowest bits,
    whether a backslash has just come and whether this is inside a string; 0 at the beginning. Behind a byte that was
    found, it is _IN_PAYLOAD for one that closes, else _IN_LIST.
    """
    depth = state >> 2
    in_string = state & 1
    i = start
    if state & 2:
        i += 1
    while i < end:
        c = int(text[i])
        i += 1
        if in_string:
            if c == 0x22:  # "
                in_string = 0
            elif c == 0x5C:  # backslash
                if i >= end:
                    return -1 - (depth << 2 | 3)
                i += 1
        elif c == 0x22:
            in_string = 1
        elif c == 0x2C:  # ,
            if depth == 3:
                return i
        elif c | 0x20 == 0x7B:  # [ {
            depth += 1
            if depth == 3:
                return i
        elif c | 0x20 == 0x7D and depth > 0:  # ] }
            depth -= 1
            if depth == 2:
                return i
    return -1 - (depth << 2 | in_string)
