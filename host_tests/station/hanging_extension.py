"""A vendor extension for tests (MicroPython): a connector that waits for ever, for a meter whose answer never comes.

Its task exists and raises nothing. From the start on where the station's serial number is "HANGS", else once the
backend sends a DataTransfer of vendor "test.hang".
"""

import asyncio

import board

VENDOR = "test.hang"
ALWAYS = "HANGS"

board.WATCHDOG_MS = 1500  # tests do not wait for long; the application feeds it each second


class Hanging:
    """Stands in for the first connector's meter."""

    def __init__(self, app) -> None:
        connector = app._charge_point.connectors[0]
        self._meter = connector._meter
        self._hangs = app._provisioning.serial == ALWAYS
        connector._meter = self
        app.data_transfer.register(VENDOR, None, self.hang)

    def hang(self, data: "str | None") -> tuple:
        self._hangs = True
        return "Accepted", None

    async def read(self) -> tuple:
        if self._hangs:
            await asyncio.Event().wait()
        return await self._meter.read()


def extend(app) -> None:
    Hanging(app)
