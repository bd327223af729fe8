"""A package as it arrives: the order of what happens, what faults leave, and what lies in memory meanwhile.

What is refused, and by which word, is tried by host_tests/wire on packages that are made for it.
"""

import asyncio
import binascii
import gc
import hashlib
import unittest

import packages
from packages import KEY, PACKAGE
from station.update import cose, version
from station.update.envelope import Package
from station.update.manifest import Component
from station.update.payload import Payload
from station.update.refused import Refused


class Sink:
    def __init__(self, package=None):
        self.pieces = []
        self.package = package
        self.fails = False

    async def __call__(self, component, offset, piece):
        await asyncio.sleep_ms(0)
        if self.fails:
            raise OSError(5)
        assert self.package is None or self.package.manifest is not None
        self.pieces.append((component.name, offset, bytes(piece)))

    def payload(self, name):
        return b"".join([piece for other, _, piece in self.pieces if other == name])


def package(sink, keys=(KEY,), sequence=12):
    sink.package = Package(keys, packages.inventory(), sequence, sink)
    return sink.package


def feed(found, *pieces):
    async def run():
        for piece in pieces:
            await found.feed(piece)

    asyncio.run(run())


class _Case(unittest.TestCase):
    def refused(self, call, *arguments):
        with self.assertRaises(Refused) as context:
            call(*arguments)
        return context.exception


class TestPackage(_Case):
    def test_it_is_taken(self):
        sink = Sink()
        found = package(sink)
        feed(found, PACKAGE)
        found.finish()
        self.assertEqual(found.received, len(PACKAGE))
        self.assertEqual([part.name for part in found.manifest.order], ["router", "application"])
        self.assertEqual([part.name for part in found.manifest.components], ["router", "application", "plc"])
        self.assertEqual((sink.payload("router"), sink.payload("application")), (packages.ROUTER, packages.APPLICATION))

    def test_byte_by_byte_offsets_go_on(self):
        sink = Sink()
        found = package(sink)
        feed(found, *[PACKAGE[i : i + 1] for i in range(len(PACKAGE))])
        found.finish()
        offsets = [offset for name, offset, _ in sink.pieces if name == "router"]
        self.assertEqual(offsets, list(range(len(packages.ROUTER))))
        self.assertEqual(sink.payload("application"), packages.APPLICATION)

    def test_the_signature_is_judged_before_the_manifest_has_come(self):
        sink = Sink()
        found = package(sink, keys=(cose_key(),))
        begin = PACKAGE[: PACKAGE.index(b"\x03\x59")]
        error = self.refused(feed, found, begin)
        self.assertEqual((error.reason, sink.pieces), ("Signature", []))

    def test_a_fault_stays(self):
        found = package(Sink())
        changed = bytearray(PACKAGE)
        changed[300] ^= 1
        first = self.refused(feed, found, changed)
        self.assertEqual(first.reason, "Digest")
        self.assertIs(self.refused(feed, found, PACKAGE), first)
        self.assertIs(self.refused(found.finish), first)

    def test_it_ends_early(self):
        found = package(Sink())
        feed(found, PACKAGE[:-1])
        self.assertIn("after %d bytes" % (len(PACKAGE) - 1), self.refused(found.finish).text)

    def test_it_goes_on(self):
        found = package(Sink())
        feed(found, PACKAGE)
        self.assertEqual(self.refused(feed, found, b"\x00").reason, "Trailing")

    def test_the_same_again_and_an_older_one(self):
        feed(package(Sink(), sequence=11), PACKAGE)
        self.assertEqual(self.refused(feed, package(Sink(), sequence=13), PACKAGE).reason, "Sequence")

    def test_a_sink_that_fails_is_heard_and_nothing_is_whole(self):
        sink = Sink()
        found = package(sink)
        sink.fails = True
        with self.assertRaises(OSError):
            feed(found, PACKAGE)
        self.assertEqual(self.refused(found.finish).reason, "Truncated")

    def test_a_payload_leaves_nothing_in_memory(self):
        """The heap at its 10th byte and at its 290th, when each byte comes by itself."""
        heap = {}

        async def sink(component, offset, piece):
            if component.name == "router" and offset in (10, 290):
                gc.collect()
                heap[offset] = gc.mem_alloc()

        found = Package((KEY,), packages.inventory(), 12, sink)
        view = memoryview(PACKAGE)
        start = PACKAGE.index(packages.ROUTER)
        feed(found, view[:start])
        feed(found, *[view[i : i + 1] for i in range(start, start + 300)])
        self.assertLessEqual(heap[290] - heap[10], 128)


class TestPayload(_Case):
    """As it is used for one that is fetched from its URI."""

    def setUp(self):
        self.component = Component("router")
        self.component.size = 6
        self.component.digest = memoryview(hashlib.sha256(b"abcdef").digest())
        self.sink = Sink()
        self.payload = Payload(self.component, self.sink)

    def test_it_is_whole(self):
        feed(self.payload, memoryview(b"abcd"), memoryview(b"ef"))
        self.payload.finish()
        self.assertEqual(self.sink.pieces, [("router", 0, b"abcd"), ("router", 4, b"ef")])

    def test_it_is_short_long_or_another(self):
        feed(self.payload, memoryview(b"abcde"))
        self.assertEqual(self.refused(self.payload.finish).reason, "Truncated")
        self.assertEqual(self.refused(feed, self.payload, memoryview(b"fg")).reason, "Size")
        self.assertEqual(self.sink.payload("router"), b"abcde")
        feed(self.payload, memoryview(b"F"))
        self.assertEqual(self.refused(self.payload.finish).reason, "Digest")


def cose_key():
    """The public key of the examples in draft-ietf-suit-manifest, appendix B."""
    return binascii.unhexlify(
        "8496811aae0baaabd26157189eecda26beaa8bf11b6f3fe6e2b5659c85dbc0ad"
        "3b1f2a4b6c098131c0a36dacd1d78bd381dcdfb09c052db33991db7338b4a896"
    )


EXAMPLES = (  # digest and signature of examples 0 and 1 of draft 18
    (
        "6658ea560262696dd1f13b782239a064da7c6c5cbaf52fded428a6fc83c7e5af",
        "01d9cbf51b1ccadf839ec867da85735118ba4c1b513f5df60583e8dd7f8ce427"
        "4cd2e2a0f70f8832bfea63983172e77a951e9a36e74cada19321b903a097e4e7",
    ),
    (
        "176653ec03837a8d32b1eb0b91ea5e8a2256bc2e7c02e5bb7f45f431fa926f3e",
        "a78dbd584dbdea66ab024179dac2f4b244940e9dfe1337bb833e3e3df2562a0f"
        "ceb77e64980e0ddcc24b8abb63b78aad9ad42fd244b684dd39859f84740239e8",
    ),
)


class TestPublishedSignatures(_Case):
    def wrapper(self, digest, signature, unprotected=b"\xa0", protected=b"\x43\xa1\x01\x26", tail=b""):
        block = b"\xd2\x84" + protected + unprotected + b"\xf6\x58\x40" + signature + tail
        return b"\x82\x58\x24\x82\x2f\x58\x20" + digest + b"\x58" + bytes((len(block),)) + block

    def test_they_are_of_the_published_key(self):
        for digest, signature in EXAMPLES:
            digest, signature = binascii.unhexlify(digest), binascii.unhexlify(signature)
            found = asyncio.run(cose.authenticate(self.wrapper(digest, signature), (KEY, cose_key())))
            self.assertEqual(bytes(found), digest)
            with self.assertRaises(Refused):
                asyncio.run(cose.authenticate(self.wrapper(digest, signature), (KEY,)))

    def test_headers_beside_the_algorithm(self):
        digest, signature = [binascii.unhexlify(part) for part in EXAMPLES[0]]
        for words in (
            {"unprotected": b"\xa1\x04\x41k"},
            {"protected": b"\x43\xa1\x01\x27"},
            {"protected": b"\x41\xa0"},
            {"protected": b"\x45\xa2\x01\x26\x02\x80"},
            {"tail": b"\x00"},
        ):
            with self.assertRaises((Refused, ValueError)):
                asyncio.run(cose.authenticate(self.wrapper(digest, signature, **words), (cose_key(),)))


class TestVersions(unittest.TestCase):
    def test_order(self):
        rising = ((0, 9), (1,), (1, 0, 1), (1, 2, -3), (1, 2, -2, 4), (1, 2, -1), (1, 2, -1, 1), (1, 2, 0), (1, 10))
        for i in range(len(rising)):
            for k in range(i):
                self.assertEqual(version.compare(rising[k], rising[i]), -1, (rising[k], rising[i]))

    def test_only_as_far_as_it_is_said(self):
        self.assertTrue(version.fits((1, 9, 2), version.EQUAL, (1,)))
        self.assertTrue(version.fits((1, 2), version.EQUAL, (1, 2, 0)))
        self.assertFalse(version.fits((1, 9, 2), version.GREATER, (1,)))
        self.assertFalse(version.fits((1, 9, 2), version.LESSER, (1,)))

    def test_each_comparison(self):
        for comparison, allowed in (
            (version.GREATER, (False, False, True)),
            (version.GREATER_EQUAL, (False, True, True)),
            (version.EQUAL, (False, True, False)),
            (version.LESSER_EQUAL, (True, True, False)),
            (version.LESSER, (True, False, False)),
        ):
            found = tuple([version.fits(mine, comparison, (1, 2)) for mine in ((1, 1), (1, 2), (1, 3))])
            self.assertEqual(found, allowed, comparison)

    def test_for_people(self):
        self.assertEqual(version.text((1, 2, 0, -1, 3)), "1.2.0-rc.3")
        self.assertEqual(version.text((2,), version.GREATER_EQUAL), ">= 2")
        self.assertEqual(version.text((1, 2, -3), version.LESSER), "< 1.2-alpha")


class TestHeap(unittest.TestCase):
    """A heap that has run for weeks: holes between blocks that stay, none of them large."""

    HOLE = 2304  # bytes: what a download takes for itself in one piece, and some more

    def test_a_package_is_read_in_holes(self):
        gc.collect()
        blocks = [None] * (gc.mem_free() // self.HOLE + 1)
        count = 0
        try:
            while True:
                blocks[count] = bytearray(self.HOLE)
                count += 1
        except MemoryError:
            pass
        for i in range(0, count, 2):
            blocks[i] = None
        gc.collect()
        with self.assertRaises(MemoryError):
            bytearray(2 * self.HOLE)
        sink = Sink()
        found = package(sink)
        feed(found, *[memoryview(PACKAGE)[at : at + 512] for at in range(0, len(PACKAGE), 512)])
        found.finish()
        self.assertEqual(sink.payload("router"), packages.ROUTER)
        self.assertEqual(sink.payload("application"), packages.APPLICATION)
