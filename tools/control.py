"""The client of a station's control port: one JSON object a line, both ways.

`open` connects, `ask` sends a command and returns the answer with the same id, events go to a callback.
"""

import asyncio
import json

HOST = "127.0.0.1"
LINE_LIMIT = 1 << 20


class ControlError(Exception):
    """The station refused a command; the text says why."""


class Client:
    """One connection to a station's control port. `on_event` gets each row that is no answer."""

    def __init__(self, reader, writer, on_event):
        self._reader, self._writer, self._on_event = reader, writer, on_event
        self._asked = {}  # id -> future
        self._last = 0
        self.closed = False
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, port, on_event=None):
        reader, writer = await asyncio.open_connection(HOST, port, limit=LINE_LIMIT)
        return cls(reader, writer, on_event)

    def close(self):
        self._task.cancel()
        self._end()

    async def ask(self, cmd, arguments):
        """Sends a command; returns its answer; ControlError if refused, ConnectionError if lost."""
        if self.closed:
            raise ConnectionError("control connection is closed")
        self._last += 1
        answer = self._asked[self._last] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": self._last, "cmd": cmd, **arguments}, separators=(",", ":"))
        self._writer.write(line.encode() + b"\n")
        row = await answer
        row.pop("id")
        if not row.pop("ok"):
            raise ControlError(row.get("error", "refused"))
        return row

    async def _read(self):
        try:
            while line := await self._reader.readline():
                row = json.loads(line)
                if "event" in row:
                    if self._on_event:
                        self._on_event(row)
                elif (answer := self._asked.pop(row.get("id"), None)) and not answer.done():
                    answer.set_result(row)
        except (OSError, ValueError):
            pass  # the end of the connection is told by _end
        finally:
            self._end()

    def _end(self):
        self.closed = True
        self._writer.close()
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(ConnectionError("control connection ended"))
