"""One GET, PUT or other request over HTTP/1.1, with TLS or without; see download.py and upload.py for whole files.

    get = Get(url, context)
    head = await get.open(offset, etag)      follows redirections; the body is from `offset` on if head.status is 206
    count = await get.read_into(view)        0 at its end; TransferError if the connection ends before
    get.close()

Memory: a buffer of MAX_HEAD bytes.
"""

import binascii

from micropython import const

from station.transfer import url as urls
from station.transfer.connection import Connection
from station.transfer.errors import TransferError
from station.transfer.http_head import MAX_HEAD, Head, refused
from station.transfer.transport import tls_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from station.transfer.url import Url

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
        self._connection: "Connection | None" = None
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
        connection = self._connection = Connection(url.authority)
        await connection.open(url.host, url.port, self._context if url.scheme == "https" else None)
        connection.begin("\r\n".join(lines + ["", ""]).encode())
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
            count = await self._connection.receive(self._view[self._to :])
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
        return await self._connection.receive(view)

    def close(self) -> None:
        """Harmless if repeated."""
        if self._connection:
            self._connection.close()
            self._connection = None


class Put(Get):
    """One PUT of a file of unknown size: `open()`, `write(view)` …, `finish()`, `close()`. Raises TransferError."""

    async def open(self) -> None:  # type: ignore[override]
        await self._send(
            self._url, _request("PUT", self._url) + ["Transfer-Encoding: chunked", "Content-Type: text/plain"]
        )

    async def write(self, view: memoryview) -> None:
        """`view` may be changed when this has returned."""
        await self._connection.send(b"%x\r\n" % len(view) + bytes(view) + b"\r\n")

    async def finish(self) -> None:
        """The server must say that it has the file."""
        await self._connection.send(b"0\r\n\r\n")
        status = Head(await self._head()).status
        if status not in (200, 201, 202, 204):
            raise refused(status)


class Call(Get):
    """One request with a small answer: `open(method, size)`, `write(view)` … as many bytes, `answer(limit)`, `close()`.

    Raises TransferError.
    """

    async def open(self, method: str, size: int) -> None:  # type: ignore[override]
        """`size`: bytes of its body."""
        await self._send(self._url, _request(method, self._url) + ["Content-Length: %d" % size])

    async def write(self, view: memoryview) -> None:
        """`view` may be changed when this has returned."""
        await self._connection.send(bytes(view))

    async def answer(self, limit: int) -> "tuple[int, bytes]":
        """(status, body of at most `limit` bytes)"""
        head = Head(await self._head())
        self._chunked, self._first_chunk, self._ended = head.chunked, True, False
        self._left = 0 if head.chunked or head.status == 204 else head.length
        body = bytearray()
        piece = memoryview(bytearray(128))
        while head.status != 204:
            count = await self.read_into(piece)
            if not count:
                break
            body.extend(piece[:count])
            if len(body) > limit:
                raise TransferError("an answer of more than %d bytes" % limit)
        return head.status, bytes(body)


def context_for(url: "Url", ca: "bytes | None") -> "ssl.SSLContext | None":
    """The TLS context in which this URL's server is trusted; None where there is no TLS, or nobody to trust."""
    return tls_context(ca) if ca and url.scheme == "https" else None


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
