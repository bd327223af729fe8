"""A URL of a file, as OCPP's UpdateFirmware gives one (RFC 3986): `parse(text)`, `resolve(base, location)`."""

from micropython import const

from station.transfer.authority import host_and_port, split
from station.transfer.errors import TransferError

MAX_URL = const(500)  # characters
PORTS = {"http": 80, "https": 443, "ftp": 21}


class Url:
    """`host` without brackets, `path` with its query, `user` None or the decoded userinfo "name:password"."""

    def __init__(self, scheme: str, host: str, port: int, path: str, user: "bytes | None") -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.user = user

    @property
    def authority(self) -> str:
        """As a Host header has it (RFC 9110 §7.2)."""
        host = "[%s]" % self.host if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else "%s:%d" % (host, self.port)

    def decoded_path(self) -> bytes:
        """The path without its first slash, as FTP wants it (RFC 1738 §3.2.2)."""
        return _decoded(self.path[1:])


def parse(text: str) -> Url:
    """Raises TransferError, of no use to try again, for what is no URL of a file or of another scheme."""
    if not 8 <= len(text) <= MAX_URL or not all([0x21 <= ord(letter) <= 0x7E for letter in text]):
        raise _wrong("a URL of 8 to %d printable characters" % MAX_URL, text)
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in PORTS:
        raise _wrong("a URL http://…, https://… or ftp://…", text)
    authority, path = split(rest.partition("#")[0])
    user = None
    if "@" in authority:
        userinfo, _, authority = authority.rpartition("@")
        user = _decoded(userinfo)
        if b":" not in user:
            user += b":"
    try:
        host, port = host_and_port(authority, PORTS[scheme])
    except ValueError as error:
        raise _wrong("a URL with a host, and a port if any: %s" % error, text)
    return Url(scheme, host, port, path, user)


def resolve(base: Url, location: str) -> Url:
    """Where a redirection leads (RFC 9110 §10.2.2). Never from https to http."""
    if location.startswith("/") and not location.startswith("//"):
        return Url(base.scheme, base.host, base.port, location, base.user)
    found = parse(base.scheme + ":" + location if location.startswith("//") else location)
    if base.scheme == "https" and found.scheme != "https":
        raise TransferError("a redirection from https to http is not followed", retry=False)
    return found


def _decoded(text):
    """Percent-encoding (RFC 3986 §2.1)."""
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] == "%":
            try:
                out.append(int(text[at + 1 : at + 3], 16))
            except ValueError:
                raise TransferError("the URL is not percent-encoded", retry=False)
            at += 3
        else:
            out.append(ord(text[at]))
            at += 1
    return bytes(out)


def _wrong(expected, text):
    return TransferError("location: expected %s, got '%s'" % (expected, text[:80]), retry=False)
