"""The head of an HTTP/1.1 response (RFC 9112 §4, §5), sans-I/O: `Head(data)`."""

from micropython import const

from station.transfer.errors import TransferError

MAX_HEAD = const(2048)  # bytes of all its lines


class Head:
    """`status`; `length` of the body or -1 if it is not told; `chunked`; `etag` (strong ones only), `location`, `html`;
    `start`, `total`: of Content-Range, -1 where there is none."""

    def __init__(self, data: "bytes | bytearray | memoryview") -> None:
        """`data` up to and without the empty line. Raises TransferError."""
        lines = bytes(data).split(b"\r\n")
        words = lines[0].split(b" ", 2)
        if len(words) < 2 or words[0] not in (b"HTTP/1.1", b"HTTP/1.0") or len(words[1]) != 3 or not words[1].isdigit():
            raise TransferError("the server does not speak HTTP")
        self.status = int(words[1])
        self.length = self.start = self.total = -1
        self.chunked = self.html = False
        self.etag = self.location = ""
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon:
                raise TransferError("a line of the head without a name")
            self._take(name.lower(), _text(value))

    def _take(self, name, value):
        if name == b"content-length":
            length = _number(value)
            if self.length not in (-1, length):
                raise TransferError("two lengths of one body")
            self.length = length
        elif name == b"transfer-encoding":
            if value.lower() != "chunked":
                raise TransferError("transfer coding '%s' is not known" % value[:40], retry=False)
            self.chunked = True
        elif name == b"content-encoding":
            if value.lower() != "identity":
                raise TransferError("content coding '%s' was not asked for" % value[:40], retry=False)
        elif name == b"etag":
            self.etag = "" if value.startswith("W/") else value
        elif name == b"location":
            self.location = value
        elif name == b"content-type":
            self.html = value.lower().startswith("text/html")
        elif name == b"content-range":
            self._take_range(value)

    def _take_range(self, value):
        """bytes FIRST-LAST/TOTAL (RFC 9110 §14.4)"""
        unit, _, rest = value.partition(" ")
        span, _, total = rest.partition("/")
        if unit == "bytes" and "-" in span:
            self.start = _number(span.partition("-")[0])
            self.total = -1 if total == "*" else _number(total)


def refused(status: int) -> TransferError:
    """The error for a status that is not the one wanted."""
    return TransferError("the server answers %d" % status, retry=status >= 500 or status == 429)


def _text(value):
    try:
        return value.decode().strip()
    except UnicodeError:
        return ""


def _number(text):
    if not text.isdigit() or len(text) > 10:
        raise TransferError("'%s' is no length" % text[:20])
    return int(text)
