"""A file to a server: `await upload(location, ca, name, read)`.

Over HTTP and HTTPS by PUT in chunks (RFC 9110 §9.3.4, RFC 9112 §7.1), for its size is not known before; over FTP by
STOR (RFC 959 §4.1.3). A location that ends with "/" is a folder, in which the file is called `name`.
"""

import asyncio

from micropython import const

from station.transfer.http import Put, context_for
from station.transfer.url import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

_PIECE = const(512)


async def upload(location: str, ca: "bytes | None", name: str, read: "Callable[[memoryview], int]") -> None:
    """Raises TransferError. `read(view)` gives the next bytes, 0 at the end; `ca`: certificates to trust, for https."""
    url = parse(location)
    if url.path.endswith("/"):
        url.path += name
    put: "Any" = None
    if url.scheme == "ftp":
        from station.transfer import ftp

        put = ftp.Put(url)
    else:
        put = Put(url, context_for(url, ca))
    view = memoryview(bytearray(_PIECE))
    try:
        await put.open()
        while True:
            count = read(view)
            if not count:
                break
            await put.write(view[:count])
            await asyncio.sleep_ms(0)
        await put.finish()
    finally:
        put.close()
