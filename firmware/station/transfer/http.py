"""One GET or PUT over HTTP/1.1, with TLS or without; see download.py and upload.py for whole files.

    get = Get(url, context)
    head = await get.open(offset, etag)      follows redirections; the body is from `offset` on if head.status is 206
    count = await get.read_into(view)        0 at its end; TransferError if the connection ends before
    get.close()

Memory: a buffer of MAX_HEAD bytes. A server that sends nothing for STALL_MS is given up.
"""

import asyncio
import binascii

from micropython import const

from station.transfer import url as urls
from station.transfer.errors import TransferError
from station.transfer.http_head import MAX_HEAD, Head
from station.transfer.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from station.transfer.url import Url

STALL_MS = const(30_000)
REDIRECTIONS = const(3)
_MOVED = (301, 302, 303, 307, 308)
_MAX_LINE = const(64)  # of a chunk's size


class Get:
    """`context`: for https; None refuses such URLs. `buffer`: MAX_HEAD bytes that may be used again."""

    def __init__(self, url: "Url", context: "ssl.SSLContext | None", buffer: "bytearray | None" = None) -> None:
        self._url = url
        self._context = context
        self._buffer = buffer or bytearray(MAX_HEAD)
        self._view = memoryview(self._buffer)
        self._from = self._to = 0  # bytes of the buffer that are not taken yet
        self._transport: "Transport | None" = None
        self._pump: "asyncio.Task | None" = None
        self._left = -1  # bytes of the body, or of the chunk, that are to come; -1: until the connection ends
        self._chunked = False
        self._first_chunk = True
        self._ended = False

    async def open(self, offset: int = 0, etag: str = "") -> Head:
        """The head of the answer. Raises TransferError."""
        for _ in range(REDIRECTIONS + 1):
            head = await self._ask(self._url, offset, etag)
            if head.status not in _MOVED:
                return head
            self.close()
            if not head.location:
                raise TransferError("a redirection to nowhere", retry=False)
            self._url = urls.resolve(self._url, head.location)
        raise TransferError("more than %d redirections" % REDIRECTIONS, retry=False)

    async def _ask(self, url, offset, etag):
        lines = _request("GET", url)
        if offset:
            lines += ["Range: bytes=%d-" % offset, "If-Range: " + etag]
        await self._send(url, lines)
        head = Head(await self._head())
        self._chunked, self._first_chunk = head.chunked, True
        self._left = 0 if head.chunked else head.length
        self._ended = False
        return head

    async def _send(self, url, lines):
        """Connects, and sends the head of a request."""
        if url.scheme == "https" and self._context is None:
            raise TransferError("https without a certificate to trust", retry=False)
        transport = self._transport = Transport()
        try:
            await transport.open(url.host, url.port, self._context if url.scheme == "https" else None, STALL_MS)
            transport.write("\r\n".join(lines + ["", ""]).encode())
        except OSError as error:
            raise TransferError("%s: %s" % (url.authority, error))
        self._pump = asyncio.create_task(transport.pump())
        self._from = self._to = 0

    async def _head(self):
        """Reads up to the empty line; what came behind it is kept."""
        while True:
            end = bytes(self._view[: self._to]).find(b"\r\n\r\n")
            if end >= 0:
                self._from = end + 4
                return self._view[:end]
            if self._to == len(self._buffer):
                raise TransferError("a head of more than %d bytes" % len(self._buffer))
            count = await self._receive(self._view[self._to :])
            if not count:
                raise TransferError("the connection ended before the answer")
            self._to += count

    async def read_into(self, view: memoryview) -> int:
        """The next bytes of the body."""
        if self._chunked and not self._left and not self._ended:
            self._left = await self._chunk()
            self._ended = not self._left
        if self._ended or not self._left:
            return 0
        count = await self._some(view if self._left < 0 else view[: min(len(view), self._left)])
        if not count and self._left > 0:
            raise TransferError("the connection ended, %d bytes were to come" % self._left)
        if self._left > 0:
            self._left -= count
        return count

    async def _chunk(self):
        """Bytes of the next chunk (RFC 9112 §7.1); 0 is the last."""
        if not self._first_chunk and await self._line():
            raise TransferError("a chunk is longer than told")
        self._first_chunk = False
        line = await self._line()
        try:
            size = int(line.split(b";")[0].decode().strip(), 16)
        except (ValueError, UnicodeError):
            size = -1
        if not 0 <= size < 1 << 30:
            raise TransferError("the size of a chunk is not one")
        return size

    async def _line(self):
        line = bytearray()
        one = memoryview(bytearray(1))
        while not line.endswith(b"\r\n"):
            if len(line) > _MAX_LINE or not await self._some(one):
                raise TransferError("the connection ended within a chunk")
            line.extend(one)
        return bytes(line[:-2])

    async def _some(self, view):
        """What is kept, else what comes."""
        if self._from < self._to:
            count = min(len(view), self._to - self._from)
            view[:count] = self._view[self._from : self._from + count]
            self._from += count
            return count
        return await self._receive(view)

    async def _receive(self, view):
        try:
            return await asyncio.wait_for_ms(self._transport.read_into(view), STALL_MS)
        except asyncio.TimeoutError:
            raise TransferError("the server sent nothing for %d s" % (STALL_MS // 1000))
        except TransferError:
            raise
        except OSError as error:
            raise TransferError("%s: %s" % (self._url.authority, error))

    def close(self) -> None:
        """Harmless if repeated."""
        if self._pump:
            self._pump.cancel()
            self._pump = None
        if self._transport:
            self._transport.close()
            self._transport = None


class Put(Get):
    """One PUT of a file of unknown size: `open()`, `write(view)` …, `finish()`, `close()`. Raises TransferError."""

    async def open(self) -> None:  # type: ignore[override]
        await self._send(
            self._url, _request("PUT", self._url) + ["Transfer-Encoding: chunked", "Content-Type: text/plain"]
        )

    async def write(self, view: memoryview) -> None:
        """`view` may be changed when this has returned."""
        await self._put(b"%x\r\n" % len(view) + bytes(view) + b"\r\n")

    async def finish(self) -> None:
        """The server must say that it has the file."""
        await self._put(b"0\r\n\r\n")
        status = Head(await self._head()).status
        if status not in (200, 201, 202, 204):
            raise TransferError("the server answers %d" % status, retry=status >= 500 or status == 429)

    async def _put(self, data):
        try:
            self._transport.write(data)
            await asyncio.wait_for_ms(self._transport.drained(), STALL_MS)
        except asyncio.TimeoutError:
            raise TransferError("the server took nothing for %d s" % (STALL_MS // 1000))
        except OSError as error:
            raise TransferError("%s: %s" % (self._url.authority, error))


def _request(method, url):
    """The lines of a request's head (RFC 9112 §3)."""
    lines = [
        "%s %s HTTP/1.1" % (method, url.path),
        "Host: " + url.authority,
        "Accept: */*",
        "Accept-Encoding: identity",
    ]
    if url.user is not None:
        lines.append("Authorization: Basic " + binascii.b2a_base64(url.user).decode().strip())
    return lines + ["Connection: close"]
