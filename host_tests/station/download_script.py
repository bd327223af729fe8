"""Run by MicroPython: downloads a file. A line of stdin is {"url", "ca": PEM or null, "stall_ms"?}.

A line of stdout: {"sha256", "bytes", "size", "heap": bytes by which the heap in use grew while it came} or {"error",
"retry"}.
"""

import asyncio
import binascii
import gc
import hashlib
import json
import sys

for path in ("boards/unix", "firmware"):
    sys.path.insert(0, path)

from station.transfer.download import Download  # noqa: E402
from station.transfer.errors import TransferError  # noqa: E402

patience = asyncio.wait_for_ms


def used():
    gc.collect()
    return gc.mem_alloc()


async def fetch(words):
    if "stall_ms" in words:
        asyncio.wait_for_ms = lambda awaited, ms: patience(awaited, words["stall_ms"])
    hashed, view, before, grown = hashlib.sha256(), memoryview(bytearray(512)), None, 0
    download = None
    try:
        download = Download(words["url"], words["ca"].encode() if words["ca"] else None, lambda ms: asyncio.sleep_ms(1))
        while True:
            count = await download.read_into(view)
            if not count:
                break
            hashed.update(view[:count])
            if download.received % 65536 < 512:
                before = before or used()
                grown = max(grown, used() - before)
        sha = binascii.hexlify(hashed.digest()).decode()
        return {"sha256": sha, "bytes": download.received, "size": download.size, "heap": grown}
    except TransferError as error:
        return {"error": str(error), "retry": error.retry}
    finally:
        if download:
            download.close()


for line in sys.stdin:
    print(json.dumps(asyncio.run(fetch(json.loads(line)))))
