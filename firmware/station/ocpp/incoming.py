"""The backend's CALLs: each is served and answered in its turn, in the order in which they came.

    incoming = Incoming(log, serve)
    incoming.up(send, drained, limit)   there is a connection: `send(data)` writes a frame, `drained()` awaits it
    incoming.add(text)                  a CALL came; never waits
    incoming.in_pieces(head)            does the CALL that begins so come in pieces? None: it takes more to tell
    await incoming.take_piece(piece, last)    one came; waits until it is worked off
    incoming.down()                     the connection is gone
    await incoming.run()                the server, a task of its own for as long as the link lives

So the receiver never waits for a handler, and a handler may make calls of our own. A handler that runs when the
connection is lost runs to its end: half an operation is worse than one whose answer nobody hears. Its answer is
dropped, and so are the CALLs that were not begun; their sender makes them again.

What comes in pieces has its place in the line by its first one. The receiver waits for the sink of its items alone
(`streamed_call.py`).
"""

import asyncio

from micropython import const

from station.ocpp import framer
from station.ocpp.json_head import action_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from station.log import Log
    from station.ocpp.streamed_call import Sink, StreamedCall

# Waiting CALLs: so many, and together at most `limit` bytes. One that is too many is answered at once by a CALLERROR.
MAX_WAITING = const(64)


class Incoming:
    """`serve(frame)` is awaited for each CALL, the framer's tuple or FrameError, and gives the answer or None.

    `stream(action)` gives what opens a sink, where the action's CALLs come in pieces: `serve(frame, call)` then.
    """

    def __init__(
        self,
        log: "Log",
        serve: "Callable[..., Awaitable[bytes | None]]",
        stream: "Callable[[str], Callable[[], Sink] | None] | None" = None,
    ) -> None:
        self._log = log
        self._serve = serve
        self._stream = stream
        self._send: "Callable[[bytes], None] | None" = None  # while there is a connection
        self._drained: "Callable[[], Awaitable[None]] | None" = None
        self._limit = 0
        # texts, a parsed CALL takes several times their room, and CALLs that came in pieces
        self._waiting: "list[bytes | bytearray | StreamedCall]" = []
        self._size = 0
        self._coming: "StreamedCall | None" = None  # of which there are pieces to come
        self._overrun = False  # so that the log tells of it once, not for each CALL
        self._arrived = asyncio.Event()

    def up(self, send: "Callable[[bytes], None]", drained: "Callable[[], Awaitable[None]]", limit: int) -> None:
        self._send = send
        self._drained = drained
        self._limit = limit

    def down(self) -> None:
        self._send = None
        if self._coming is not None:
            self._coming.abort()
            self._coming = None
        for call in self._waiting:
            if not isinstance(call, (bytes, bytearray)):
                call.abort()
        self._waiting.clear()
        self._size = 0

    def add(self, text: "bytes | bytearray") -> None:
        if not self._line_up(text):
            self._turn_away(text)

    def in_pieces(self, head: "bytes | bytearray | memoryview") -> "bool | None":
        if self._stream is None:
            return False
        action = action_of(head)
        return None if action is None else self._stream(action) is not None

    @property
    def in_the_middle(self) -> bool:
        """There are pieces to come: nothing else can come before the last."""
        return self._coming is not None

    async def take_piece(self, piece: "bytes | bytearray | memoryview", last: bool) -> "bytearray | None":
        """Gives the frame, without its list, when it has come whole."""
        call = self._coming
        if call is None:
            from station.ocpp.streamed_call import StreamedCall  # takes its memory where such a CALL comes

            call = self._coming = StreamedCall(self._stream)
            if not self._line_up(call):
                call.abort()
                self._turn_away(bytes(piece))
        outline = await call.take(piece, last)
        if last and self._coming is call:
            self._coming = None
        return outline

    def _line_up(self, call: "bytes | bytearray | StreamedCall") -> bool:
        size = self._size + len(call)
        waiting = len(self._waiting)
        if waiting and (waiting >= MAX_WAITING or size > self._limit):
            return False
        self._overrun = False
        self._waiting.append(call)
        self._size = size
        self._arrived.set()
        return True

    def _turn_away(self, text: "bytes | bytearray") -> None:
        """`text`: the whole CALL, or as much of it as holds its id."""
        waiting = len(self._waiting)
        if not self._overrun:
            self._overrun = True
            self._log.warning("link", "CALLs are turned away, %d with %d bytes are waiting", waiting, self._size)
        unique_id = _id(_parse(text))
        if unique_id is not None:
            self._send(framer.error(unique_id, "GenericError", "%d CALLs are waiting already" % waiting))

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                call = self._waiting.pop(0)
                self._size -= len(call)
                if isinstance(call, (bytes, bytearray)):
                    await self._answer(_parse(call))
                else:
                    await self._serve_streamed(call)
                await asyncio.sleep_ms(0)  # the others run between two of a burst

    async def _serve_streamed(self, call: "StreamedCall") -> None:
        try:
            frame = await call.frame()
            if frame is not None:
                await self._answer(frame, call)
        finally:
            call.abort()  # where it has not come to its `finish`

    async def _answer(self, frame: "tuple | framer.FrameError", *call: "StreamedCall") -> None:
        send = self._send  # another one after the next `up()`
        try:
            answer = await self._serve(frame, *call)
        except Exception as error:
            self._log.exception("link", "a CALL could not be served", error)
            unique_id = _id(frame)
            answer = None
            if unique_id is not None:
                answer = framer.error(unique_id, "InternalError", "the request could not be carried out")
        if send is not self._send:
            self._log.warning("link", "an answer dropped, its connection is gone")
        elif answer is not None:
            send(answer)
            await self._drained()


def _parse(text: "bytes | bytearray") -> "tuple | framer.FrameError":
    try:
        return framer.parse(text)
    except framer.FrameError as error:
        return error


def _id(frame: "tuple | framer.FrameError") -> "str | None":
    return frame.unique_id if isinstance(frame, framer.FrameError) else frame[1]
