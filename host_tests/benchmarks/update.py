"""In MicroPython: what verifying costs. Prints one JSON object with

es256_ms, rsa2048_ms           time of one verification, P-256 and RSA-2048 (PKCS1-v1_5)
es256_garbage, …               bytes that one allocates, all in all
es256_heap, …                  bytes of heap that one needs at once, at most, garbage not counted
es256_part_ms, …               the longest part of it between two looks at the clock
package_heap                   bytes of heap for reading a package: buffers, manifest, no payload
package_kib_ms                 time for 1 KiB of payload: hashed and handed on in pieces of 512 bytes
"""

import asyncio
import binascii
import gc
import hashlib
import json
import time

import packages
from station.crypto import p256, rsa
from station.update.envelope import Package
from station.update.manifest import Component
from station.update.payload import Payload

_ROUNDS = 20
_PIECE = 512
_PIECES = 2048

KEY = binascii.unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SIGNATURE = binascii.unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
DIGEST = hashlib.sha256(b"sample").digest()
MODULUS = (1 << 2047) + 0x1234567  # any odd number costs the same; what comes out is no padding


def es256():
    return p256._verify(KEY, DIGEST, SIGNATURE)


def rsa2048():
    return rsa._verify(MODULUS, 65537, DIGEST, b"\x5a" * 256, -1)


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
