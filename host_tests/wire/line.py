"""A pseudo-terminal as a serial line, and the firmware's meter driver at its end, as a MicroPython process."""

import asyncio
import contextlib
import json
import os
import sys
import tty
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATHS = (HERE / "pty", ROOT / "firmware", ROOT / "boards" / "unix")
MICROPYTHON = Path(sys.executable).with_name("micropython")
BAUD = 115200  # what the driver reckons with; a pseudo-terminal carries bytes at once
ANSWER_S = 20.0


class Line:
    """`path` is the tty to open; here, at the far end, `received(bytes)` is called and `write(bytes)` sends."""

    def __init__(self, received=None):
        self.received = received
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self):
        data = os.read(self._master, 4096)
        if self.received:
            self.received(data)

    def write(self, data):
        with contextlib.suppress(BlockingIOError):  # nobody reads there: the line's buffer is full
            os.write(self._master, data)

    def close(self):
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)


class Driver:
    """`async with Driver(path) as driver: await driver.read("SDM630")`."""

    def __init__(self, path):
        self._path = path

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            MICROPYTHON,
            HERE / "meter_script.py",
            self._path,
            str(BAUD),
            env={"MICROPYPATH": ":".join([*map(str, PATHS), ".frozen"])},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_):
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), ANSWER_S)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def read(self, kind, address=1, **options):
        """{"numbers": [energy_wh, power_w, i1_ma … frequency_chz], "ms"} or {"error": text, "ms"}."""
        words = {"type": kind, "address": address, **options}
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_S)
        assert line, f"the driver's process ended, status {await self._process.wait()}"
        return json.loads(line)
