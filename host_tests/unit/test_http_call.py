"""transfer/http.py: `Call`, one request with a small answer, whatever way the server sends it."""

import asyncio
import unittest

from loopback import listen
from station.transfer.errors import TransferError
from station.transfer.http import Call
from station.transfer.url import parse


class CallTest(unittest.TestCase):
    def call(self, answer, method="GET", body=b"", limit=20):
        """What `Call` makes of these bytes; `heard` is what it sent."""
        listener, port = listen()
        listener.close()
        self.heard = b""

        async def serve(reader, writer):
            while b"\r\n\r\n" not in self.heard or not self.heard.endswith(body):
                data = await reader.read(200)
                if not data:
                    break
                self.heard += data
            writer.write(answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", port)
            call = Call(parse("http://127.0.0.1:%d/update/x" % port), None)
            try:
                await call.open(method, len(body))
                for at in range(0, len(body), 4):
                    await call.write(memoryview(body)[at : at + 4])
                return await call.answer(limit)
            finally:
                call.close()
                server.close()
                await server.wait_closed()

        return asyncio.run(main())

    def refused(self, answer):
        with self.assertRaises(TransferError) as caught:
            self.call(answer)
        return str(caught.exception)

    def test_a_body_of_known_length(self):
        answer = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}and more'
        self.assertEqual(self.call(answer), (200, b'{"a": 1}'))
        head = self.heard.split(b"\r\n")
        self.assertEqual(head[0], b"GET /update/x HTTP/1.1")
        self.assertIn(b"Content-Length: 0", head)

    def test_chunks_and_the_end_of_the_connection(self):
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        self.assertEqual(self.call(answer), (200, b"abcde"))
        self.assertEqual(self.call(b"HTTP/1.0 200 OK\r\n\r\nabcde"), (200, b"abcde"))

    def test_no_body(self):
        self.assertEqual(self.call(b"HTTP/1.1 204 No Content\r\n\r\n"), (204, b""))
        self.assertEqual(self.call(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"), (409, b""))

    def test_what_is_sent(self):
        self.assertEqual(self.call(b"HTTP/1.1 204 No Content\r\n\r\n", "POST", b"0123456789"), (204, b""))
        self.assertTrue(self.heard.startswith(b"POST /update/x HTTP/1.1\r\n"))
        self.assertIn(b"\r\nContent-Length: 10\r\n", self.heard)
        self.assertTrue(self.heard.endswith(b"\r\n\r\n0123456789"))

    def test_an_answer_that_is_none(self):
        self.assertIn("more than 20 bytes", self.refused(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + b"x" * 30))
        self.assertIn("more than 20 bytes", self.refused(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 3000))
        self.assertIn("the connection ended", self.refused(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
        self.assertIn("the connection ended", self.refused(b"HTTP/1.1 200"))
        self.assertIn("does not speak HTTP", self.refused(b"SSH-2.0-OpenSSH\r\n\r\n"))
        self.assertIn("a head of more", self.refused(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000))
