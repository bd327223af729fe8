"""One TCP connection, with TLS or without: opened, read, written, always closed.

    transport = Transport()
    await transport.open(host, port, tls_context(ca))     each address of the host in turn
    count = await transport.read_into(buffer)             0 where the peer has ended its side
    transport.write(data)                                 never waits; what the socket does not take yet is kept
    await transport.pump()                                a task of its own: writes what was kept
    await transport.drained()                             until nothing is kept
    transport.close()

Every failure is an OSError whose text can stand in the log. Only `pump` waits for room in the socket, only one task may
read: asyncio knows one waiter for each direction of a socket. Cancel the reader before `close()`.
What is kept has no limit here. Whoever can be made to write much by the peer waits for `drained()` first.

The name look-up of the ports blocks the whole loop while it lasts; an address written as a number does not.
"""

import asyncio
import binascii
import errno
import socket
from asyncio import core  # type: ignore[attr-defined]  # the stubs do not show it

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

MAX_ADDRESSES = const(4)  # of one host; each is tried for its share of the time
WRITE_TIMEOUT_MS = const(30_000)  # a peer that takes not one byte for so long is gone

_EISCONN = (106, 127)  # Linux and lwIP, newlib; `errno` does not name it

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


def tls_context(ca: bytes) -> "ssl.SSLContext":
    """A context that trusts `ca` alone: one certificate as DER, or any number of them as PEM. Raises ValueError."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]  # the unix port starts with CERT_NONE
    certificates = _certificates(ca)
    if not certificates:
        raise ValueError("no certificate in the PEM text")
    for certificate in certificates:
        context.load_verify_locations(cadata=certificate)
    return context


def _certificates(ca: bytes) -> "list[bytes]":
    """DER certificates; mbedTLS is built without PEM."""
    if ca[:1] == b"\x30":  # an ASN.1 SEQUENCE, so it is DER
        return [ca]
    return [binascii.a2b_base64(part.split(_END)[0]) for part in ca.split(_BEGIN)[1:]]


class Transport:
    """Not open until `open()` has returned, never open again after `close()`."""

    def __init__(self) -> None:
        self._raw: "socket.socket | None" = None  # the TCP socket
        self._stream: "socket.socket | ssl.SSLSocket | None" = (
            None  # what is read and written: the socket, or TLS around it
        )
        self._waiter: "asyncio.Task | None" = None  # the task that waits for room in the socket
        self._kept: "list[bytes | bytearray | memoryview]" = []  # what is still to be written, in order
        self._to_write = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self.kept = 0  # bytes still to be written
        self.failure: "OSError | None" = None  # by which `pump` has ended

    async def open(
        self, host: str, port: int, context: "ssl.SSLContext | None" = None, timeout_ms: int = 30_000
    ) -> None:
        """Connects by TCP. TLS, if `context` is given, shakes hands with the first bytes written, and may fail then.

        The certificate must be for `host`, which is also the name asked for (SNI). Raises OSError of the last address.
        """
        addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[:MAX_ADDRESSES]
        failure = OSError(errno.EHOSTUNREACH)
        for address in addresses:
            try:
                await self._connect(address, timeout_ms // len(addresses))
                break
            except OSError as error:
                self.close()
                failure = error
        else:
            raise failure
        self._stream = self._raw
        if context:
            try:
                # Its handshake needs the loop: it goes on inside the first reads and writes.
                self._stream = context.wrap_socket(self._raw, server_hostname=host, do_handshake_on_connect=False)
            except ValueError as error:
                raise OSError("TLS: %s" % error)

    async def _connect(self, address: tuple, timeout_ms: int) -> None:
        raw = self._raw = socket.socket(address[0], address[1], address[2])
        raw.setblocking(False)
        try:
            raw.connect(address[-1])
            return
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await self._writable_in_time(raw, timeout_ms)
        try:
            raw.connect(address[-1])  # there is no SO_ERROR to read: asking again tells how it went
        except OSError as error:
            if error.errno not in _EISCONN:
                raise

    async def read_into(self, buffer: "bytearray | memoryview") -> int:
        """Waits for at least one byte; 0 is the end of the stream."""
        while True:
            await _readable(self._stream)
            try:
                count = self._stream.readinto(buffer)
            except ValueError as error:
                raise _refused(error)
            if count is not None:  # None: TLS took what came for itself
                return count

    def write(self, data: "bytes | bytearray") -> None:
        """Gives `data` to the socket, keeps what it does not take; `data` must not change any more."""
        if self.kept:
            self._kept.append(data)
            self.kept += len(data)
            return
        count = self._write(data)
        if count < len(data):
            # A TLS record may have been half written: what is tried again must be the same bytes, not one more.
            self._kept.append(data if not count else memoryview(data)[count:])
            self.kept = len(data) - count
            self._drained.clear()
            self._to_write.set()

    def _write(self, data: "bytes | bytearray | memoryview") -> int:
        try:
            return self._stream.write(data) or 0
        except ValueError as error:
            raise _refused(error)

    async def pump(self) -> None:
        """Writes what was kept, for ever. Raises OSError, also when the peer takes nothing for WRITE_TIMEOUT_MS."""
        try:
            while True:
                await self._to_write.wait()
                self._to_write.clear()
                await self._write_kept()
                self._drained.set()
        except OSError as error:
            self.failure = error
            self._drained.set()  # whoever waits learns of it by `drained`
            raise error

    async def _write_kept(self) -> None:
        while self._kept:
            await self._writable_in_time(self._stream, WRITE_TIMEOUT_MS)
            chunk = self._kept[0]
            count = self._write(chunk)
            self.kept -= count
            if count == len(chunk):
                self._kept.pop(0)
            elif count:
                self._kept[0] = memoryview(chunk)[count:]

    async def _writable_in_time(self, stream: "object", timeout_ms: int) -> None:
        self._waiter = asyncio.create_task(_writable(stream))
        try:
            await asyncio.wait_for_ms(self._waiter, timeout_ms)
        except asyncio.TimeoutError:
            raise OSError(errno.ETIMEDOUT)

    async def drained(self) -> None:
        """Waits until the socket has taken everything, or `close()`. Raises the OSError by which `pump` has ended."""
        await self._drained.wait()
        if self.failure:
            raise self.failure

    def close(self) -> None:
        """Harmless if repeated. What was kept is lost."""
        if self._waiter is not None:
            self._waiter.cancel()  # a closed socket must not stay with the poller
            self._waiter = None
        if self._stream is not None and self._stream is not self._raw:
            self._stream.close()
        if self._raw is not None:
            self._raw.close()  # TLS that failed has let go of its socket without closing it
        self._raw = self._stream = None
        self._kept = []
        self.kept = 0
        self._drained.set()


def _refused(error: ValueError) -> OSError:
    """mbedTLS tells its verdict on the certificate as a ValueError of one line each reason."""
    return OSError("TLS: " + "; ".join(str(error).split("\n")).strip("; "))


# What asyncio's own streams await. Generators, as in asyncio itself.
def _readable(stream: "object"):
    yield core._io_queue.queue_read(stream)


def _writable(stream: "object"):
    yield core._io_queue.queue_write(stream)
