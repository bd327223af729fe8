"""In MicroPython: what verifying costs. Prints one JSON object with

es256_ms, rsa2048_ms           time of one verification, P-256 and RSA-2048 (PKCS1-v1_5)
es256_garbage, …               bytes that one allocates, all in all
es256_heap, …                  bytes of heap that one needs at once, at most, garbage not counted
es256_part_ms, …               the longest part of it between two looks at the clock
package_heap                   bytes of heap for reading a package: buffers, manifest, no payload
package_kib_ms                 time for 1 KiB of payload: hashed and handed on in pieces of 512 bytes
"""

import asyncio
import gc
import json
import time

import packages
from signatures import es256, rsa2048
from station.update.envelope import Package
from station.update.manifest import Component
from station.update.payload import Payload

_ROUNDS = 20
_PIECE = 512
_PIECES = 2048


def measure(name, work):
    """The figures of one kind of verification; `work` makes its generator."""
    found = {}
    began = time.ticks_us()
    for _ in range(_ROUNDS):
        for _ in work():
            pass
    found[name + "_ms"] = time.ticks_diff(time.ticks_us(), began) / _ROUNDS / 1000

    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in work():
        pass
    found[name + "_garbage"] = gc.mem_alloc() - before
    gc.enable()

    gc.collect()
    before = gc.mem_alloc()
    most = longest = 0
    began = time.ticks_us()
    for _ in work():
        longest = max(longest, time.ticks_diff(time.ticks_us(), began))
        gc.collect()
        most = max(most, gc.mem_alloc() - before)
        began = time.ticks_us()
    found[name + "_heap"] = most
    found[name + "_part_ms"] = longest / 1000
    return found


async def package_heap():
    async def sink(component, offset, piece):
        gc.collect()
        heap.append(gc.mem_alloc())

    heap = []
    inventory = packages.inventory()
    piece = memoryview(packages.PACKAGE)
    gc.collect()
    before = gc.mem_alloc()
    package = Package((packages.KEY,), inventory, 0, sink)
    await package.feed(piece)
    package.finish()
    return max(heap) - before


async def payload_ms():
    async def sink(component, offset, piece):
        pass

    component = Component("x")
    component.size = _PIECE * _PIECES
    payload = Payload(component, sink)
    piece = memoryview(bytearray(_PIECE))
    began = time.ticks_us()
    for _ in range(_PIECES):
        await payload.feed(piece)
    return time.ticks_diff(time.ticks_us(), began) / 1000 / (component.size / 1024)


figures = measure("es256", es256)
figures.update(measure("rsa2048", rsa2048))
figures["package_heap"] = asyncio.run(package_heap())
figures["package_kib_ms"] = asyncio.run(payload_ms())
print(json.dumps(figures))
