"""TCP inside the process: what the socket does not take, what times out, and that nothing is left behind."""

import asyncio
import errno
import socket
import time
import unittest
from asyncio import core

from loopback import Backend, listen
from station.transfer import transport as module
from station.transfer.transport import WRITE_TIMEOUT_MS, Transport, tls_context

CHUNK = bytes(range(256)) * 256  # 64 KiB
MUCH = 200  # of them: more than the system's buffers of both sides hold


async def settle(count=20):
    """Let every task run as far as it can."""
    for _ in range(count):
        await asyncio.sleep_ms(0)


class Resolver:
    """In place of the module `socket`: one name with several addresses."""

    SOCK_STREAM = socket.SOCK_STREAM
    socket = socket.socket

    def __init__(self, ports):
        self._ports = ports

    def getaddrinfo(self, host, port, *more):
        return [socket.getaddrinfo("127.0.0.1", one, *more)[0] for one in self._ports]


def unused_port():
    listener, port = listen()
    listener.close()
    return port


class TransportTest(unittest.TestCase):
    def setUp(self):
        self.backend = Backend()
        self.transport = Transport()

    def tearDown(self):
        self.transport.close()
        self.backend.close()
        module.socket = socket
        self.assertEqual(core._io_queue.map, {})

    async def connect(self):
        await self.transport.open("127.0.0.1", self.backend.port)
        return await self.backend.accept()

    async def read_all(self, peer, size):
        """True if the next `size` bytes are CHUNKs."""
        at = 0
        while at < size:
            data = await peer.stream.read(len(CHUNK) - at % len(CHUNK))
            start = at % len(CHUNK)
            if data != CHUNK[start : start + len(data)]:
                return False
            at += len(data)
        return True

    def test_bytes_both_ways_and_the_end(self):
        async def test():
            peer = await self.connect()
            self.transport.write(b"hello")
            self.assertEqual(await peer.stream.readexactly(5), b"hello")
            await self.transport.drained()
            peer.stream.write(b"hi")
            await peer.stream.drain()
            buffer = bytearray(10)
            self.assertEqual(await self.transport.read_into(buffer), 2)
            self.assertEqual(buffer[:2], b"hi")
            peer.close()
            self.assertEqual(await self.transport.read_into(buffer), 0)

        asyncio.run(test())

    def test_what_the_socket_does_not_take_is_kept_and_written_in_order(self):
        async def test():
            peer = await self.connect()
            pump = asyncio.create_task(self.transport.pump())
            for _ in range(MUCH):
                self.transport.write(CHUNK)
            kept = self.transport.kept
            self.assertGreater(kept, 0)
            drained = asyncio.create_task(self.transport.drained())
            await settle()
            self.assertFalse(drained.done())
            self.assertTrue(await self.read_all(peer, MUCH * len(CHUNK)))
            await drained
            self.assertEqual(self.transport.kept, 0)
            self.transport.write(b"and on")
            self.assertEqual(await peer.stream.readexactly(6), b"and on")
            pump.cancel()

        asyncio.run(test())

    def test_a_peer_that_takes_nothing_is_an_error_in_the_end(self):
        async def test():
            await self.connect()
            pump = asyncio.create_task(self.transport.pump())
            for _ in range(MUCH):
                self.transport.write(CHUNK)
            await settle()
            time.advance(WRITE_TIMEOUT_MS)
            with self.assertRaises(OSError) as caught:
                await pump
            self.assertEqual(caught.exception.errno, errno.ETIMEDOUT)

        asyncio.run(test())

    def test_close_sets_free_who_waits_and_leaves_nothing_with_the_poller(self):
        async def test():
            await self.connect()
            pump = asyncio.create_task(self.transport.pump())
            reader = asyncio.create_task(self.transport.read_into(bytearray(10)))
            for _ in range(MUCH):
                self.transport.write(CHUNK)
            drained = asyncio.create_task(self.transport.drained())
            await settle()
            self.assertEqual(len(core._io_queue.map), 1)
            reader.cancel()
            pump.cancel()
            self.transport.close()
            self.assertEqual(core._io_queue.map, {})
            await drained
            self.transport.close()

        asyncio.run(test())

    def test_close_takes_the_waiting_writer_from_the_poller(self):
        async def test():
            await self.connect()
            pump = asyncio.create_task(self.transport.pump())
            for _ in range(MUCH):
                self.transport.write(CHUNK)
            await settle()
            self.assertEqual(len(core._io_queue.map), 1)
            pump.cancel()
            self.transport.close()
            self.assertEqual(core._io_queue.map, {})

        asyncio.run(test())

    def test_nobody_listens(self):
        async def test():
            with self.assertRaises(OSError) as caught:
                await self.transport.open("127.0.0.1", unused_port())
            self.assertEqual(caught.exception.errno, errno.ECONNREFUSED)

        asyncio.run(test())

    def test_the_next_address_is_tried(self):
        async def test():
            module.socket = Resolver((unused_port(), self.backend.port))
            peer = await self.connect()
            self.transport.write(b"x")
            self.assertEqual(await peer.stream.readexactly(1), b"x")

        asyncio.run(test())

    def test_all_addresses_fail_with_the_last_error(self):
        async def test():
            module.socket = Resolver((unused_port(), unused_port()))
            with self.assertRaises(OSError) as caught:
                await self.transport.open("backend.example", 1)
            self.assertEqual(caught.exception.errno, errno.ECONNREFUSED)

        asyncio.run(test())

    def test_a_name_without_addresses(self):
        async def test():
            module.socket = Resolver(())
            with self.assertRaises(OSError):
                await self.transport.open("backend.example", 1)

        asyncio.run(test())

    def test_a_peer_that_resets(self):
        async def test():
            peer = await self.connect()
            self.transport.write(b"unread")
            await settle()
            peer.close()  # with bytes unread: a reset
            with self.assertRaises(OSError):
                for _ in range(3):
                    await self.transport.read_into(bytearray(10))
                    self.transport.write(b"more")

        asyncio.run(test())


class TlsContextTest(unittest.TestCase):
    def test_pem_without_a_certificate(self):
        with self.assertRaises(ValueError):
            tls_context(b"no certificate here")

    def test_pem_with_nonsense_inside(self):
        for nonsense in (b"AAAA", b"!", b""):
            with self.assertRaises(ValueError):
                tls_context(b"-----BEGIN CERTIFICATE-----\n" + nonsense + b"\n-----END CERTIFICATE-----\n")

    def test_der_that_is_none(self):
        with self.assertRaises(ValueError):
            tls_context(b"\x30\x03\x02\x01\x01")
