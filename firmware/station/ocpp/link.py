"""One connection to one backend, kept alive.

    link = Link(settings, log, url=…, serve=…)
    await link.run()                               for ever: connect, serve, and again after a back-off
    payload = await link.call(action, payload)     see `calls.py` for its four endings
    link.hold(), link.release()                    leave the backend, and stay away until released
    link.nudge()                                   do not wait for the end of a back-off
    await link.close()                             the same, waiting until the connection is gone: before a reset

`on_up()` and `on_down(reason)` are told of the connection; `connected` tells whether there is one. Our own CALLs
go out one at a time (`calls.py`), the backend's are served one at a time by a task of its own (`incoming.py`):
neither waits for the other.

A CALL that is larger than the memory is worked on as it comes (`streamed_call.py`). What comes behind it waits: an
answer to a call of ours is given MessageTimeout longer, a ping that the backend did not send between two fragments is
answered when its turn comes. That we do not read meanwhile is not taken for the backend's silence.

How soon a silent backend is noticed: with WebSocketPingInterval = I > 0 at most I + min(I, PONG_TIMEOUT_MS) after its
last byte. In any case MessageTimeout seconds after a call of ours, if not one byte came since:
HeartbeatInterval + MessageTimeout after its last byte, at most. One that takes no bytes:
`transport.WRITE_TIMEOUT_MS` after the last that it took. One that does not finish the opening: OPEN_TIMEOUT_MS.
"""

import asyncio
import os

from micropython import const

from station.ocpp import framer, websocket, websocket_frame
from station.ocpp.backoff import BackOff
from station.ocpp.calls import CallRefused, Calls, LinkError, NoAnswer, NotConnected
from station.ocpp.hearing import Hearing
from station.ocpp.incoming import Incoming
from station.transfer.transport import Transport, tls_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Awaitable, Callable

    from station.log import Log
    from station.ocpp.streamed_call import Sink
    from station.settings import Settings

__all__ = ("CallRefused", "Link", "LinkError", "NoAnswer", "NotConnected")

OPEN_TIMEOUT_MS = const(30_000)  # for TCP, TLS and the opening handshake together
CLOSE_TIMEOUT_MS = const(2_000)  # for the close frame to leave and the backend to end its side
READ_SIZE = const(2048)  # bytes taken from the socket at a time
MAX_KEPT = const(8192)  # bytes kept for a backend that does not read: beyond, nothing more is read from it


class Link:
    """`serve(frame)` is awaited for each CALL, the framer's tuple or FrameError, and gives the answer or None for none.
    `stream(action)` gives what opens a sink, where CALLs of the action come in pieces; `serve(frame, call)` then.

    `url` holds the encoded charge point id. `ca`: PEM or DER, demanded by a wss:// URL. `random(n)`: n bytes that
    no one can guess. `trace(direction, data)` is told of each frame, "in" or "out"; of one in pieces without its list.
    Raises ValueError for a URL or CA that is none.

    Settings read: RetryBackOffWaitMinimum, RetryBackOffRepeatTimes, RetryBackOffRandomRange, WebSocketPingInterval,
    MessageTimeout (s), WebSocketMaxMessageSize (bytes; acts from the next connection on).
    """

    def __init__(
        self,
        settings: "Settings",
        log: "Log",
        *,
        url: str,
        user: "str | None" = None,
        password: "bytes | None" = None,
        ca: "bytes | None" = None,
        serve: "Callable[..., Awaitable[bytes | None]]",
        stream: "Callable[[str], Callable[[], Sink] | None] | None" = None,
        random: "Callable[[int], bytes]" = os.urandom,
        trace: "Callable[[str, bytes | bytearray], None] | None" = None,
    ) -> None:
        tls, self._host, self._port, _ = websocket.parse_url(url)
        if tls and not ca:
            raise ValueError("a wss:// URL needs the CA certificate that the backend's is checked against")
        self._context: "ssl.SSLContext | None" = tls_context(ca) if tls and ca else None
        self._settings = settings
        self._log = log
        self._url = url
        self._user = user
        self._password = password
        self._random = random
        self._trace = trace
        self._calls = Calls(settings, log, random)
        self._calls.patient = self._may_come_late
        self._incoming = Incoming(log, serve, stream)
        self._hearing = Hearing()
        self._back_off = BackOff(settings, random)
        self.on_up: "Callable[[], None] | None" = None
        self.on_down: "Callable[[str], None] | None" = None
        self.connected = False
        self._held = False
        self._nudged = asyncio.Event()  # ends the wait between two connections
        self._buffer = bytearray(READ_SIZE)
        # of the present connection
        self._transport: "Transport | None" = None
        self._ws: "websocket.WebSocket | None" = None
        self._tasks: "list[asyncio.Task]" = []
        self._timer: "asyncio.Task | None" = (
            None  # the one deadline that is running: for the opening, for pings, for the close
        )
        self._ended = asyncio.Event()
        self._reason = ""
        self._parting = False
        self._failure: "Exception | None" = None  # an error that is ours: it ends `run()` too
        self._down = asyncio.Event()
        self._down.set()
        settings.on_change("WebSocketPingInterval", self._ping_interval_changed)

    # ---- what others ask of it

    @property
    def allow(self) -> "Callable[[str], bool] | None":
        """Asked with the action before a call of ours waits and again before it is sent; None allows all."""
        return self._calls.allow

    @allow.setter
    def allow(self, allow: "Callable[[str], bool] | None") -> None:
        self._calls.allow = allow

    async def call(self, action: str, payload: dict, unique_id: "str | None" = None) -> dict:
        """Sends one CALL in its turn, gives the payload of its answer. Raises CallRefused, NoAnswer, NotConnected."""
        try:
            return await self._calls.call(action, payload, unique_id)
        except NoAnswer as error:
            if self._hearing.silent:
                self._end("silent backend: %s, nor anything else" % error)
            raise

    def _may_come_late(self) -> bool:
        """Whether an answer that has not come in time could not come yet, and the backend is still heard."""
        if not self._incoming.in_the_middle or self._hearing.silent:
            return False
        self._hearing.mark()
        return True

    def hold(self) -> None:
        """Ends the connection (close code 1001) and stays offline until `release()`."""
        if self._held:
            return
        self._held = True
        self._nudged.set()
        if self.connected:
            self._leave()
        else:
            self._end("held")

    def release(self) -> None:
        """Connects again at once."""
        if self._held:
            self._held = False
            self._back_off.reset()
            self._nudged.set()

    def nudge(self) -> None:
        """The network is back: connects at once if it waits to."""
        if not self._held:
            self._back_off.reset()
            self._nudged.set()

    async def close(self) -> None:
        """`hold()`, and waits until the connection is gone, at most twice CLOSE_TIMEOUT_MS."""
        self.hold()
        await self._down.wait()

    async def run(self) -> None:
        """Keeps a connection for ever. Only an error of our own ends it: all is closed behind it, run it again."""
        self._failure = None
        server = asyncio.create_task(self._guard(self._incoming.run()))
        try:
            while self._failure is None:
                self._nudged.clear()
                if self._held:
                    await self._nudged.wait()
                    continue
                await self._connection()
                if not self._held and self._failure is None:
                    await self._stay_away()
        finally:
            server.cancel()
        raise self._failure

    async def _stay_away(self) -> None:
        wait = self._back_off.next_ms()
        self._log.info("link", "next attempt in %d ms", wait)
        try:
            await asyncio.wait_for_ms(self._nudged.wait(), wait)
        except asyncio.TimeoutError:
            pass

    # ---- one connection

    async def _connection(self) -> None:
        """One connection, from its first packet to its last, whatever ends it."""
        self._transport = Transport()
        self._ended.clear()
        self._down.clear()
        self._reason = ""
        self._parting = False
        try:
            self._start(self._receive())
            self._start_timer(self._limit(OPEN_TIMEOUT_MS, "the opening was not finished in time"))
            await self._ended.wait()
            self._log.info("link", "%s port %d: %s", self._host, self._port, self._reason)
            if self._parting:
                await self._part()
        finally:
            self._stop_tasks()  # before the socket goes that they may wait for
            self._transport.close()
            self._fall("the link was stopped")
            self._ws = None
            self._down.set()

    async def _guard(self, work: "Awaitable[None]") -> None:
        """The network's errors, and want of memory, end the connection; all others end `run()` as well."""
        try:
            await work
        except (OSError, MemoryError) as error:
            self._end(str(error))
        except Exception as error:
            self._failure = error
            self._nudged.set()
            self._end("failed: %r" % error)

    def _start(self, work: "Awaitable[None]") -> None:
        self._tasks.append(asyncio.create_task(self._guard(work)))

    def _start_timer(self, work: "Awaitable[None]") -> None:
        """Replaces the one timer of the connection."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.create_task(self._guard(work))

    def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def _limit(self, wait_ms: int, reason: str) -> None:
        await asyncio.sleep_ms(wait_ms)
        self._end(reason)

    def _end(self, reason: str, parting: bool = False) -> None:
        """The connection is over, the first reason counts. `parting`: close frames were exchanged, or one was sent."""
        if not self._ended.is_set():
            self._reason = reason
            self._parting = parting
            self._ended.set()
            self._fall(reason)

    def _fall(self, reason: str) -> None:
        """From here on there is no connection for the others."""
        if self.connected:
            self.connected = False
            self._incoming.down()
            self._calls.down(reason)
            if self.on_down:
                self.on_down(reason)

    def _leave(self) -> None:
        """Sends our close frame; the backend's ends the connection, or the time."""
        self._fall("held")
        self._ws.close(websocket_frame.GOING_AWAY)
        self._flush()
        self._start_timer(self._limit(CLOSE_TIMEOUT_MS, "held; the backend did not answer the close frame"))

    async def _part(self) -> None:
        """Closed at once, with bytes unread, TCP would reset and the backend might never see our close frame."""
        try:
            await asyncio.wait_for_ms(self._see_off(), CLOSE_TIMEOUT_MS)
        except (OSError, asyncio.TimeoutError):
            pass  # it is over either way

    async def _see_off(self) -> None:
        await self._transport.drained()
        while await self._transport.read_into(self._buffer):
            pass

    # ---- what comes in

    async def _receive(self) -> None:
        """Opens the connection, then reads to its end. Never waits for a handler, only for sinks."""
        limit = self._settings["WebSocketMaxMessageSize"]
        ws = self._ws = websocket.WebSocket(
            self._url,
            user=self._user,
            password=self._password,
            max_message=limit,
            in_pieces=self._incoming.in_pieces,
            random=self._random,
        )
        transport = self._transport
        await transport.open(self._host, self._port, self._context, OPEN_TIMEOUT_MS)
        self._start(transport.pump())
        transport.write(ws.request())
        view = memoryview(self._buffer)
        while True:
            count = await transport.read_into(self._buffer)
            self._hearing.heard()
            if count:
                ws.receive(view[:count])
            else:
                ws.eof()
            event = ws.event()
            while event:
                if event[0] == websocket.PIECE:
                    await self._take_piece(event[1], event[2])
                else:
                    self._take(event, limit)
                event = ws.event()
            self._flush()
            if ws.state == websocket.CLOSED:
                return
            if transport.kept > MAX_KEPT:
                await transport.drained()

    def _take(self, event: tuple, limit: int) -> None:
        kind = event[0]
        if kind == websocket.MESSAGE:
            if self.connected:
                self._take_message(event[1])
        elif kind == websocket.OPEN:
            self._open(limit)
        elif kind == websocket.REFUSED:
            self._end(event[2])
        elif kind == websocket.CLOSED:
            self._take_close(event[1], event[2])

    def _open(self, limit: int) -> None:
        self._log.info("link", "connected to %s", self._url)
        self.connected = True
        self._calls.up(self._send_call)
        self._incoming.up(self._send, self._transport.drained, limit)
        self._start_timer(self._keep_alive())
        if self.on_up:
            self.on_up()

    def _take_close(self, code: int, reason: str) -> None:
        if code == websocket_frame.ABNORMAL:
            self._end(reason)
        elif self._ws.failed:
            self._end("broke the protocol, closed with code %d: %s" % (code, reason), parting=True)
        else:
            self._end("closed by the backend, code %d %s" % (code, reason), parting=True)

    async def _take_piece(self, piece: "bytes | bytearray | memoryview", last: bool) -> None:
        if self.connected:
            self._hearing.busy()
            text = await self._incoming.take_piece(piece, last)
            self._hearing.heard()
            if text and self._trace:
                self._trace("in", text)

    def _take_message(self, text: "bytes | bytearray") -> None:
        """One frame of OCPP-J: an answer is taken at once, a CALL waits in its line, as text, for that is smaller."""
        if self._trace:
            self._trace("in", text)
        if text[:2] == b"[2":
            self._incoming.add(text)
            return
        try:
            frame = framer.parse(text)
        except framer.FrameError as error:
            self._take_no_frame(text, error)
            return
        if frame[0] == framer.CALL:
            self._incoming.add(text)
        elif self._calls.take(frame):
            self._back_off.reset()  # it does not only accept connections, it answers
        else:
            self._log.warning("link", "dropped an answer to nothing that was asked, id %r", frame[1])

    def _take_no_frame(self, text: "bytes | bytearray", error: framer.FrameError) -> None:
        if error.unique_id is not None:
            self._incoming.add(text)  # a CALL, to be answered in its turn
        elif error.reply_to is None or not self._calls.spoil(error.reply_to, error.description):
            self._log.warning("link", "dropped what is no frame: %s", error.description)

    # ---- what goes out

    def _send(self, text: bytes) -> None:
        """One frame. Never waits; a failure ends the connection, whoever waits for the answer learns it then."""
        if self._trace:
            self._trace("out", text)
        self._ws.send_text(text)
        self._flush()

    def _send_call(self, text: bytes) -> None:
        self._hearing.mark()
        self._send(text)

    def _flush(self) -> None:
        out = self._ws.output()
        if out:
            try:
                self._transport.write(out)
            except OSError as error:
                self._end(str(error))

    # ---- the silent backend

    async def _keep_alive(self) -> None:
        """Pings when nothing came for WebSocketPingInterval; no byte in the time for an answer ends the connection."""
        interval = self._settings["WebSocketPingInterval"] * 1000
        if interval:
            await self._hearing.until_silent(interval, self._ping)
            self._end("silent for %d s" % (self._hearing.quiet_ms // 1000))

    def _ping(self) -> None:
        if self.connected:
            self._ws.ping()
            self._flush()

    def _ping_interval_changed(self, _value: int) -> None:
        if self.connected:
            self._start_timer(self._keep_alive())
