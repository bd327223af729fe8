"""Host and port of a URL (RFC 3986 §3.2), sans-I/O: for the backend's address and for files."""


def split(rest: str) -> "tuple[str, str]":
    """(authority, path with query) of what follows "://"; the path begins with a slash."""
    cut = len(rest)
    for mark in "/?":
        found = rest.find(mark)
        if 0 <= found < cut:
            cut = found
    authority, path = rest[:cut], rest[cut:]
    return authority, path if path.startswith("/") else "/" + path


def host_and_port(authority: str, default: int) -> "tuple[str, int]":
    """An IPv6 literal is without its brackets (§3.2.2). Raises ValueError, whose text names the part that is wrong."""
    if authority.startswith("["):
        host, separator, port = authority[1:].partition("]")
        good = separator and ":" in host and (not port or port.startswith(":"))
        good = good and all(char in "0123456789abcdefABCDEF:." for char in host)
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
        good = host and ":" not in port
        good = good and all(alphanumeric(ord(char)) or char in "-._~%!$&'()*+,;=" for char in host)
    if not good:
        raise ValueError("%r is no host[:port], [IPv6 address] or [IPv6 address]:port" % authority)
    if not port:
        return host, default
    if not port.isdigit() or len(port) > 5 or not 1 <= int(port) <= 65535:
        raise ValueError("port %r is not in 1..65535" % port)
    return host, int(port)


def alphanumeric(byte: int) -> bool:
    """A letter or digit of ASCII."""
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A
