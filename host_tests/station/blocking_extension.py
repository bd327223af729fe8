"""A vendor extension for tests (MicroPython): messages that keep the event loop from running, each for BLOCK_MS.

Vendor "test.block"; the messages are the names in HOWS. Each answers with what the world's clock (ms) said:
{"from", "to"}: of the time in which no task ran; "leaves": when connector 1's car leaves. Message "fall" makes the
loop end with an error, "hang" never comes back.
"""

import gc
import hashlib
import json
import time

import board
from station.storage import filesystem

VENDOR = "test.block"
HOWS = ("sleep", "compute", "heap", "collect", "flash", "native", "handshake")
BLOCK_MS = 5000


class Blocker:
    def __init__(self, app) -> None:
        self._app = app
        self._outlet = board.world().outlets[0]
        for how in HOWS:
            app.data_transfer.register(VENDOR, how, self.blocked(getattr(self, how)))
        app.data_transfer.register(VENDOR, "fall", self.fall)
        app.data_transfer.register(VENDOR, "hang", self.hang)

    def blocked(self, work):
        def handle(data):
            began = board.world().now()
            leaves = self._outlet.ev.leave_at
            until = time.ticks_add(time.ticks_ms(), BLOCK_MS)
            work(until, data)
            row = {"from": began, "to": board.world().now(), "leaves": leaves, "stated": board.INTERLOCK_OPENS_MS}
            return "Accepted", json.dumps(row)

        return handle

    def left(self, until) -> int:
        return time.ticks_diff(until, time.ticks_ms())

    def sleep(self, until, _) -> None:
        time.sleep_ms(self.left(until))

    def compute(self, until, _) -> None:
        """Python that never awaits."""
        while self.left(until) > 0:
            pass

    def heap(self, until, _) -> None:
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

    def collect(self, until, _) -> None:
        while self.left(until) > 0:
            gc.collect()

    def flash(self, until, _) -> None:
        """Erases and programs, as a large file being replaced does."""
        path = filesystem.ROOT + "/scratch"
        while self.left(until) > 0:
            with open(path, "w") as file:
                file.write("x" * 16384)

    def native(self, until, _) -> None:
        """Within the interpreter's C code, where no bytecode runs: hashing, and big numbers."""
        data = bytearray(16384)
        while self.left(until) > 0:
            hashlib.sha256(data).digest()
            pow(3, (1 << 256) - 159, (1 << 2048) - 1942289)  # up to a second on a small chip

    def handshake(self, until, port) -> None:
        """TLS with the host's server at `port`, from the first message to the last, again and again."""
        import socket
        import ssl

        done = 0
        while self.left(until) > 0:
            connection = socket.socket()
            connection.connect(socket.getaddrinfo("10.0.2.2", int(port))[0][-1])
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(connection, server_hostname="10.0.2.2").close()
            connection.close()
            done += 1
            gc.collect()
        assert done, "no handshake"

    def fall(self, data) -> tuple:
        def healthy():
            raise RuntimeError("fallen on demand")

        self._app.supervisor.healthy = healthy
        return "Accepted", None

    def hang(self, data) -> None:
        while True:
            pass


def extend(app) -> None:
    Blocker(app)
