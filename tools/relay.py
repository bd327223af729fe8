"""The local backend of a running `make run`, for another process: a Unix socket, one JSON object a line each way.

    {"action": "GetConfiguration", "payload": {…}}     the answer of the station: {"result": {…}} or {"error": text}
    {"statuses": 12}                                   {"result": [each FirmwareStatusNotification from frame 12 on]}
    {"frames": true}                                   {"result": number of frames so far}

`Local` has the same for one's own process; `Relay` is the other end of the socket.
"""

import asyncio
import contextlib
import json
import os
from pathlib import Path

from tools.peer import CallFailed


class BackendError(Exception):
    """The station does not answer, or not so."""


class Local:
    """A Csms of this process."""

    def __init__(self, csms):
        self._csms = csms

    async def call(self, action, **payload):
        """The answer's payload. Raises BackendError."""
        try:
            return await self._csms.call(action, **payload)
        except (CallFailed, ConnectionError, asyncio.TimeoutError) as error:
            raise BackendError(str(error) or "no answer") from None

    async def frames(self):
        """How many there have been."""
        return self._csms.transcript.count

    async def statuses(self, since):
        """What the station has told of its update, from a frame on."""
        calls = self._csms.transcript.calls("FirmwareStatusNotification")
        return [frame.payload["status"] for frame in calls if frame.number >= since]

    async def serve(self, path):
        """Lets others ask it at a socket; nobody else does so at this one. Returns the server, or None."""
        if await Relay.open(path):
            return None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of a process that was killed
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return await asyncio.start_unix_server(self._serve, path)

    async def _serve(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                try:
                    answer = {"result": await self._answer(json.loads(line))}
                except (BackendError, ValueError, KeyError) as error:
                    answer = {"error": str(error)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, row):
        if "action" in row:
            return await self.call(row["action"], **row["payload"])
        return await self.statuses(row["statuses"]) if "statuses" in row else await self.frames()


class Relay:
    """The backend of another process, by its socket; asked as a `Local` is."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, path):
        """None if nobody listens there."""
        try:
            return cls(*await asyncio.open_unix_connection(path, limit=1 << 20))
        except OSError:
            return None

    async def call(self, action, **payload):
        return await self._ask({"action": action, "payload": payload})

    async def frames(self):
        return await self._ask({"frames": True})

    async def statuses(self, since):
        return await self._ask({"statuses": since})

    async def _ask(self, row):
        self._writer.write(json.dumps(row).encode() + b"\n")
        line = await self._reader.readline()
        if not line:
            raise EOFError("make run has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise BackendError(answer["error"])
        return answer["result"]

    def close(self):
        self._writer.close()
