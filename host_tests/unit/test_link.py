"""The link against a backend inside the process: what each ending leaves behind, and the order of things around it.

Real peers, TLS and bad networks are in host_tests/station/test_link.py.
"""

import asyncio
import json
import time
import unittest
from asyncio import core

from fakes import FakeLog
from loopback import Backend, Settings, listen
from station.ocpp import framer
from station.ocpp import link as link_module
from station.ocpp.incoming import MAX_WAITING
from station.ocpp.link import MAX_KEPT, READ_SIZE, Link, NotConnected

PING = 9
PONG = 10
CLOSE = 8
HEARTBEAT = {"currentTime": "2026-11-22T11:00:00Z"}


async def settle(count=20):
    """Let every task run as far as it can."""
    for _ in range(count):
        await asyncio.sleep_ms(0)


class Transport(link_module.Transport):
    """Its socket takes nothing while `hearing` is not set."""

    def __init__(self):
        super().__init__()
        self.hearing = asyncio.Event()
        self.hearing.set()

    def _write(self, data):
        return super()._write(data) if self.hearing.is_set() else 0

    async def _writable_in_time(self, stream, timeout_ms):
        await self.hearing.wait()
        await super()._writable_in_time(stream, timeout_ms)


class LinkTest(unittest.TestCase):
    def setUp(self):
        link_module.Transport = Transport
        self.log = FakeLog()
        self.backend = Backend()
        self.settings = Settings()
        self.served = []
        self.told = []
        self.told_event = asyncio.Event()
        self.link = None
        self.task = None
        self.peer = None

    def tearDown(self):
        self.backend.close()

    async def serve(self, frame):
        self.served.append(frame[2])
        return framer.result(frame[1], {})

    def tell(self, what):
        self.told.append(what)
        self.told_event.set()

    async def until_told(self, what):
        while what not in self.told:
            self.told_event.clear()
            await self.told_event.wait()

    def make(self, url=None, **more):
        link = self.link = Link(self.settings, self.log, url=url or self.backend.url, serve=self.serve, **more)
        link.on_up = lambda: self.tell("up")
        link.on_down = lambda reason: self.tell("down")

    async def start(self, **more):
        """A link that is up; `self.peer` is the backend's end."""
        self.make(**more)
        self.task = asyncio.create_task(self.link.run())
        await self.meet()

    async def meet(self):
        self.peer = await self.backend.accept()
        lines = await self.peer.shake_hands()
        await self.until_told("up")
        self.told.remove("up")
        return lines

    def run_test(self, test):
        asyncio.run(asyncio.wait_for(test(), 20))

    def test_a_call_and_its_answer(self):
        async def test():
            await self.start()
            self.assertTrue(self.link.connected)
            call = asyncio.create_task(self.link.call("Heartbeat", {}))
            frame = json.loads(await self.peer.text())
            await self.peer.send(framer.result(frame[1], HEARTBEAT))
            self.assertEqual(await call, HEARTBEAT)
            await self.peer.send(framer.call("1", "Reset", {"type": "Soft"}))
            self.assertEqual(json.loads(await self.peer.text()), [3, "1", {}])
            self.assertEqual(self.served, ["Reset"])
            self.task.cancel()

        self.run_test(test)

    def test_trace_tells_of_each_frame(self):
        async def test():
            traced = []
            await self.start(trace=lambda direction, data: traced.append((direction, bytes(data))))
            await self.peer.send(b'[2,"1","Reset",{}]')
            await self.peer.text()
            self.assertEqual(traced, [("in", b'[2,"1","Reset",{}]'), ("out", b'[3,"1",{}]')])
            self.task.cancel()

        self.run_test(test)

    def test_cancelled_while_connected_it_leaves_nothing(self):
        async def test():
            await self.start()
            call = asyncio.create_task(self.link.call("Heartbeat", {}))
            await settle()
            self.task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await self.task
            with self.assertRaises(NotConnected) as caught:
                await call
            self.assertTrue(caught.exception.sent)
            self.assertEqual(self.told, ["down"])
            await self.assert_no_tasks()

        self.run_test(test)

    async def assert_no_tasks(self):
        """But the one of `run_test` that watches the time."""
        await settle()
        self.assertEqual(core._io_queue.map, {})
        self.assertFalse(self.link.connected)
        self.assertIsNone(self.link._failure)  # of a task that ran on after its socket was closed

    def test_cancelled_while_it_waits_for_the_next_attempt(self):
        async def test():
            listener, port = listen()
            listener.close()
            self.make(url="ws://127.0.0.1:%d/" % port)
            self.task = asyncio.create_task(self.link.run())
            await self.until_logged("next attempt in 3600000 ms")
            self.task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await self.task
            await self.assert_no_tasks()

        self.run_test(test)

    def test_a_network_that_is_back_ends_the_wait_for_the_next_attempt(self):
        async def test():
            listener, port = listen()
            listener.close()
            self.make(url="ws://127.0.0.1:%d/" % port)
            self.task = asyncio.create_task(self.link.run())
            for _ in range(2):
                await self.until_logged("next attempt in 3600000 ms")
                self.log.lines.clear()
                self.link.nudge()
            await self.until_logged("next attempt in 3600000 ms")  # the back-off began anew
            self.task.cancel()

        self.run_test(test)

    def test_a_network_that_is_back_does_not_bring_back_a_link_that_is_held(self):
        async def test():
            self.make()
            self.link.hold()
            self.task = asyncio.create_task(self.link.run())
            await settle()
            self.link.nudge()
            await settle()
            self.assertEqual(self.log.lines, [])
            self.link.release()
            await self.meet()
            self.task.cancel()

        self.run_test(test)

    async def until_logged(self, text):
        while not any(text in line[2] for line in self.log.lines):
            await asyncio.sleep_ms(1)

    def test_cancelled_while_it_shakes_hands(self):
        async def test():
            self.make()
            self.task = asyncio.create_task(self.link.run())
            peer = await self.backend.accept()
            self.assertIn(b"HTTP/1.1", await peer.stream.readline())
            self.task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await self.task
            await self.assert_no_tasks()
            while await peer.stream.read(100):  # to the end of the stream
                pass
            self.assertEqual(self.told, [])

        self.run_test(test)

    def test_an_error_of_our_own_ends_run_and_it_can_be_run_again(self):
        async def test():
            self.make()

            def fail():
                raise ValueError("a mistake")

            self.link.on_up = fail
            self.task = asyncio.create_task(self.link.run())
            self.peer = await self.backend.accept()
            await self.peer.shake_hands()
            with self.assertRaises(ValueError):
                await self.task
            self.assertEqual(self.told, ["down"])
            self.assertEqual(core._io_queue.map, {})
            self.link.on_up = lambda: self.tell("up")
            self.task = asyncio.create_task(self.link.run())
            await self.meet()
            self.task.cancel()

        self.run_test(test)

    def test_run_again_it_still_serves_one_call_at_a_time(self):
        async def test():
            gate = asyncio.Event()

            async def serve(frame):
                self.served.append(frame[1])
                await gate.wait()

            self.serve = serve
            await self.start()
            self.task.cancel()
            self.told.clear()
            await settle()
            self.task = asyncio.create_task(self.link.run())
            await self.meet()
            for number in b"12":
                await self.peer.send(b'[2,"%c","Reset",{}]' % number)
            await self.peer.send(b"", PING)
            self.assertEqual(await self.peer.frame(), (PONG, b""))
            await settle()
            self.assertEqual(self.served, ["1"])
            gate.set()
            self.task.cancel()

        self.run_test(test)

    def test_hold_says_goodbye_and_release_comes_back_at_once(self):
        async def test():
            await self.start()
            self.link.hold()
            self.assertFalse(self.link.connected)
            self.assertEqual(self.told, ["down"])
            with self.assertRaises(NotConnected):
                await self.link.call("Heartbeat", {})
            opcode, payload = await self.peer.frame()
            self.assertEqual((opcode, payload), (CLOSE, b"\x03\xe9"))  # 1001
            await self.peer.send(payload, CLOSE)
            self.peer.close()
            await self.link.close()  # it is held already: waits only for the end
            await self.assert_no_tasks()
            self.link.release()
            await self.meet()
            self.assertEqual(self.told, ["down"])
            self.task.cancel()

        self.run_test(test)

    def test_hold_twice_does_not_cut_the_goodbye_short_and_a_stray_release_is_none(self):
        async def test():
            await self.start()
            self.link.release()
            self.link.hold()
            self.link.hold()
            closed = asyncio.create_task(self.link.close())
            opcode, payload = await self.peer.frame()
            self.assertEqual(opcode, CLOSE)
            await settle()
            self.assertFalse(closed.done())
            await self.peer.send(payload, CLOSE)
            self.peer.close()
            await closed
            self.link.release()
            await self.meet()
            self.link.release()  # it is not held: the next loss is a loss
            self.peer.close()
            await self.until_logged("next attempt in 3600000 ms")
            self.task.cancel()

        self.run_test(test)

    def test_hold_during_the_handshake_needs_no_goodbye(self):
        async def test():
            self.make()
            self.task = asyncio.create_task(self.link.run())
            peer = await self.backend.accept()
            await self.link.close()
            while await peer.stream.read(100):
                pass
            self.link.release()
            await self.meet()
            self.assertEqual(self.told, [])
            self.task.cancel()

        self.run_test(test)

    def test_held_before_it_runs(self):
        async def test():
            self.make()
            self.link.hold()
            self.task = asyncio.create_task(self.link.run())
            await settle()
            await self.link.close()
            self.link.release()
            await self.meet()
            self.task.cancel()

        self.run_test(test)

    def test_hold_and_release_in_one_breath(self):
        async def test():
            await self.start()
            self.link.hold()
            self.link.release()
            opcode, payload = await self.peer.frame()
            self.assertEqual(opcode, CLOSE)
            await self.peer.send(payload, CLOSE)
            self.peer.close()
            await self.meet()
            self.task.cancel()

        self.run_test(test)

    def test_pings_follow_the_setting_as_it_changes(self):
        async def test():
            await self.start()
            await settle()
            self.settings.change("WebSocketPingInterval", 1)
            await settle()
            for _ in range(2):
                time.advance(1000)
                opcode, payload = await self.peer.frame()
                self.assertEqual(opcode, PING)
                await self.peer.send(payload, PONG)
                await settle()
            self.settings.change("WebSocketPingInterval", 0)
            for _ in range(2):
                time.advance(1000)
                await settle()
            self.assertTrue(self.link.connected)
            call = asyncio.create_task(self.link.call("Heartbeat", {}))
            opcode, payload = await self.peer.frame()
            self.assertEqual(opcode, 1)  # not one ping more before it
            call.cancel()
            self.task.cancel()

        self.run_test(test)

    def test_a_handler_may_make_a_call(self):
        async def test():
            async def serve(frame):
                return framer.result(frame[1], await self.link.call("Heartbeat", {}))

            self.serve = serve
            await self.start()
            await self.peer.send(b'[2,"1","Reset",{}]')
            frame = json.loads(await self.peer.text())
            self.assertEqual(frame[2], "Heartbeat")
            await self.peer.send(framer.result(frame[1], HEARTBEAT))
            self.assertEqual(json.loads(await self.peer.text()), [3, "1", HEARTBEAT])
            self.task.cancel()

        self.run_test(test)

    def test_nothing_more_is_read_from_a_backend_that_does_not_read(self):
        """It asks more than can wait, each gets an answer at once, it takes none: what is kept for it has a limit."""

        async def test():
            gate = asyncio.Event()

            async def serve(frame):
                await gate.wait()
                return framer.result(frame[1], {})

            self.serve = serve
            await self.start()
            transport = self.link._transport
            transport.hearing.clear()
            question = b'[2,"1","Reset",{}]'
            questions = (bytes((0x81, len(question))) + question) * 500
            for _ in range(4):
                self.peer.stream.write(questions)
                await self.peer.stream.drain()
                await settle()
                self.assertLess(transport.kept, MAX_KEPT + READ_SIZE * 5)
            self.assertGreater(transport.kept, MAX_KEPT)
            transport.hearing.set()
            gate.set()
            served = 0
            while served < MAX_WAITING:
                served += (await self.peer.text()).startswith(b"[3")
            self.assertTrue(self.link.connected)
            self.task.cancel()

        self.run_test(test)


class MisuseTest(unittest.TestCase):
    def make(self, **more):
        async def serve(frame):
            return None

        return Link(Settings(), FakeLog(), serve=serve, **more)

    def test_tls_needs_a_certificate_to_trust(self):
        with self.assertRaises(ValueError) as caught:
            self.make(url="wss://backend.example/CP")
        self.assertIn("CA certificate", str(caught.exception))

    def test_a_url_that_is_none(self):
        with self.assertRaises(ValueError):
            self.make(url="http://backend.example/CP")

    def test_a_ca_that_is_none(self):
        with self.assertRaises(ValueError):
            self.make(url="wss://backend.example/CP", ca=b"nonsense")
