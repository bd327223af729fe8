"""The opening handshake: addresses, the request, and every answer that is not the right one."""

import unittest

from station.ocpp.handshake import HEAD_LIMIT, Handshake, Refused, parse_url, quote

# The nonce and its answer are those of RFC 6455 §1.3.
NONCE = b"the sample nonce"
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

STATUS = b"HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"
ACCEPTED = b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n"
SUBPROTOCOL = b"Sec-WebSocket-Protocol: ocpp1.6\r\n"
END = b"\r\n"
GOOD = STATUS + UPGRADE + CONNECTION + ACCEPTED + SUBPROTOCOL + END


def shake(url="ws://host/CP1", user=None, password=None):
    return Handshake(url, "ocpp1.6", user, password, lambda n: NONCE[:n])


def feed(handshake, data):
    return handshake.feed(memoryview(data), 0, len(data))


class TestUrl(unittest.TestCase):
    def test_good_ones(self):
        for url, wanted in (
            ("ws://host", (False, "host", 80, "/")),
            ("wss://host", (True, "host", 443, "/")),
            ("WSS://Host.example/ocpp/CP%201", (True, "Host.example", 443, "/ocpp/CP%201")),
            ("ws://127.0.0.1:9000/a/b?c=d&e", (False, "127.0.0.1", 9000, "/a/b?c=d&e")),
            ("ws://host?c=/d", (False, "host", 80, "/?c=/d")),
            ("ws://host:/x", (False, "host", 80, "/x")),
            ("ws://[::1]/x", (False, "::1", 80, "/x")),
            ("wss://[2001:db8::7]:8443", (True, "2001:db8::7", 8443, "/")),
            ("ws://host:65535/", (False, "host", 65535, "/")),
        ):
            self.assertEqual(parse_url(url), wanted)

    def test_bad_ones_and_what_is_said_of_them(self):
        for url, word in (
            ("http://host/", "ws://"),
            ("host/CP1", "ws://"),
            ("", "ws://"),
            ("ws:/host", "ws://"),
            ("ws://", "host"),
            ("ws:///path", "host"),
            ("ws://:80/", "host"),
            ("ws://ho st/", "percent-encoded"),
            ("ws://host/CP 1", "percent-encoded"),
            ("ws://host/Säule", "percent-encoded"),
            ("ws://host/\r\nX: y", "percent-encoded"),
            ("ws://host/#part", "fragment"),
            ("ws://user:secret@host/", "user and password"),
            ("ws://host:0/", "1..65535"),
            ("ws://host:65536/", "1..65535"),
            ("ws://host:8o/", "1..65535"),
            ("ws://host:-1/", "1..65535"),
            ("ws://::1/", "IPv6"),
            ("ws://[::1/", "IPv6"),
            ("ws://[::1]9/", "IPv6"),
            ("ws://[host]/", "IPv6"),
            ("ws://[]/", "IPv6"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_url(url)
            self.assertIn(word, str(caught.exception), "%r" % url)

    def test_quote(self):
        self.assertEqual(quote("AZaz09-._~"), "AZaz09-._~")
        self.assertEqual(quote("RDAM|123"), "RDAM%7C123")  # the example of OCPP-J 1.6 §3.1.1
        self.assertEqual(quote("a/b c%?#ä"), "a%2Fb%20c%25%3F%23%C3%A4")


class TestRequest(unittest.TestCase):
    def test_request(self):
        lines = shake("ws://host/ocpp/CP%201?a=b").request().split(b"\r\n")
        self.assertEqual(
            lines,
            [
                b"GET /ocpp/CP%201?a=b HTTP/1.1",
                b"Host: host",
                b"Upgrade: websocket",
                b"Connection: Upgrade",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                b"Sec-WebSocket-Version: 13",
                b"Sec-WebSocket-Protocol: ocpp1.6",
                b"",
                b"",
            ],
        )

    def test_host_names_the_port_unless_it_is_the_usual_one(self):
        for url, host in (
            ("ws://h:80/", b"h"),
            ("ws://h:443/", b"h:443"),
            ("wss://h:443/", b"h"),
            ("wss://h:80/", b"h:80"),
            ("ws://[::1]:9000/", b"[::1]:9000"),
            ("wss://[::1]/", b"[::1]"),
        ):
            self.assertIn(b"\r\nHost: " + host + b"\r\n", shake(url).request())

    def test_basic_authentication(self):
        request = shake(user="AL1000", password=b"0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF").request()
        line = b"Authorization: Basic QUwxMDAwOjAwMDEwMjAzMDQwNTA2MDdGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkY=\r\n"
        self.assertIn(line, request)

    def test_password_may_be_any_bytes(self):
        request = shake(user="CP1", password=b"\x00\xff\r\n:").request()
        self.assertIn(b"\r\nAuthorization: Basic Q1AxOgD/DQo6\r\n", request)

    def test_user_that_basic_authentication_cannot_carry(self):
        for user in (None, "", "a:b"):
            with self.assertRaises(ValueError) as caught:
                shake(user=user, password=b"x")
            self.assertIn("user", str(caught.exception))


class TestAnswer(unittest.TestCase):
    def refusal(self, answer):
        with self.assertRaises(Refused) as caught:
            feed(shake(), answer)
        return caught.exception

    def test_good_answer_ends_where_the_first_frame_begins(self):
        self.assertEqual(feed(shake(), GOOD + b"\x81\x00"), (len(GOOD), True))

    def test_cut_anywhere(self):
        for cut in range(1, len(GOOD)):
            handshake = shake()
            self.assertEqual(feed(handshake, GOOD[:cut]), (cut, False))
            self.assertEqual(feed(handshake, GOOD[cut:] + b"\x81"), (len(GOOD) - cut, True))

    def test_other_ways_to_write_it(self):
        for answer in (
            STATUS + SUBPROTOCOL + ACCEPTED + CONNECTION + UPGRADE + b"Server: x\r\nX-Empty:\r\n" + END,
            STATUS + b"UPGRADE:WebSocket\r\nconnection:\t keep-alive ,UPGRADE \r\n" + ACCEPTED + SUBPROTOCOL + END,
            STATUS + UPGRADE + b"Connection: keep-alive\r\n" + CONNECTION + ACCEPTED + SUBPROTOCOL + END,
            b"HTTP/1.1 101 \r\n" + GOOD[len(STATUS) :],
            b"HTTP/1.1 101\r\n" + GOOD[len(STATUS) :],
            STATUS + b"X-Name: \xe4\xff\r\n" + GOOD[len(STATUS) :],
            STATUS + b"Sec-WebSocket-Extensions:\r\n" + GOOD[len(STATUS) :],
        ):
            self.assertEqual(feed(shake(), answer), (len(answer), True), "%r" % answer)

    def test_refusals(self):
        for status, words, answer in (
            (401, "401 Unauthorized", b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\nbody"),
            (404, "404 Not Found", b"HTTP/1.0 404 Not Found\r\n\r\n"),
            (503, "503", b"HTTP/1.1 503\r\n\r\n"),
            (200, "200 OK", b"HTTP/1.1 200 OK\r\n" + GOOD[len(STATUS) :]),
            (301, "redirected to 'wss://other/x'", b"HTTP/1.1 301 Moved\r\nLocation: wss://other/x\r\n\r\n"),
            (304, "304 Not Modified", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
            (101, "HTTP/1.1", b"HTTP/1.0 101 OK\r\n" + GOOD[len(STATUS) :]),
            (101, "Upgrade", STATUS + CONNECTION + ACCEPTED + SUBPROTOCOL + END),
            (101, "h2c", STATUS + b"Upgrade: h2c\r\n" + CONNECTION + ACCEPTED + SUBPROTOCOL + END),
            (101, "Connection", STATUS + UPGRADE + ACCEPTED + SUBPROTOCOL + END),
            (101, "close", STATUS + UPGRADE + b"Connection: close\r\n" + ACCEPTED + SUBPROTOCOL + END),
            (101, "Accept", STATUS + UPGRADE + CONNECTION + SUBPROTOCOL + END),
            (101, "Accept", STATUS + UPGRADE + CONNECTION + ACCEPTED + ACCEPTED + SUBPROTOCOL + END),
            (101, "Accept", GOOD.replace(b"s3pP", b"s3pp")),
            (101, "subprotocol ocpp1.6 not offered back", STATUS + UPGRADE + CONNECTION + ACCEPTED + END),
            (101, "'ocpp2.0.1'", GOOD.replace(b"ocpp1.6", b"ocpp2.0.1")),
            (101, "'ocpp1.6, ocpp1.6'", STATUS + SUBPROTOCOL + GOOD[len(STATUS) :]),
            (101, "permessage", STATUS + b"Sec-WebSocket-Extensions: permessage-deflate\r\n" + GOOD[len(STATUS) :]),
            (101, "malformed", STATUS + b"no colon\r\n" + GOOD[len(STATUS) :]),
            (101, "malformed", STATUS + b"Name : value\r\n" + GOOD[len(STATUS) :]),
            (101, "malformed", STATUS + UPGRADE + b" folded: line\r\n" + GOOD[len(STATUS) :]),
            (101, "malformed", STATUS + b"X: y\r\r\n\r\n"),
            (0, "not HTTP", b"HTTP/1.1 101 a\x00b\r\n\r\n"),
            (0, "not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n"),
            (0, "not HTTP", b"\x15\x03\x01\x00\x02\x02\x16"),
            (0, "not HTTP", b"HTTP/2 101\r\n\r\n"),
            (0, "not HTTP", b"HTTP/1.1\r\n\r\n"),
            (0, "not HTTP", b"HTTP/1.1 abc\r\n\r\n"),
            (0, "not HTTP", b"\r\n\r\n"),
        ):
            refused = self.refusal(answer)
            self.assertEqual(refused.status, status, "%r" % answer)
            self.assertIn(words, refused.text)

    def test_what_is_no_http_is_noticed_at_its_first_byte(self):
        self.assertIn("not HTTP", self.refusal(b"S").text)
        self.assertEqual(feed(shake(), b"HTT"), (3, False))

    def test_text_of_a_refusal_is_fit_for_the_log(self):
        text = self.refusal(b"HTTP/1.1 500 a\x1b[31m\n\xff" + b"long" * 500 + b"\r\n\r\n").text
        self.assertLess(len(text), 120)
        self.assertTrue(all(" " <= char <= "~" or char == "…" for char in text), text)

    def test_head_without_end_is_bounded_however_it_comes(self):
        head = STATUS + b"X-Long: " + b"x" * HEAD_LIMIT
        self.assertIn(str(HEAD_LIMIT), self.refusal(head).text)
        handshake = shake()
        with self.assertRaises(Refused):
            for start in range(0, len(head), 100):
                feed(handshake, head[start : start + 100])
        limit = HEAD_LIMIT - len(GOOD) - len(b"X: \r\n")
        longest = STATUS + b"X: " + b"x" * limit + b"\r\n" + GOOD[len(STATUS) :]
        self.assertEqual(feed(shake(), longest), (HEAD_LIMIT, True))
        self.refusal(longest.replace(b"X: ", b"X: x"))
