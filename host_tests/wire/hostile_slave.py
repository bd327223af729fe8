"""A Modbus slave that does everything wrong that a slave, a line or an adapter can do, as a script says.

Each request takes the next word of `script`; when it is used up the slave behaves. Every reply, good or bad, is made of
a count that grows by one with each request, so that a number which the driver gives can be traced to one request:
`energy` of request n is `BASE + n` Wh, in every register pair.
"""

import asyncio
import random
import struct

from pymodbus.framer.rtu import FramerRTU

BASE = 1_000_000

WORDS = (
    "good",
    "silent",
    "late",  # after the driver has given up, before its next try or into it
    "short",
    "corrupt",
    "foreign",  # of another address
    "function",  # of another function
    "length",  # with a valid CRC, but more or fewer registers than asked
    "garbage before",
    "garbage after",
    "split",  # byte by byte, with gaps
    "babble",  # for a while
    "echo",  # the request, then the reply
    "echo only",
    "exception",
    "twice",
    "foreign first",  # somebody else's reply, then ours
    "zeros",
)


def framed(body):
    return bytes(body) + FramerRTU.compute_CRC(bytes(body)).to_bytes(2, "big")


class HostileSlave:
    """Speaks for an SDM630 at address 1. Give `received` to a `Line`, and the line's `write` to it."""

    def __init__(self, script=(), seed=0, thinks_ms=60):
        self.script = list(script)
        self.requests = 0
        self.write = None
        self._thinks_s = thinks_ms / 1000
        self._random = random.Random(seed)
        self._heard = b""
        self._tasks = set()

    def received(self, data):
        self._heard += data
        while len(self._heard) >= 8:
            request, self._heard = self._heard[:8], self._heard[8:]
            assert framed(request[:6]) == request, f"the driver sent {request.hex()}"
            self.requests += 1
            word = self.script.pop(0) if self.script else "good"
            task = asyncio.get_running_loop().create_task(self._answer(word, request, self.requests))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stop(self):
        for task in self._tasks:
            task.cancel()

    @staticmethod
    def numbers(n):
        """The measurement that the reply to request `n` stands for."""
        return [BASE + n, 100 + n, *[(200 + n) * 1000] * 3, *[(1000 + n) * 10] * 3, 50 * 100]

    def _reply(self, request, n):
        count = request[4] << 8 | request[5]
        cells = dict.fromkeys(range(0, 2 * count, 4), 0.0)
        for register, value in (
            *[(2 * phase, 1000 + n) for phase in range(3)],
            *[(6 + 2 * phase, 200 + n) for phase in range(3)],
            (0x34, 100 + n),
            (0x46, 50),
            (0x48, (BASE + n) / 1000),
        ):
            cells[2 * register] = value
        data = b"".join(struct.pack(">f", cells[at]) for at in sorted(cells))
        return framed(bytes((1, 4, 2 * count)) + data)

    async def _answer(self, word, request, n):
        reply, some = self._reply(request, n), self._random
        noise = some.randbytes(some.randrange(1, 12))
        if word == "late":
            await asyncio.sleep(self._thinks_s * some.uniform(1.1, 2.5))
        elif word == "silent":
            return
        elif word == "corrupt":
            reply = bytearray(reply)
            for _ in range(some.choice((1, 1, 2, 20))):
                reply[some.randrange(len(reply))] ^= 1 << some.randrange(8)
        simple = {
            "short": reply[: some.randrange(1, len(reply))],
            "foreign": framed(bytes((2,)) + reply[1:-2]),
            "function": framed(bytes((1, 3)) + reply[2:-2]),
            "length": framed(bytes((1, 4, 4)) + reply[3:7])
            if some.random() < 0.5
            else framed(bytes((1, 4, 156)) + reply[3:-2] + bytes(8)),
            "garbage before": noise + reply,
            "garbage after": reply + noise,
            "echo": request + reply,
            "echo only": request,
            "exception": framed((1, 0x84, some.choice((1, 2, 3, 4, 6)))),
            "twice": reply + reply,
            "foreign first": framed((2, 4, 2, 0, 0)) + reply,
            "zeros": bytes(len(reply)),
        }
        if word == "split":
            for at in range(0, len(reply), 8):
                self.write(reply[at : at + 8])
                await asyncio.sleep(some.choice((0, 0.001)))
        elif word == "babble":
            for _ in range(some.randrange(5, 40)):
                self.write(some.randbytes(10))
                await asyncio.sleep(0.005)
        else:
            self.write(simple.get(word, bytes(reply)))
