"""The opening handshake of RFC 6455 §4, the client's side, sans-I/O.

`parse_url` and `quote` take and make the backend's address; `Handshake` writes the request and reads the answer.
Whatever is not the one acceptable answer raises `Refused`, whose text tells the log what the peer said instead.
"""

import binascii
import hashlib

from micropython import const

from station.transfer.authority import alphanumeric, host_and_port, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

HEAD_LIMIT = const(8192)  # bytes of status line and header fields that an answer may have
_SHOWN = const(80)  # bytes of the peer's own words that go into a text

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_HTTP = b"HTTP/1."
_HEAD_END = b"\r\n\r\n"
_UNRESERVED = "-._~"  # RFC 3986 §2.3, beside letters and digits
_TOKEN_EXTRA = b"!#$%&'*+-.^_`|~"  # RFC 7230 §3.2.6, beside letters and digits

# The fields of the answer that RFC 6455 §4.1 judges. Others pass by.
_FIELDS = (
    b"upgrade",
    b"connection",
    b"sec-websocket-accept",
    b"sec-websocket-extensions",
    b"sec-websocket-protocol",
    b"location",
)


class Refused(Exception):
    """The peer did not open the connection. `status`: its HTTP status, 0 if it did not speak HTTP."""

    def __init__(self, status: int, text: str):
        super().__init__(status, text)
        self.status = status
        self.text = text


def quote(text: str) -> str:
    """`text` percent-encoded as one segment of a path (RFC 3986 §2.1): the charge point's id (OCPP-J 1.6 §3.1.1)."""
    out = []
    for byte in text.encode():
        char = chr(byte)
        out.append(char if byte < 128 and (alphanumeric(byte) or char in _UNRESERVED) else "%%%02X" % byte)
    return "".join(out)


def parse_url(url: str) -> "tuple[bool, str, int, str]":
    """`(tls, host, port, path)` of a WebSocket URL (RFC 6455 §3); an IPv6 literal is without its brackets.

    Raises ValueError, whose text names the part that is wrong.
    """
    for char in url:
        if not "!" <= char <= "~":
            raise ValueError("URL %r: %r must be percent-encoded" % (url, char))
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("ws", "wss"):
        raise ValueError("URL %r: expected ws://host… or wss://host…" % url)
    if "#" in rest:
        raise ValueError("URL %r: a fragment ('#…') is not allowed" % url)
    tls = scheme == "wss"
    authority, path = split(rest)
    if "@" in authority:
        raise ValueError("URL %r: user and password do not belong in it" % url)
    try:
        host, port = host_and_port(authority, 443 if tls else 80)
    except ValueError as error:
        raise ValueError("URL %r: %s" % (url, error))
    return tls, host, port, path


class Handshake:
    """One opening handshake: `request()`, then `feed` with what comes, until it says that the head is whole."""

    def __init__(
        self,
        url: str,
        subprotocol: str,
        user: "str | None",
        password: "bytes | None",
        random: "Callable[[int], bytes]",
    ):
        self._url = parse_url(url)
        self._subprotocol = subprotocol.encode()
        self._credentials = None
        if password is not None:
            if not user or ":" in user:
                raise ValueError("user %r: Basic authentication needs one, without ':' (RFC 7617 §2)" % user)
            self._credentials = binascii.b2a_base64(user.encode() + b":" + password).strip()
        self._key = binascii.b2a_base64(random(16)).strip()
        self._head = bytearray()
        self._matched = 0  # bytes of the head's end that the last bytes of `_head` are

    def request(self) -> bytes:
        """The request of §4.1 (client requirements 1 to 12)."""
        tls, host, port, path = self._url
        if ":" in host:
            host = "[%s]" % host
        if port != (443 if tls else 80):
            host = "%s:%d" % (host, port)
        lines = [
            b"GET " + path.encode() + b" HTTP/1.1",
            b"Host: " + host.encode(),
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Key: " + self._key,
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Protocol: " + self._subprotocol,
        ]
        if self._credentials:
            lines.append(b"Authorization: Basic " + self._credentials)
        return b"\r\n".join(lines) + _HEAD_END

    def feed(self, data: memoryview, start: int, end: int) -> "tuple[int, bool]":
        """Takes the answer's head from `data[start:end]`: `(where it stopped, whether the head is whole)`.

        A whole head is a good one, and the first frame follows it. Raises `Refused`.
        """
        at = start
        end = min(end, start + HEAD_LIMIT - len(self._head))
        while at < end and self._matched < len(_HEAD_END):
            byte = data[at]
            at += 1
            if byte == _HEAD_END[self._matched]:
                self._matched += 1
            else:
                self._matched = 1 if byte == 13 else 0
        self._head.extend(data[start:at])
        seen = min(len(self._head), len(_HTTP))
        if self._head[:seen] != _HTTP[:seen]:
            raise Refused(0, "not HTTP: the answer begins with %s" % _show(self._head))
        if self._matched == len(_HEAD_END):
            head = bytes(self._head)
            self._head = bytearray()
            self._judge(head)
            return at, True
        if len(self._head) >= HEAD_LIMIT:
            raise Refused(0, "not HTTP: no end of the head in %d bytes" % HEAD_LIMIT)
        return at, False

    def _judge(self, head: bytes) -> None:
        """§4.1, the requirements on the server's answer, 1 to 6."""
        status_line, _, rest = head[: -len(_HEAD_END)].partition(b"\r\n")
        version, status, reason = _status(status_line)
        fields = _fields(status, rest)
        if status != 101:
            location = fields.get(b"location")
            if 300 <= status <= 399 and location:
                raise Refused(status, "redirected to %s (%d %s)" % (_show(location), status, reason))
            raise Refused(status, ("%d %s" % (status, reason)).strip())
        if version != b"HTTP/1.1":
            raise Refused(status, "not HTTP/1.1: %s" % _show(version))
        if _items(fields.get(b"upgrade")) != [b"websocket"]:
            raise Refused(status, "no Upgrade to websocket: %s" % _show(fields.get(b"upgrade")))
        if b"upgrade" not in _items(fields.get(b"connection")):
            raise Refused(status, "no Connection: Upgrade: %s" % _show(fields.get(b"connection")))
        # the stub for STM32 is of a board without TLS, and so without SHA-1
        digest = hashlib.sha1(self._key + _GUID).digest()  # type: ignore[attr-defined]
        accept = binascii.b2a_base64(digest).strip()
        accepted = fields.get(b"sec-websocket-accept")
        if accepted != accept:
            raise Refused(status, "wrong Sec-WebSocket-Accept: %s" % _show(accepted))
        if fields.get(b"sec-websocket-extensions"):
            raise Refused(status, "extension not offered: %s" % _show(fields[b"sec-websocket-extensions"]))
        # OCPP-J 1.6 §3.2: a server that does not know the subprotocol leaves the field out.
        subprotocol = fields.get(b"sec-websocket-protocol")
        if subprotocol != self._subprotocol:
            wanted = self._subprotocol.decode()
            raise Refused(status, "subprotocol %s not offered back, but %s" % (wanted, _show(subprotocol)))


def _status(line: bytes) -> "tuple[bytes, int, str]":
    """RFC 7230 §3.1.2: `(version, status, reason)`. The reason, and the space before it, may be missing."""
    version, _, rest = line.partition(b" ")
    status, _, reason = rest.partition(b" ")
    if len(version) != 8 or len(status) != 3 or not status.isdigit() or not _is_text(reason):
        raise Refused(0, "not HTTP: the answer begins with %s" % _show(line))
    return version, int(status), _printable(reason)


def _fields(status: int, text: bytes) -> "dict[bytes, bytes]":
    """The fields of `_FIELDS` that `text` holds; one that comes repeatedly is a list (RFC 7230 §3.2.2)."""
    fields = {}
    for line in text.split(b"\r\n") if text else ():
        name, separator, value = line.partition(b":")
        if not separator or not name or not _is_token(name) or not _is_text(value):
            raise Refused(status, "malformed header field: %s" % _show(line))
        name = name.lower()
        if name in _FIELDS:
            value = value.strip()
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def _is_token(name: bytes) -> bool:
    return all(alphanumeric(byte) or byte in _TOKEN_EXTRA for byte in name)


def _is_text(value: bytes) -> bool:
    return all((byte >= 0x20 and byte != 0x7F) or byte == 0x09 for byte in value)


def _items(value: "bytes | None") -> "list[bytes]":
    """The items of a list without regard to case (RFC 7230 §7, which lets items be empty)."""
    items = [item.strip() for item in (value or b"").lower().split(b",")]
    return [item for item in items if item]


def _show(words: "bytes | bytearray | None") -> str:
    """The peer's words, fit for a line of the log."""
    if words is None:
        return "nothing"
    return "'%s'" % _printable(words)


def _printable(words: "bytes | bytearray") -> str:
    shown = "".join([chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in words[:_SHOWN]])
    return shown + "…" if len(words) > _SHOWN else shown
