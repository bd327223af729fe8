"""A vendor extension for tests (MicroPython), loaded by `--extension`: handlers of DataTransfer, and tasks that fail.

Vendor "test.echo": without messageId or with one that is not known the data comes back. Messages: "refuse", "break"
(a handler that fails), "later" (one that waits), "send" (sends a DataTransfer of its own and tells its answer), "die"
(a task dies), "doom" (a critical task dies again and again), "hang" (holds the loop). Vendor "test.strict" knows one
message, "only".
"""

import asyncio
import json
import time

import board

VENDOR = "test.echo"

board.WATCHDOG_MS = 1500  # tests do not wait for long; the application feeds it each second


class Echo:
    def __init__(self, app) -> None:
        self._backend = app.backend
        self._supervisor = app.supervisor
        self._fatal = asyncio.Event()
        for name in ("refuse", "break", "later", "send", "die", "doom", "hang"):
            app.data_transfer.register(VENDOR, name, getattr(self, "do_" + name))
        app.data_transfer.register(VENDOR, None, self.do_echo)
        app.data_transfer.register("test.strict", "only", self.do_echo)
        app.supervisor.start("mortal", self.mortal)

    def do_echo(self, data: "str | None") -> tuple:
        return "Accepted", data

    def do_refuse(self, data: "str | None") -> tuple:
        return "Rejected", None

    def do_break(self, data: "str | None") -> tuple:
        raise RuntimeError("broken on demand")

    async def do_later(self, data: "str | None") -> tuple:
        await asyncio.sleep_ms(200)
        return "Accepted", data

    async def do_send(self, data: "str | None") -> tuple:
        answer = await self._backend.data_transfer(VENDOR, "from-station", data)
        return "Accepted", json.dumps(answer)

    def do_die(self, data: "str | None") -> tuple:
        self._fatal.set()
        return "Accepted", None

    def do_doom(self, data: "str | None") -> tuple:
        self._supervisor.start_critical("doomed", self.doomed, 1)
        return "Accepted", None

    def do_hang(self, data: "str | None") -> tuple:
        time.sleep_ms(2000)
        return "Accepted", None

    async def mortal(self) -> None:
        await self._fatal.wait()
        self._fatal.clear()
        raise RuntimeError("died on demand")

    async def doomed(self, report) -> None:
        raise RuntimeError("doomed")


def extend(app) -> None:
    Echo(app)
