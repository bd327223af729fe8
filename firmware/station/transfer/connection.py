"""A Transport as a transfer uses it: one task reads or writes, whatever goes wrong is a TransferError.

    connection = Connection(name)            what errors call the other end
    await connection.open(host, port, context)
    count = await connection.receive(view)   0 where the other end has ended
    connection.begin(data)                   a request: whatever becomes of it, `receive` tells
    await connection.send(data)              returns when the socket has taken it
    connection.close()                       harmless if repeated

A server that sends nothing, or takes nothing, for STALL_MS is given up.
"""

import asyncio

from micropython import const

from station.transfer.errors import TransferError
from station.transfer.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

STALL_MS = const(30_000)


class Connection:
    """Not open until `open()` has returned, never open again after `close()`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._transport = Transport()
        self._pump: "asyncio.Task | None" = None

    async def open(self, host: str, port: int, context: "ssl.SSLContext | None" = None) -> None:
        try:
            await self._transport.open(host, port, context, STALL_MS)
        except OSError as error:
            raise self._failed(error)
        self._pump = asyncio.create_task(self._transport.pump())

    async def receive(self, view: memoryview) -> int:
        """Waits for at least one byte."""
        try:
            return await asyncio.wait_for_ms(self._transport.read_into(view), STALL_MS)
        except asyncio.TimeoutError:
            raise TransferError("the server sent nothing for %d s" % (STALL_MS // 1000))
        except OSError as error:
            raise self._failed(error)

    def begin(self, data: bytes) -> None:
        """Sends what is answered, without waiting: what keeps it from going is told by `receive`."""
        try:
            self._transport.write(data)
        except OSError as error:
            raise self._failed(error)

    async def send(self, data: bytes) -> None:
        self.begin(data)
        try:
            await asyncio.wait_for_ms(self._transport.drained(), STALL_MS)
        except asyncio.TimeoutError:
            raise TransferError("the server took nothing for %d s" % (STALL_MS // 1000))
        except OSError as error:
            raise self._failed(error)

    def close(self) -> None:
        if self._pump:
            self._pump.cancel()
            self._pump = None
        self._transport.close()

    def _failed(self, error):
        return TransferError("%s: %s" % (self._name, error))
