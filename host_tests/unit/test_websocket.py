"""`WebSocket` as its user sees it: what comes out for what goes in, whole and cut anywhere."""

import gc
import unittest

from station.ocpp.websocket import (
    CLOSED,
    CLOSING,
    CONNECTING,
    MESSAGE,
    OPEN,
    PIECE,
    PONG,
    REFUSED,
    LocalError,
    WebSocket,
)

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)
LIMIT = 1000
TEXT = '[2,"ä€😀","Heartbeat",{}]'.encode()
BEGINNING = TEXT[:6]  # ends inside the euro sign


class Keys:
    """Predictable "random" bytes; a key of zeros would hide a mask that is not applied."""

    def __init__(self):
        self.count = 0

    def __call__(self, size):
        if size == 16:
            return b"the sample nonce"
        self.count += 1
        return bytes((self.count * 37 + i * 11 + 1) & 0xFF for i in range(size))


def connecting(limit=LIMIT, in_pieces=None):
    return WebSocket("ws://host/CP1", max_message=limit, in_pieces=in_pieces, random=Keys())


def opened(limit=LIMIT, in_pieces=None):
    ws = connecting(limit, in_pieces)
    assert events(ws, ANSWER) == [(OPEN,)]
    return ws


def events(ws, data):
    """All events that `data` brings."""
    ws.receive(data)
    return taken(ws)


def taken(ws):
    found = []
    event = ws.event()
    while event:
        found.append(event)
        event = ws.event()
    return found


def sent(ws):
    """The frames of the output, `(first byte, payload)`, unmasked here without the help of `mask`."""
    data = bytes(ws.output())
    frames = []
    while data:
        assert data[1] & 0x80, "not masked"
        size = data[1] & 0x7F
        at = 2
        if size == 126:
            size = int.from_bytes(data[2:4], "big")
            at = 4
        elif size == 127:
            size = int.from_bytes(data[2:10], "big")
            at = 10
        key = data[at : at + 4]
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(data[at + 4 : at + 4 + size]))
        assert len(payload) == size
        frames.append((data[0], payload))
        data = data[at + 4 + size :]
    return frames


def frame(first, payload=b"", size=None):
    """A server's frame; `size` is written as 7, 16 or 64 bits."""
    count = len(payload)
    size = size or (7 if count < 126 else 16 if count < 0x10000 else 64)
    if size == 7:
        return bytes((first, count)) + payload
    return bytes((first, 126 if size == 16 else 127)) + count.to_bytes(size // 8, "big") + payload


# What a server may send, and the events that it makes.
CONVERSATION = (
    (frame(0x81, TEXT), [(MESSAGE, TEXT)]),
    (frame(0x81), [(MESSAGE, b"")]),
    (frame(0x81, b"x" * 126), [(MESSAGE, b"x" * 126)]),
    (frame(0x8A), [(PONG, b"")]),
    (frame(0x01, BEGINNING), []),
    (frame(0x89, b"ping between fragments"), []),
    (frame(0x00), []),
    (frame(0x8A, b"pong"), [(PONG, b"pong")]),
    (frame(0x00, TEXT[6:9]), []),
    (frame(0x80, TEXT[9:]), [(MESSAGE, TEXT)]),
    (frame(0x01), []),
    (frame(0x80), [(MESSAGE, b"")]),
    (frame(0x88, b"\x03\xe9bye \xc3\xa4"), [(CLOSED, 1001, "bye ä")]),
)

# What a server may not send, with the close code that it earns and a word of the reason.
WRONG = (
    (frame(0xC1, b"x"), 1002, "reserved bits"),
    (frame(0xA1, b"x"), 1002, "reserved bits"),
    (frame(0x91, b"x"), 1002, "reserved bits"),
    (frame(0x83, b"x"), 1002, "reserved opcode"),
    (frame(0x87), 1002, "reserved opcode"),
    (frame(0x8B), 1002, "reserved opcode"),
    (frame(0x8F), 1002, "reserved opcode"),
    (frame(0x09), 1002, "fragmented control"),
    (frame(0x0A), 1002, "fragmented control"),
    (frame(0x08), 1002, "fragmented control"),
    (frame(0x89, b"x" * 126), 1002, "more than 125"),
    (frame(0x88, b"\x03\xe8" + b"x" * 124), 1002, "more than 125"),
    (b"\x81\x81key!x", 1002, "masked"),
    (frame(0x80, b"x"), 1002, "continuation of no message"),
    (frame(0x00, b"x"), 1002, "continuation of no message"),
    (frame(0x01, b"x") + frame(0x81, b"y"), 1002, "inside a message"),
    (frame(0x01, b"x") + frame(0x82, b"y"), 1002, "inside a message"),
    (frame(0x01, b"x") + frame(0x80, b"y") + frame(0x80, b"z"), 1002, "continuation of no message"),
    (frame(0x81, b"x" * 125, size=16), 1002, "shortest"),
    (frame(0x81, b"x" * 500, size=64), 1002, "shortest"),
    (b"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x05hello", 1002, "top bit"),
    (frame(0x82, b"x"), 1003, "binary"),
    (frame(0x02, b"x"), 1003, "binary"),
    (frame(0x81, b"\xff"), 1007, "not UTF-8"),
    (frame(0x81, b"ok \xed\xa0\x80"), 1007, "not UTF-8"),
    (frame(0x01, b"\xe2\x82") + frame(0x80, b"x"), 1007, "not UTF-8"),
    (frame(0x81, b"\xe2\x82"), 1007, "inside a character"),
    (frame(0x01, b"\xe2\x82") + frame(0x80), 1007, "inside a character"),
    (frame(0x81, b"x" * (LIMIT + 1)), 1009, "1000 bytes"),
    (frame(0x01, b"x" * LIMIT) + frame(0x80, b"y"), 1009, "1000 bytes"),
    (frame(0x81, b"", size=64)[:2] + b"\x7f" + b"\xff" * 7, 1009, "1000 bytes"),
    (frame(0x88, b"\x03"), 1002, "one byte"),
    (frame(0x88, b"\x03\xe8\xff"), 1007, "close reason"),
)


class TestLife(unittest.TestCase):
    def test_states_of_a_good_life(self):
        ws = connecting()
        self.assertEqual(ws.state, CONNECTING)
        self.assertTrue(ws.request().startswith(b"GET /CP1 HTTP/1.1\r\n"))
        self.assertIsNone(ws.event())
        self.assertEqual(events(ws, ANSWER), [(OPEN,)])
        self.assertEqual(ws.state, OPEN)
        ws.close(1001, "later")
        self.assertEqual(ws.state, CLOSING)
        self.assertEqual(sent(ws), [(0x88, b"\x03\xe9later")])
        self.assertEqual(events(ws, frame(0x88, b"\x03\xe9")), [(CLOSED, 1001, "")])
        self.assertEqual(ws.state, CLOSED)
        self.assertFalse(ws.failed)
        self.assertEqual(ws.output(), b"")

    def test_refusal(self):
        ws = connecting()
        self.assertEqual(events(ws, b"HTTP/1.1 401 Unauthorized\r\n\r\n"), [(REFUSED, 401, "401 Unauthorized")])
        self.assertEqual(ws.state, CLOSED)
        self.assertEqual(ws.output(), b"")
        self.assertEqual(events(ws, ANSWER), [])

    def test_close_by_the_peer_is_answered_with_its_code(self):
        for payload, event, answer in (
            (b"\x03\xe8", (CLOSED, 1000, ""), b"\x03\xe8"),
            (b"\x0f\xa0own code", (CLOSED, 4000, "own code"), b"\x0f\xa0"),
            (b"", (CLOSED, 1005, ""), b""),
        ):
            ws = opened()
            self.assertEqual(events(ws, frame(0x88, payload)), [event])
            self.assertEqual(ws.state, CLOSED)
            self.assertFalse(ws.failed)
            self.assertEqual(sent(ws), [(0x88, answer)])

    def test_close_codes(self):
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65535):
            ws = opened()
            found = events(ws, frame(0x88, code.to_bytes(2, "big")))
            self.assertEqual(found[0][:2], (CLOSED, 1002), "code %d" % code)
            self.assertRaises(LocalError, opened().close, code)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
            ws = opened()
            self.assertEqual(events(ws, frame(0x88, code.to_bytes(2, "big"))), [(CLOSED, code, "")])
            opened().close(code)

    def test_messages_come_while_closing(self):
        ws = opened()
        ws.close()
        sent(ws)
        data = frame(0x81, b"late") + frame(0x89, b"p") + frame(0x88, b"\x03\xe8") + frame(0x81, b"too late")
        self.assertEqual(events(ws, data), [(MESSAGE, b"late"), (CLOSED, 1000, "")])

    def test_failure_while_closing_sends_no_second_close(self):
        ws = opened()
        ws.close()
        sent(ws)
        self.assertEqual(events(ws, frame(0x83))[0][:2], (CLOSED, 1002))
        self.assertTrue(ws.failed)
        self.assertEqual(ws.output(), b"")

    def test_nothing_after_the_end(self):
        ws = opened()
        ws.receive(frame(0x88) + frame(0x81, b"x"))
        self.assertEqual(taken(ws), [(CLOSED, 1005, "")])
        ws.receive(frame(0x81, b"y"))
        ws.eof()
        self.assertEqual(taken(ws), [])
        sent(ws)
        ws.close()
        self.assertEqual(ws.output(), b"")

    def test_end_of_the_socket(self):
        ws = connecting()
        ws.eof()
        found = taken(ws)
        self.assertEqual(found[0][:2], (REFUSED, 0))
        self.assertEqual(len(found), 1)
        for closing in (False, True):
            ws = opened()
            if closing:
                ws.close()
            ws.receive(frame(0x81, b"last words") + frame(0x81, b"unfinished")[:-1])
            ws.eof()
            self.assertEqual(taken(ws), [(MESSAGE, b"last words"), (CLOSED, 1006, "the connection was lost")])
            self.assertEqual(ws.state, CLOSED)

    def test_end_of_the_socket_before_the_answer_was_looked_at(self):
        ws = connecting()
        ws.receive(ANSWER + frame(0x81, b"x"))
        ws.eof()
        wanted = [(OPEN,), (MESSAGE, b"x"), (CLOSED, 1006, "the connection was lost")]
        self.assertEqual(taken(ws), wanted)

    def test_close_before_the_handshake_is_done(self):
        ws = connecting()
        ws.close()
        self.assertEqual(ws.state, CLOSED)
        self.assertEqual(ws.output(), b"")
        self.assertEqual(taken(ws), [(CLOSED, 1006, "closed before the handshake was answered")])


def in_pieces(head):
    """Messages that begin with "pieces"."""
    begin = bytes(head[:6])
    return None if begin != b"pieces" and b"pieces".startswith(begin) else begin == b"pieces"


def joined(found):
    """The events, the pieces of a message put together as ("pieces", text)."""
    events, text = [], b""
    for event in found:
        if event[0] != PIECE:
            events.append((event[0], bytes(event[1])) if event[0] == MESSAGE else event)
            continue
        text += event[1]
        if event[2]:
            events.append(("pieces", text))
            text = b""
    return events + ([text] if text else [])


class TestPieces(unittest.TestCase):
    LONG = b"pieces of " + "ä€😀".encode() * (LIMIT // 5)
    STREAM = (
        frame(0x81, b"whole")
        + frame(0x81, LONG)
        + frame(0x81, b"pie")
        + frame(0x01, b"pi")
        + frame(0x89, b"ping")
        + frame(0x00, b"eces")
        + frame(0x00)
        + frame(0x8A, b"pong")
        + frame(0x00, LONG)
        + frame(0x80)
        + frame(0x81, b"piece")
        + frame(0x81)
        + frame(0x81, b"pieces")
        + frame(0x01, b"pie")
        + frame(0x80, b"s" * (LIMIT - 3))
    )
    EVENTS = [
        (MESSAGE, b"whole"),
        ("pieces", LONG),
        (MESSAGE, b"pie"),
        (PONG, b"pong"),
        ("pieces", b"pieces" + LONG),
        (MESSAGE, b"piece"),
        (MESSAGE, b""),
        ("pieces", b"pieces"),
        (MESSAGE, b"pie" + b"s" * (LIMIT - 3)),
    ]

    def found(self, stream, size, limit=LIMIT):
        """The events, and what was sent, for reads of `size` bytes into one buffer."""
        ws = opened(limit, in_pieces)
        found = []
        buffer = bytearray(size)
        for start in range(0, len(stream), size):
            piece = stream[start : start + size]
            buffer[: len(piece)] = piece
            ws.receive(memoryview(buffer)[: len(piece)])
            event = ws.event()
            while event:
                if event[0] == PIECE:
                    event = (PIECE, bytes(event[1]), event[2])  # it is for use now
                found.append(event)
                event = ws.event()
        return joined(found), sent(ws)

    def test_reads_of_many_sizes(self):
        for size in (1, 2, 3, 5, 7, 64, 100, 1000, 4096, 100_000):
            found, answers = self.found(self.STREAM, size)
            self.assertTrue(found == self.EVENTS, "reads of %d" % size)
            self.assertEqual(answers, [(0x8A, b"ping")])

    def test_the_limit_is_for_what_is_kept(self):
        for data in (
            frame(0x81, b"x" * (LIMIT + 1)),
            frame(0x01, b"pie") + frame(0x80, b"s" * (LIMIT - 2)),
            frame(0x01, b"x" * LIMIT) + frame(0x80, b"x"),
        ):
            for size in (1, 50, 10_000):
                found, answers = self.found(self.STREAM + data, size)
                self.assertTrue(found[:-1] == self.EVENTS)
                self.assertEqual(found[-1], (CLOSED, 1009, "message of more than 1000 bytes"))
                self.assertEqual(answers[-1][1][:2], b"\x03\xf1")

    def test_a_head_is_kept_only_up_to_the_limit(self):
        found, _ = self.found(frame(0x01, b"pi") + frame(0x00, b"ec"), 100, limit=3)
        self.assertEqual(found, [(CLOSED, 1009, "message of more than 3 bytes")])

    def test_what_is_wrong_in_the_middle(self):
        for data, code in (
            (frame(0x01, self.LONG) + frame(0x80, b"\xff"), 1007),
            (frame(0x81, self.LONG + b"\xe2\x82"), 1007),
            (frame(0x01, self.LONG + b"\xe2\x82") + frame(0x80), 1007),
            (frame(0x01, self.LONG) + frame(0x81, b"x"), 1002),
        ):
            for size in (1, 1000, 100_000):
                found, _ = self.found(data, size)
                self.assertEqual([event[:2] for event in found if type(event) is tuple], [(CLOSED, code)])

    def test_nothing_of_it_is_kept(self):
        ws = opened(in_pieces=in_pieces)
        piece = b"x" * 1000
        events(ws, b"\x81\x7f" + (6 + 1_000_000).to_bytes(8, "big") + b"pieces")
        used = []
        for _ in range(3):
            for _ in range(100):
                ws.receive(piece)
                self.assertEqual(ws.event()[0], PIECE)
                self.assertIsNone(ws.event())
            gc.collect()
            used.append(gc.mem_alloc())
        self.assertLess(used[2] - used[1], 256)


class TestReceive(unittest.TestCase):
    def test_conversation_cut_into_two_anywhere(self):
        stream = ANSWER + b"".join([data for data, _ in CONVERSATION])
        wanted = [(OPEN,)]
        for _, made in CONVERSATION:
            wanted += made
        for cut in range(len(stream) + 1):
            ws = connecting()
            found = events(ws, stream[:cut]) + events(ws, stream[cut:])
            self.assertEqual(found, wanted, "cut at %d" % cut)
            self.assertEqual(sent(ws), [(0x8A, b"ping between fragments"), (0x88, b"\x03\xe9")])

    def test_conversation_in_pieces_of_every_size_through_one_buffer(self):
        stream = ANSWER + b"".join([data for data, _ in CONVERSATION])
        wanted = [(OPEN,)]
        for _, made in CONVERSATION:
            wanted += made
        for size in range(1, 40):
            ws = connecting()
            found = []
            buffer = bytearray(size)  # used again for each read: nothing may keep a view of it
            for start in range(0, len(stream), size):
                piece = stream[start : start + size]
                buffer[: len(piece)] = piece
                found += events(ws, memoryview(buffer)[: len(piece)])
            self.assertEqual(found, wanted, "pieces of %d" % size)

    def test_wrong_frames_cut_anywhere(self):
        for data, code, words in WRONG:
            for cut in range(len(data) + 1) if len(data) < 300 else (1, 2, 3, 100, len(data)):
                ws = opened()
                found = events(ws, frame(0x81, b"before")) + events(ws, data[:cut]) + events(ws, data[cut:])
                made, (kind, earned, reason) = found[:-1], found[-1]
                self.assertEqual(made[0], (MESSAGE, b"before"))
                self.assertTrue(all(event[0] == MESSAGE for event in made), "%r" % made)
                self.assertEqual((kind, earned), (CLOSED, code), "%r cut at %d" % (data[:20], cut))
                self.assertIn(words, reason)
                self.assertTrue(ws.failed)
                self.assertEqual(ws.state, CLOSED)
                self.assertEqual(sent(ws), [(0x88, code.to_bytes(2, "big") + reason.encode())])

    def test_wrong_is_noticed_at_the_first_byte_that_shows_it(self):
        for data, code in (
            (b"\xc1", 1002),
            (b"\x82", 1003),
            (b"\x89\x7e", 1002),
            (b"\x81\x80", 1002),
            (b"\x81\x7e\x03\xe9", 1009),
            (b"\x81\x05a\xc0", 1007),
        ):
            ws = opened()
            self.assertEqual(events(ws, data[:-1]), [])
            self.assertEqual(events(ws, data[-1:])[0][:2], (CLOSED, code), "%r" % data)

    def test_sizes_at_the_bounds(self):
        for size in (0, 1, 125, 126, 127, 65535, 65536, 70000):
            data = bytes([i % 120 for i in range(251)]) * (size // 251 + 1)
            data = data[:size]
            stream = frame(0x81, data)
            for step in (len(stream), 1000):
                ws = opened(size)
                found = []
                for start in range(0, len(stream), step):
                    found += events(ws, stream[start : start + step])
                self.assertTrue(found == [(MESSAGE, data)], "size %d" % size)

    def test_message_of_exactly_the_limit_and_one_more_afterwards(self):
        ws = opened()
        whole = frame(0x81, b"x" * LIMIT)
        parts = frame(0x01, b"y" * 400) + frame(0x00, b"y" * 599) + frame(0x80, b"y")
        self.assertEqual(events(ws, whole + parts), [(MESSAGE, b"x" * LIMIT), (MESSAGE, b"y" * LIMIT)])

    def test_message_of_tiny_fragments(self):
        ws = opened()
        stream = frame(0x01, b"a") + frame(0x00, b"b") * (LIMIT - 2) + frame(0x80, b"c")
        self.assertEqual(events(ws, stream), [(MESSAGE, b"a" + b"b" * (LIMIT - 2) + b"c")])

    def test_message_is_no_view_of_the_data(self):
        ws = opened()
        buffer = bytearray(frame(0x81, b"first"))
        message = events(ws, buffer)[0][1]
        buffer[2:] = b"other"
        self.assertEqual(message, b"first")

    def test_data_may_not_be_replaced_before_it_is_used_up(self):
        ws = opened()
        ws.receive(frame(0x81, b"a") + frame(0x81, b"b"))
        self.assertEqual(ws.event(), (MESSAGE, b"a"))
        self.assertRaises(LocalError, ws.receive, b"more")
        self.assertEqual(taken(ws), [(MESSAGE, b"b")])
        ws.receive(b"")
        self.assertEqual(taken(ws), [])


class TestBounds(unittest.TestCase):
    def grown(self, action):
        gc.collect()
        before = gc.mem_alloc()
        action()
        gc.collect()
        return gc.mem_alloc() - before

    def test_too_large_a_message_is_not_stored(self):
        ws = opened(100_000)
        data = b"\x81\x7f" + (100_001).to_bytes(8, "big") + b"x" * 1000
        self.assertLess(self.grown(lambda: events(ws, data)), 1000)
        self.assertEqual(ws.state, CLOSED)

    def test_message_is_let_go_with_the_connection(self):
        ws = opened(100_000)
        half = frame(0x81, b"x" * 100_000)[:60_000]
        self.assertGreater(self.grown(lambda: events(ws, half)), 90_000)
        self.assertLess(self.grown(lambda: (ws.eof(), taken(ws))), -90_000)

    def test_flood_of_pings_is_answered_once_with_the_latest(self):
        ws = opened()
        flood = b"".join([frame(0x89, b"%04d" % i) for i in range(1000)])
        self.assertEqual(events(ws, flood), [])
        self.assertEqual(sent(ws), [(0x8A, b"0999")])
        self.assertEqual(events(ws, frame(0x89, b"next")), [])
        self.assertEqual(sent(ws), [(0x8A, b"next")])

    def test_flood_of_empty_messages_takes_no_memory(self):
        ws = opened()
        flood = frame(0x81) * 10_000
        ws.receive(flood)

        def take():
            for _ in range(5000):
                ws.event()

        self.assertLess(self.grown(take), 1000)
        self.assertEqual(len(taken(ws)), 5000)

    def test_no_memory_for_a_message_closes_with_too_big(self):
        ws = opened(1 << 40)
        found = events(ws, b"\x81\x7f" + (1 << 39).to_bytes(8, "big") + b"x")
        self.assertEqual(found[0][:2], (CLOSED, 1009))
        self.assertIn("no memory", found[0][2])


class TestSend(unittest.TestCase):
    def test_text(self):
        for size in (0, 1, 125, 126, 65535, 65536):
            ws = opened()
            data = b"abcdefg" * (size // 7 + 1)
            ws.send_text(data[:size])
            self.assertTrue(sent(ws) == [(0x81, data[:size])], "size %d" % size)
            self.assertEqual(ws.output(), b"")

    def test_fragments(self):
        ws = opened()
        for fragment, wanted in (
            (4, [(0x01, b"abcd"), (0x00, b"efgh"), (0x80, b"ij")]),
            (5, [(0x01, b"abcde"), (0x80, b"fghij")]),
            (9, [(0x01, b"abcdefghi"), (0x80, b"j")]),
            (10, [(0x81, b"abcdefghij")]),
            (0, [(0x81, b"abcdefghij")]),
        ):
            ws.send_text(b"abcdefghij", fragment)
            self.assertEqual(sent(ws), wanted)

    def test_each_frame_has_its_own_key(self):
        keys = Keys()
        ws = WebSocket("ws://host/", max_message=LIMIT, random=keys)
        events(ws, ANSWER)
        ws.send_text(b"abcdef", 2)
        ws.ping()
        self.assertEqual(keys.count, 4)
        sent(ws)

    def test_the_caller_keeps_its_data(self):
        ws = opened()
        data = bytearray(b"abc")
        ws.send_text(data)
        data[0] = 0
        self.assertEqual(sent(ws), [(0x81, b"abc")])
        self.assertEqual(data, b"\x00bc")

    def test_ping_and_its_pong(self):
        ws = opened()
        ws.ping(b"x" * 125)
        self.assertEqual(sent(ws), [(0x89, b"x" * 125)])
        self.assertEqual(events(ws, frame(0x8A, b"x" * 125)), [(PONG, b"x" * 125)])

    def test_pong_goes_before_the_close(self):
        ws = opened()
        events(ws, frame(0x89, b"?"))
        ws.close()
        self.assertEqual(sent(ws), [(0x8A, b"?"), (0x88, b"\x03\xe8")])

    def test_misuse(self):
        ws = connecting()
        self.assertRaises(LocalError, ws.send_text, b"early")
        self.assertRaises(LocalError, ws.ping)
        events(ws, ANSWER)
        self.assertRaises(LocalError, ws.request)
        self.assertRaises(LocalError, ws.ping, b"x" * 126)
        self.assertRaises(LocalError, ws.send_text, b"\xed\xa0\x80")
        self.assertRaises(LocalError, ws.send_text, b"\xc3")
        self.assertRaises(LocalError, ws.close, 1000, "x" * 124)
        self.assertEqual(ws.output(), b"")
        self.assertEqual(ws.state, OPEN)
        ws.close(1000, "x" * 123)
        self.assertRaises(LocalError, ws.send_text, b"late")
        self.assertRaises(LocalError, ws.ping)
        ws.close()
        self.assertEqual(sent(ws), [(0x88, b"\x03\xe8" + b"x" * 123)])

    def test_wrong_arguments(self):
        for words in (
            {"url": "http://host/"},
            {"url": "ws://host/", "user": "a:b", "password": b"x"},
        ):
            with self.assertRaises(ValueError):
                WebSocket(words.pop("url"), max_message=LIMIT, random=Keys(), **words)
