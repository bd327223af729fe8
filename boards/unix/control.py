"""The control port: one JSON object a line, both ways, over TCP on loopback; README.md beside this file is its manual.

Each line is answered before the next is read, and nothing of it waits for the firmware. What cannot be understood gets
an answer with "ok": false. A client that does not take its lines is dropped, so that it holds up nobody.
"""

import asyncio
import json
import os
import sys

from commands import Commands
from micropython import const
from watch import Watch

MAX_CLIENTS = const(16)
MAX_LINE = const(65536)  # bytes
MAX_PENDING = const(65536)  # bytes that a client has not taken
MAX_TEXT = const(16384)  # characters of an event's text

_HOST = "127.0.0.1"
# below the ports that systems give to outgoing connections
_FIRST_PORT = const(20000)
_LAST_PORT = const(32000)
_TRIES = const(50)


class Control:
    """`app`: `snapshot() -> dict`, `watch(callback(event: dict))`, `network(up: bool)`, none of which may wait."""

    def __init__(self, world, app) -> None:
        self._app = app
        self._world = world
        self._commands = Commands(world, app)
        self._clients = []
        self._subscribed = False
        self._watch = Watch(world, self.emit)
        self._looking = None

    async def listen(self, port: int, host: str = _HOST) -> int:
        """Accept clients at this port, or for 0 at any free one; returns the port. Raises OSError if it is taken."""
        if port:
            await asyncio.start_server(self._serve, host, port)
            return port
        for _ in range(_TRIES):
            port = _FIRST_PORT + int.from_bytes(os.urandom(4), "big") % (_LAST_PORT - _FIRST_PORT)
            try:
                await asyncio.start_server(self._serve, host, port)
                return port
            except OSError:  # taken
                continue
        raise OSError("no free port from %d to %d" % (_FIRST_PORT, _LAST_PORT))

    def start(self) -> None:
        """Look after the world from now on."""
        self._looking = asyncio.create_task(self._watch.run())

    def stop(self) -> None:
        """Look no more."""
        self._looking.cancel()

    def emit(self, event: dict) -> None:
        """Send an event to all that watch, with the moment: `at_ms` since the process began. A long text is cut."""
        event["at_ms"] = self._world.now()
        if len(event.get("text", "")) > MAX_TEXT:
            event["cut"] = len(event["text"])
            event["text"] = event["text"][:MAX_TEXT]
        line = None
        for client in tuple(self._clients):
            if client.watching:
                if line is None:
                    line = json.dumps(event).encode()
                client.send(line)

    async def _serve(self, reader, writer) -> None:
        client = Client(reader, writer, self._answer)
        try:
            if len(self._clients) >= MAX_CLIENTS:
                writer.write(b'{"id": null, "ok": false, "error": "more than %d clients"}\n' % MAX_CLIENTS)
                await writer.drain()
                return
            self._clients.append(client)
            await client.run()
        finally:
            if client in self._clients:
                self._clients.remove(client)
            self._watch.watched = any([other.watching for other in self._clients])
            await writer.wait_closed()

    def _answer(self, client: "Client", line: bytes) -> None:
        """Do what a line asks for and send the answer."""
        answer = {"id": None, "ok": False}
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("a line must be a JSON object")
            answer["id"] = request.pop("id", None)
            cmd = request.pop("cmd", None)
            answer.update(self._commands.run(cmd, request))
            answer["ok"] = True
        except ValueError as error:
            answer["error"] = str(error) or "not JSON"
        except Exception as error:  # the firmware's: the client learns of it, the log gets where
            sys.print_exception(error, sys.stderr)
            answer["error"] = "failed: %r" % error
        client.send(json.dumps(answer).encode())
        if answer["ok"] and cmd == "watch":
            client.watching = True
            self._watch.watched = True
            self._watch.look()  # what changes from here on is told
            if not self._subscribed:
                self._subscribed = True
                self._app.watch(self.emit)


class Client:
    """One connection: reads lines, keeps what is to be written."""

    def __init__(self, reader, writer, answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._pending = bytearray()
        self._wake = asyncio.Event()
        self._task = asyncio.current_task()
        self._open = True
        self.watching = False

    def send(self, line: bytes) -> None:
        """Queue a line; a client with more than MAX_PENDING bytes to take is dropped."""
        if not self._open:
            return
        if len(self._pending) + len(line) >= MAX_PENDING or not self._append(line):
            self._open = False
            self.watching = False
            print("control: a client that does not read is dropped", file=sys.stderr)
            if asyncio.current_task() is not self._task:
                self._task.cancel()
            return
        self._wake.set()

    def _append(self, line: bytes) -> bool:
        """False if the heap has no piece as large as this: the firmware must not miss what a client has not read."""
        try:
            self._pending.extend(line)
            self._pending.extend(b"\n")
        except MemoryError:
            return False
        return True

    async def run(self) -> None:
        """Until the client goes or is dropped."""
        writing = asyncio.create_task(self._write())
        try:
            await self._read()
        except (OSError, asyncio.CancelledError):
            pass  # gone, or dropped: either way there is nobody left to tell
        finally:
            self._open = False
            writing.cancel()

    async def _read(self) -> None:
        line = bytearray()
        while self._open:
            data = await self._reader.read(1024)
            if not data:
                return
            line.extend(data)
            while self._open:
                end = line.find(b"\n")
                if end < 0:
                    break
                text, line = bytes(line[:end]).strip(), line[end + 1 :]
                if text:
                    self._answer(self, text)
            if len(line) > MAX_LINE:
                self.send(b'{"id": null, "ok": false, "error": "line longer than %d bytes"}' % MAX_LINE)
                await self._writer.drain()
                return
            await asyncio.sleep_ms(0)  # a client that floods leaves the others their turn

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                data, self._pending = self._pending, bytearray()
                self._writer.write(data)
                await self._writer.drain()
        except OSError:
            self._open = False  # the reading side ends it
