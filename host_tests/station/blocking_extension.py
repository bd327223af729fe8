"""A vendor extension for tests (MicroPython): messages that keep the event loop from running, each for BLOCK_MS.

Vendor "test.block"; the messages are the names in HOWS. Each answers with what the world's clock (ms) said:
{"from", "to"}: of the time in which no task ran; "leaves": when connector 1's car leaves. Message "fall" makes the
loop end with an error.
"""

import gc
import hashlib
import json
import time

import board
from station.storage import filesystem

VENDOR = "test.block"
HOWS = ("sleep", "compute", "heap", "collect", "flash", "native")
BLOCK_MS = 5000


class Blocker:
    def __init__(self, app) -> None:
        self._app = app
        self._outlet = board._world.outlets[0]
        for how in HOWS:
            app.data_transfer.register(VENDOR, how, self.blocked(getattr(self, how)))
        app.data_transfer.register(VENDOR, "fall", self.fall)

    def blocked(self, work):
        def handle(data):
            began = board._world.now()
            leaves = self._outlet.ev.leave_at
            until = time.ticks_add(time.ticks_ms(), BLOCK_MS)
            work(until)
            row = {"from": began, "to": board._world.now(), "leaves": leaves}
            return "Accepted", json.dumps(row)

        return handle

    def left(self, until) -> int:
        return time.ticks_diff(until, time.ticks_ms())

    def sleep(self, until) -> None:
        time.sleep_ms(self.left(until))

    def compute(self, until) -> None:
        """Python that never awaits."""
        while self.left(until) > 0:
            pass

    def heap(self, until) -> None:
        """Not a byte is free, and everybody who asks for one collects garbage in vain."""
        size, taken = 65536, None
        while size >= 16:
            try:
                taken = (taken, bytearray(size))
            except MemoryError:
                size //= 2
        refused = 0
        while self.left(until) > 0:
            try:
                bytearray(4096)
            except MemoryError:
                refused += 1
        taken = None
        gc.collect()
        assert refused, "there was room all the time"

    def collect(self, until) -> None:
        while self.left(until) > 0:
            gc.collect()

    def flash(self, until) -> None:
        """Erases and programs, as a large file being replaced does."""
        path = filesystem.ROOT + "/scratch"
        while self.left(until) > 0:
            with open(path, "w") as file:
                file.write("x" * 16384)

    def native(self, until) -> None:
        """Within the interpreter's C code, where no bytecode runs: hashing, and big numbers."""
        data = bytearray(16384)
        while self.left(until) > 0:
            hashlib.sha256(data).digest()
            pow(3, (1 << 2048) - 159, (1 << 2048) - 1942289)

    def fall(self, data) -> tuple:
        def healthy():
            raise RuntimeError("fallen on demand")

        self._app.supervisor.healthy = healthy
        return "Accepted", None


def extend(app) -> None:
    Blocker(app)
