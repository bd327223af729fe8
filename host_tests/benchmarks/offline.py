"""The firmware as a process with a full journal: how long it takes to deliver it, once the backend is back.

The backend answers at once and checks nothing, so that the station is what is measured.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from websockets.asyncio.server import serve

from tools.peer import QUIET
from tools.process import StationProcess
from tools.provisioning import provisioning

ROOT = Path(__file__).resolve().parents[2]
HEAP = "1M"
TRANSACTION = ("StartTransaction", "MeterValues", "StopTransaction")
_WITHIN_S = 600


class _Backend:
    """`done` is set when so many messages about transactions have been answered, `took` seconds after the first."""

    def __init__(self, count):
        self.took = 0
        self.done = asyncio.Event()
        self._count = count
        self._began = 0
        self._ids = set()

    async def serve(self, socket):
        async for text in socket:
            kind, unique_id, *call = json.loads(text)
            if kind == 2:
                await socket.send(json.dumps([3, unique_id, self._answer(unique_id, call[0])]))

    def _answer(self, unique_id, action):
        if action in TRANSACTION:
            self._began = self._began or time.perf_counter()
            self._ids.add(unique_id)
            if len(self._ids) == self._count:
                self.took = time.perf_counter() - self._began
                self.done.set()
        if action == "StartTransaction":
            return {"transactionId": len(self._ids), "idTagInfo": {"status": "Accepted"}}
        if action == "BootNotification":
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            return {"status": "Accepted", "interval": 300, "currentTime": moment}
        return {}


def _fill(box, count):
    program = Path(sys.executable).with_name("micropython")
    script = Path(__file__).with_name("offline_fill.py")
    paths = [ROOT / "boards" / "unix", ROOT / "firmware", box.state_dir / "provision.json", box.state_dir]
    words = [program, "-X", "heapsize=4M", script, *paths, str(count)]
    subprocess.run([str(word) for word in words], check=True)


async def _deliver(count):
    backend = _Backend(count)
    options = {"subprotocols": ["ocpp1.6"], "compression": None, "logger": QUIET}
    async with serve(backend.serve, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        with tempfile.TemporaryDirectory() as folder:
            box = StationProcess(provisioning(f"ws://127.0.0.1:{port}/ocpp"), folder, heap=HEAP)
            async with box:
                await box.kill()
                _fill(box, count)
                await box.start()
                await asyncio.wait_for(backend.done.wait(), _WITHIN_S)
    return backend.took


def deliver(count):
    """Seconds from the first of so many messages to the answer to the last."""
    return asyncio.run(_deliver(count))


if __name__ == "__main__":
    print(deliver(10_000))
