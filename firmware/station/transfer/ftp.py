"""One file over FTP (RFC 959), passive, binary: `Get(url)` and `Put(url)`, with the same faces as those of http.py.

    get = Get(url)
    head = await get.open(offset, identity)  from `offset` on (REST, RFC 3659 §5) if head.status is 206
    count = await get.read_into(view)        0 at its end; TransferError if it ends before
    get.close()

The data connection goes to the host of the control connection, whatever a reply names (RFC 2428 §4, RFC 2577 §3). A
file is the same if SIZE and MDTM (RFC 3659 §4, §3) say so; a server without them cannot be resumed.
"""

from micropython import const

from station.transfer.connection import Connection
from station.transfer.errors import TransferError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.transfer.url import Url

_MAX_LINES = const(60)  # of one reply
_MAX_LINE = const(256)
_BUFFER = const(256)


class Head:
    """What http_head.Head says of a file, as far as FTP knows it."""

    html = False

    def __init__(self, status: int, length: int, start: int, total: int, etag: str) -> None:
        self.status = status
        self.length = length
        self.start = start
        self.total = total
        self.etag = etag


class Get:
    """One connection; one file."""

    def __init__(self, url: "Url") -> None:
        self._url = url
        self._control = _Control(url.host)
        self._data: "Connection | None" = None
        self._left = -1  # bytes that are to come, -1 where the server gives no size

    async def open(self, offset: int = 0, identity: str = "") -> Head:
        """Raises TransferError."""
        control, path = self._control, await self._enter()
        code, text = await control.command(b"SIZE " + path, (213, 500, 502, 504, 550))
        total = int(text) if code == 213 and text.isdigit() else -1
        code, text = await control.command(b"MDTM " + path, (213, 500, 502, 504, 550))
        found = "%d %s" % (total, text) if code == 213 and total >= 0 else ""
        if offset and found != identity:
            return Head(200, total, -1, total, found)  # another file: it would begin from the start
        await self._open_data()
        if offset:
            await control.command(b"REST %d" % offset, (350,))
        await control.command(b"RETR " + path, (125, 150))
        self._left = total - offset if total >= 0 else -1
        if offset:
            return Head(206, self._left, offset, total, found)
        return Head(200, total, -1, total, found)

    async def _enter(self) -> bytes:
        """Log in; the path of the file."""
        url, control = self._url, self._control
        user, _, password = (url.user or b"anonymous:ladepunkt@").partition(b":")
        await control.open(url.port)
        code = (await control.command(b"USER " + user, (230, 331)))[0]
        if code == 331:
            await control.command(b"PASS " + password, (230, 202))
        await control.command(b"TYPE I", (200,))
        return url.decoded_path()

    async def _open_data(self):
        code, text = await self._control.command(b"EPSV", (229, 500, 501, 502, 522))
        if code == 229:  # (|||port|)
            port = text.partition("(")[2].partition(")")[0].split("|")[3:4]
            port = int(port[0]) if port and port[0].isdigit() else 0
        else:  # h1,h2,h3,h4,p1,p2
            code, text = await self._control.command(b"PASV", (227,))
            words = text.partition("(")[2].partition(")")[0].split(",")
            good = len(words) == 6 and all([word.strip().isdigit() for word in words])
            port = int(words[4]) * 256 + int(words[5]) if good else 0
        if not 1 <= port <= 65535:
            raise TransferError("the server names no port for the file")
        self._data = Connection("the file's connection")
        await self._data.open(self._url.host, port)

    async def read_into(self, view: memoryview) -> int:
        """The next bytes of the file."""
        if self._data is None:
            return 0
        count = await self._data.receive(view)
        if count:
            self._left -= count if self._left > 0 else 0
            return count
        self._end_data()
        if self._left > 0:
            raise TransferError("the connection ended, %d bytes were to come" % self._left)
        await self._control.reply((226, 250))
        return 0

    def close(self) -> None:
        """Harmless if repeated."""
        self._end_data()
        self._control.close()

    def _end_data(self) -> None:
        if self._data:
            self._data.close()
            self._data = None


class Put(Get):
    """One file to the server: `open()`, `write(view)` …, `finish()`, `close()`. Raises TransferError."""

    async def open(self) -> None:  # type: ignore[override]
        path = await self._enter()
        await self._open_data()
        await self._control.command(b"STOR " + path, (125, 150))

    async def write(self, view: memoryview) -> None:
        """`view` may be changed when this has returned."""
        await self._data.send(bytes(view))

    async def finish(self) -> None:
        """The server must say that it has the file."""
        self._end_data()
        await self._control.reply((226, 250))


class _Control:
    """The control connection: commands and replies (RFC 959 §4.2)."""

    def __init__(self, host):
        self._host = host
        self._connection = Connection(host)
        self._view = memoryview(bytearray(_BUFFER))
        self._from = self._to = 0

    async def open(self, port):
        await self._connection.open(self._host, port)
        await self.reply((220,))

    async def command(self, text, expected):
        """(code, text) of the reply. Raises TransferError for one that is not expected."""
        if any([byte < 0x20 for byte in text]):
            raise TransferError("the URL holds a control character", retry=False)
        self._connection.begin(text + b"\r\n")
        return await self.reply(expected)

    async def reply(self, expected):
        first = ""
        for _ in range(_MAX_LINES):
            line = await self._read()
            if not first:
                first = line[:3]
                if not first.isdigit() or len(line) < 3:
                    raise TransferError("the server does not speak FTP")
            if line[:3] == first and line[3:4] != "-":
                code = int(first)
                if code not in expected:
                    raise TransferError("the server answers %s" % line[:80], retry=code < 500)
                return code, line[4:].strip()
        raise TransferError("a reply of more than %d lines" % _MAX_LINES)

    async def _read(self):
        line = bytearray()
        while not line.endswith(b"\n"):
            if len(line) >= _MAX_LINE:
                raise TransferError("a reply's line of more than %d bytes" % _MAX_LINE)
            if self._from == self._to:
                self._from, self._to = 0, await self._connection.receive(self._view)
                if not self._to:
                    raise TransferError("the server closed the connection")
            line.append(self._view[self._from])
            self._from += 1
        return "".join([chr(byte) for byte in line if 0x20 <= byte <= 0x7E])

    def close(self):
        self._connection.close()
