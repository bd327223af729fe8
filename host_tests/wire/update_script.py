"""Runs in MicroPython: the board's CBOR, signatures and packages, so that CPython can compare.

A line of stdin is JSON [what, …], a line of stdout the JSON of the answer:

    ["cbor", HEX]                             the item, strings as {"hex"}, tags as {"tag", "of"}; or {"refused"}
    ["p256", KEY, MESSAGE, SIGNATURE]         true, false, or the text of the ValueError
    ["rsa", N, E, SALT, MESSAGE, SIGNATURE]   the same; SALT -1 is PKCS1-v1_5
    ["take", STATION, HEX, PIECE]             a package in pieces of so many bytes: {"reason", "manifest", "sink", …}
    ["mutate", STATION, HEX, [XOR, …]]        each byte changed in each way: [[offset, xor, reason, sink bytes], …]
    ["truncate", STATION, HEX]                cut at each length: [[length, reason, sink bytes], …]

STATION: {"keys": [HEX], "sequence": n, "inventory": {name: [vendor, class, [version], limit]}}
"""

import asyncio
import binascii
import hashlib
import json
import sys

from station.crypto import p256, rsa
from station.update import cbor
from station.update.components import Status
from station.update.envelope import Package
from station.update.refused import Refused

hexed = binascii.hexlify
unhexed = binascii.unhexlify


def item_of(reader, depth=0):
    kind = reader.peek()
    if kind in (cbor.UINT, cbor.NEGATIVE):
        return reader.integer()
    if kind == cbor.STRING:
        return {"hex": hexed(reader.string()).decode()}
    if kind == cbor.TEXT:
        return reader.text()
    if kind == cbor.ARRAY:
        return [item_of(reader) for _ in range(reader.array())]
    if kind == cbor.MAP:
        return {"map": [[item_of(reader), item_of(reader)] for _ in reader.map_starts()]}
    if kind == cbor.TAG:
        return {"tag": reader.tag(), "of": item_of(reader)}
    return reader.simple()


def read_cbor(text):
    data = unhexed(text)
    try:
        reader = cbor.Reader(data)
        reader.skip()
        reader.finish()
    except cbor.CborError as error:
        return {"refused": str(error)}
    reader = cbor.Reader(data)
    found = item_of(reader)
    reader.finish()
    return found


def read_p256(key, message, signature):
    digest = hashlib.sha256(unhexed(message)).digest()
    try:
        return p256.verify(unhexed(key), digest, unhexed(signature))
    except ValueError as error:
        return str(error)


def read_rsa(n, e, salt, message, signature):
    digest = hashlib.sha256(unhexed(message)).digest()
    n, e, signature = int(n, 16), int(e, 16), unhexed(signature)
    try:
        return rsa.verify_pkcs1(n, e, digest, signature) if salt < 0 else rsa.verify_pss(n, e, digest, signature, salt)
    except ValueError as error:
        return str(error)


class Sink:
    """Keeps a hash of what it is given, component by component."""

    def __init__(self):
        self.bytes = 0
        self.hashes = {}
        self.sizes = {}

    async def __call__(self, component, offset, piece):
        if component.name not in self.hashes:
            self.hashes[component.name] = hashlib.sha256()
            self.sizes[component.name] = 0
        assert offset == self.sizes[component.name]
        self.hashes[component.name].update(piece)
        self.sizes[component.name] += len(piece)
        self.bytes += len(piece)


def package(station, sink):
    inventory = {
        name: Status(unhexed(vendor), unhexed(class_id), tuple(version), limit)
        for name, (vendor, class_id, version, limit) in station["inventory"].items()
    }
    return Package([unhexed(key) for key in station["keys"]], inventory, station["sequence"], sink)


async def fed(station, data, piece):
    """(refused or None, the package, its sink)"""
    sink = Sink()
    found = package(station, sink)
    try:
        for at in range(0, len(data), piece):
            await found.feed(data[at : at + piece])
        found.finish()
    except Refused as refused:
        return refused, found, sink
    return None, found, sink


async def take(station, text, piece):
    refused, found, sink = await fed(station, memoryview(unhexed(text)), piece)
    manifest = found.manifest
    return {
        "reason": refused and refused.reason,
        "text": refused and refused.text,
        "sink": {name: hexed(hash_.digest()).decode() for name, hash_ in sink.hashes.items()},
        "bytes": sink.bytes,
        "manifest": manifest
        and {
            "sequence": manifest.sequence_number,
            "version": list(manifest.version),
            "order": [
                [part.name, list(part.version), part.size, hexed(part.digest).decode(), part.uri]
                for part in manifest.order
            ],
            "needs": {
                part.name: [[sign, list(version)] for sign, version in part.needs] for part in manifest.components
            },
        },
    }


async def mutate(station, text, ways):
    data = bytearray(unhexed(text))
    rows = []
    for at in range(len(data)):
        for way in ways:
            data[at] ^= way
            refused, _, sink = await fed(station, memoryview(data), len(data))
            rows.append([at, way, refused and refused.reason, sink.bytes])
            data[at] ^= way
    return rows


async def truncate(station, text):
    data = memoryview(unhexed(text))
    rows = []
    for size in range(len(data)):
        refused, _, sink = await fed(station, data[:size], max(1, size))
        rows.append([size, refused and refused.reason, sink.bytes])
    return rows


for line in sys.stdin:
    what, *words = json.loads(line)
    if what in ("take", "mutate", "truncate"):
        answer = asyncio.run({"take": take, "mutate": mutate, "truncate": truncate}[what](*words))
    else:
        answer = {"cbor": read_cbor, "p256": read_p256, "rsa": read_rsa}[what](*words)
    print(json.dumps(answer))
