"""A CALL of the backend that is larger than the memory: its long list goes item by item to where it is kept.

    call = StreamedCall(stream)         `stream(action)` gives what opens a sink for the list
    await call.take(piece, last)        the receiver, for each piece; comes back when the sink has taken its items
    frame = await call.frame()          the server, in the CALL's turn: waits until all of it is there
    call.judge(…), call.finish(…)       the dispatcher, instead of a handler
    call.abort()                        the connection is gone, or the CALL was answered without `finish`

A sink, made for each CALL, is told:

    await sink.element(item)            an item that keeps to its shape; may raise CallError
    await sink.finish(payload)          all is well, here is the rest of the payload; gives the answer's; may raise
    sink.abort()                        instead: forget the items

It is told of one thing at a time, of `finish` in the CALL's turn, and after `finish` or `abort` of nothing more. A
sink may be opened while one that was opened before has not finished. Its `element` works in slices of at most 20 ms:
the receiver waits for it, so the backend waits, too.

What was wrong is told to the backend when its message is at its end: of all faults it is the one that a message kept
whole would have earned.
"""

import asyncio

from station.ocpp import framer, json_stream, messages, schema
from station.ocpp.json_head import action_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Protocol

    class Sink(Protocol):
        async def element(self, item: dict) -> None: ...
        async def finish(self, payload: dict) -> dict: ...
        def abort(self) -> None: ...


class StreamedCall:
    """Nothing but CancelledError is raised by what the receiver calls: failures of the sink are the answer's."""

    def __init__(self, stream: "Callable[[str], Callable[[], Sink]]"):
        self._stream = stream
        self._parser: "json_stream.JsonStream | None" = None  # while pieces come
        self._list = ""  # the name of the long list
        self._shape: "schema.Shape" = ()  # of its items
        self._count = 0  # items that were right
        self._sink: "Sink | None" = None  # until it has been told its end
        self._violation: "schema.Violation | None" = None  # of the first item that is wrong
        self._failure: "Exception | None" = None  # of the sink
        self._busy = False  # the sink is being told
        self._aborted = False
        self._frame: "tuple[Any, ...] | framer.FrameError | None" = None
        self._whole = asyncio.Event()

    def __len__(self) -> int:
        """Bytes that it takes while it waits for its turn, at most."""
        return json_stream.OUTLINE_LIMIT

    async def take(self, piece: "bytes | bytearray | memoryview", last: bool) -> "bytearray | None":
        """Gives the frame's text, its list empty, when all of it has come and it is a frame."""
        if self._aborted:
            return None
        if self._parser is None:
            self._open(action_of(piece))
        await self._feed(piece)
        return self._end() if last and not self._aborted else None

    async def frame(self) -> "tuple[Any, ...] | framer.FrameError | None":
        """`(2, id, action, payload)`, the long list empty, or what is wrong with it; None if it was aborted."""
        await self._whole.wait()
        return self._frame

    def judge(self, violation: "schema.Violation | None") -> "schema.Violation | None":
        """The first violation, given that of the frame's payload: the list stands last, only unknown names follow."""
        if self._violation is not None and (violation is None or violation.code == schema.FORMATION):
            return self._violation
        return violation

    async def finish(self, payload: dict) -> dict:
        """The payload of the answer. Raises what the sink raises, or has raised."""
        sink, self._sink = self._sink, None
        if self._failure is not None:
            raise self._failure
        payload.pop(self._list, None)
        return await sink.finish(payload)

    def abort(self) -> None:
        """Harmless if repeated, and after `finish`."""
        self._aborted = True
        self._parser = None
        self._whole.set()
        self._drop_sink()

    def _open(self, action: str) -> None:
        self._list = messages.long_list(action)
        fields = messages.request(action)[2]
        self._shape = fields[fields.index(self._list) + 1][2]
        self._parser = json_stream.JsonStream(self._list)
        try:
            self._sink = self._stream(action)()
        except Exception as error:
            self._failure = error

    async def _feed(self, piece: "bytes | bytearray | memoryview") -> None:
        parser = self._parser
        done = False
        try:
            for item in parser.feed(piece):
                if self._violation is None and not self._aborted:
                    await self._give(item)
            done = True
        finally:
            if not done:  # cancelled, for the connection is gone
                self.abort()
        if parser.fault is not None:
            self._drop_sink()

    async def _give(self, item: "Any") -> None:
        violation = schema.check_item(self._shape, item)
        if violation is not None:
            self._violation = violation.within("[%d]" % self._count).within(self._list)
            self._drop_sink()
            return
        self._count += 1
        if self._sink is None:
            return
        self._busy = True
        try:
            await self._sink.element(item)
        except Exception as error:
            self._failure = error
        finally:
            self._busy = False
            if self._failure is not None or self._aborted:
                self._drop_sink()

    def _end(self) -> "bytearray | None":
        parser = self._parser
        self._parser = None
        self._whole.set()
        try:
            self._frame = parser.end()
            return parser.outline
        except framer.FrameError as error:
            self._frame = error
            return None

    def _drop_sink(self) -> None:
        """Tells the sink to forget, unless it is at work: then `_give` does when it is back."""
        if self._sink is not None and not self._busy:
            sink, self._sink = self._sink, None
            sink.abort()
