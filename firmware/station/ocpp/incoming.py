"""The backend's CALLs: each is served and answered in its turn, in the order in which they came.

    incoming = Incoming(log, serve)
    incoming.up(send, drained, limit)   there is a connection: `send(data)` writes a frame, `drained()` awaits it
    incoming.add(text)                  a CALL came; never waits
    incoming.down()                     the connection is gone
    await incoming.run()                the server, a task of its own for as long as the link lives

So the receiver never waits for a handler, and a handler may make calls of our own. A handler that runs when the
connection is lost runs to its end: half an operation is worse than one whose answer nobody hears. Its answer is
dropped, and so are the CALLs that were not begun; their sender makes them again.
"""

import asyncio

from micropython import const

from station.ocpp import framer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable

    from station.log import Log

# Waiting CALLs: so many, and together at most `limit` bytes. One that is too many is answered at once by a CALLERROR.
MAX_WAITING = const(64)


class Incoming:
    """`serve(frame)` is awaited for each CALL, the framer's tuple or FrameError, and gives the answer or None."""

    def __init__(self, log: "Log", serve: "Callable[[tuple | framer.FrameError], Awaitable[bytes | None]]") -> None:
        self._log = log
        self._serve = serve
        self._send: "Callable[[bytes], None] | None" = None  # while there is a connection
        self._drained: "Callable[[], Awaitable[None]] | None" = None
        self._limit = 0
        self._waiting: "list[bytes | bytearray]" = []  # texts: a parsed CALL takes several times their room
        self._size = 0
        self._overrun = False  # so that the log tells of it once, not for each CALL
        self._arrived = asyncio.Event()

    def up(self, send: "Callable[[bytes], None]", drained: "Callable[[], Awaitable[None]]", limit: int) -> None:
        self._send = send
        self._drained = drained
        self._limit = limit

    def down(self) -> None:
        self._send = None
        self._waiting.clear()
        self._size = 0

    def add(self, text: "bytes | bytearray") -> None:
        size = self._size + len(text)
        waiting = len(self._waiting)
        if waiting and (waiting >= MAX_WAITING or size > self._limit):
            self._turn_away(text, waiting)
            return
        self._overrun = False
        self._waiting.append(text)
        self._size = size
        self._arrived.set()

    def _turn_away(self, text: "bytes | bytearray", waiting: int) -> None:
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
                text = self._waiting.pop(0)
                self._size -= len(text)
                await self._serve_one(text)
                await asyncio.sleep_ms(0)  # the others run between two of a burst

    async def _serve_one(self, text: "bytes | bytearray") -> None:
        send = self._send  # another one after the next `up()`
        frame = _parse(text)
        try:
            answer = await self._serve(frame)
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
