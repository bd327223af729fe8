"""`WebSocket` against the `websockets` library, on generated and mutated streams, cut at every position.

What they are compared by is `websocket_model.py`.
"""

import binascii
import codecs
import json
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from station.ocpp import utf8
from station.ocpp.mask import mask
from station.ocpp.websocket import CLOSED, MESSAGE, OPEN, PIECE, PONG, REFUSED, WebSocket
from websocket_model import LIMIT, codes, encode, meaning, mutations, near_frames, peer_meaning, server_streams, texts
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

ROOT = Path(__file__).parent.parent.parent
NONCE = bytes(range(16))

check = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])


# ---- the station's side


def new(limit=LIMIT, nonce=NONCE):
    return WebSocket("ws://host/CP1", max_message=limit, random=lambda n: nonce[:n])


def feed(ws, *pieces):
    """The events that the pieces bring."""
    events = []
    for piece in pieces:
        ws.receive(piece)
        while event := ws.event():
            events.append(event)
    return events


def answer():
    """A good answer to the handshake of `new`, made by the library."""
    server = ServerProtocol(subprotocols=["ocpp1.6"])
    server.receive_data(new().request())
    server.send_response(server.accept(server.events_received()[0]))
    return b"".join(server.data_to_send())


ANSWER = answer()


def opened(limit=LIMIT):
    ws = new(limit)
    assert feed(ws, ANSWER) == [(OPEN,)]
    return ws


def cut_everywhere(make, stream):
    """Feeds `stream` whole, byte by byte, and in two pieces cut at each position: the outcome must be the same."""

    def outcome(*pieces):
        ws = make()
        events = feed(ws, *pieces)
        if events and events[-1][:2] == (REFUSED, 0):
            events[-1] = (REFUSED, 0)  # its text shows what of the nonsense has come
        return events, ws.state, ws.failed, bytes(ws.output())

    whole = outcome(stream)
    assert outcome(*(stream[i : i + 1] for i in range(len(stream)))) == whole, "byte by byte"
    for cut in range(1, len(stream)):
        assert outcome(stream[:cut], stream[cut:]) == whole, f"cut at {cut}"
    return whole


def compare(stream, limit=LIMIT):
    """The station, the library and the plain words must agree on what a server's `stream` means."""
    wanted, faults, whole = meaning(stream, limit)
    events, state, failed, _ = cut_everywhere(lambda: opened(limit), stream)
    codes = {code for code, _ in faults}
    assert failed == bool(faults)
    if faults:
        kind, code, reason = events.pop()
        assert kind == CLOSED and code in codes, f"{code} {reason}: expected one of {codes}"
    assert events == wanted
    assert state == (CLOSED if faults or (wanted and wanted[-1][0] == CLOSED) else OPEN)

    peer_events, peer_code = peer_meaning(stream, limit)
    if not faults:
        assert (peer_events, peer_code) == (wanted, None)
    elif whole and any(seen for _, seen in faults):
        assert peer_events == wanted
        assert peer_code in codes | {1009}  # the library's limit is for control frames as well
    else:
        assert peer_events[: len(wanted)] == wanted


# ---- from the server to the station


@check
@given(server_streams())
def test_what_the_server_sends(stream):
    compare(stream)
    _, faults, _ = meaning(stream, LIMIT)
    assert not faults, "the generator made a bad stream"


@check
@given(mutations(server_streams()))
@example(bytes.fromhex("8902 03e8 0101 61 8802 03e8"))  # closed inside a message
def test_what_a_broken_server_sends(stream):
    compare(stream)


@check
@given(st.lists(near_frames(), max_size=4).map(b"".join))
@example(encode(0x88, b"\x03\xec\xff"))  # wrong code and wrong reason
@example(b"\x81\x7f" + b"\xff" * 8)
@example(encode(0x01, b"x" * LIMIT) + encode(0x80, b""))
@example(encode(0x01, b"x" * LIMIT) + encode(0x80, b"x"))
def test_what_a_malicious_server_sends(stream):
    compare(stream)


@check
@given(st.binary(max_size=40))
def test_noise(stream):
    compare(stream)


def test_every_first_byte():
    for first in range(256):
        for second in (0, 1, 2, 125, 126, 127, 128, 129, 253, 254, 255):
            stream = bytes((first, second))
            ws = opened()
            events = feed(ws, stream)
            wanted, faults, _ = meaning(stream, LIMIT)
            assert ws.failed == bool(faults), stream
            if ws.failed:
                assert len(events) == 1 and events[0][1] in {code for code, _ in faults}, stream
            else:
                assert events == wanted, stream


# ---- messages in pieces


def told(ws, *pieces):
    """As `feed`, the pieces of a message put together again; those of one that has not ended come last."""
    events, text = [], b""
    for piece in pieces:
        ws.receive(piece)
        while event := ws.event():
            if event[0] != PIECE:
                events.append(event)
                continue
            text += event[1]
            if event[2]:
                events.append((MESSAGE, text))
                text = b""
    return events


@check
@given(st.one_of(server_streams(), mutations(server_streams())), st.integers(0, 8), st.integers(1, 50))
def test_in_pieces_it_is_the_same_message(stream, head, size):
    """Whatever `in_pieces` needs to decide, for or against it."""
    whole = opened(10**6)
    wanted = feed(whole, stream)
    assume(all(event[1:2] != (1009,) for event in wanted))  # too long for one message: in pieces there is no limit
    for verdict in (True, False):
        choose = lambda begin, verdict=verdict: None if len(begin) < head else verdict  # noqa: E731
        ws = WebSocket("ws://host/CP1", max_message=10**6, in_pieces=choose, random=lambda n: NONCE[:n])
        assert feed(ws, ANSWER) == [(OPEN,)]
        assert told(ws, *(stream[i : i + size] for i in range(0, len(stream), size))) == wanted
        assert (ws.state, ws.failed) == (whole.state, whole.failed)


# ---- from the station to the server


@st.composite
def doings(draw):
    """What the station says, as (method, arguments)."""
    say = st.tuples(st.just("send_text"), texts, st.sampled_from([0, 0, 1, 3, 126]))
    long = st.tuples(st.just("send_text"), st.sampled_from([125, 126, 65535, 65536]).map(lambda n: b"x" * n))
    ping = st.tuples(st.just("ping"), st.binary(max_size=125))
    return draw(st.lists(st.one_of(say, say, ping, long), max_size=6))


@check
@given(doings(), st.randoms(use_true_random=False), st.booleans())
def test_what_the_station_sends(does, random, closes):
    ws = WebSocket("ws://host/CP1", max_message=LIMIT, random=random.randbytes)
    server = ServerProtocol(subprotocols=["ocpp1.6"])
    server.receive_data(ws.request())
    server.send_response(server.accept(server.events_received()[0]))
    assert feed(ws, b"".join(server.data_to_send())) == [(OPEN,)]
    wanted = []
    for method, *arguments in does:
        getattr(ws, method)(*arguments)
        wanted.append((Opcode.TEXT if method == "send_text" else Opcode.PING, arguments[0]))
    if closes:
        ws.close(1001, "bye")
        wanted.append((Opcode.CLOSE, b"\x03\xe9bye"))
    stream = bytes(ws.output())
    got, text = [], b""
    while stream:
        size = random.choice([1, 2, 5, 1000, len(stream)])
        server.receive_data(stream[:size])
        stream = stream[size:]
        for frame in server.events_received():
            if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                text += frame.data
                if frame.fin:
                    got.append((Opcode.TEXT, text))
                    text = b""
            else:
                got.append((frame.opcode, bytes(frame.data)))
    assert server.parser_exc is None
    assert got == wanted
    # and what the server answers to it: a pong for each ping, a close for the close
    pongs = [(PONG, arguments[0]) for method, *arguments in does if method == "ping"]
    answered = feed(ws, b"".join(server.data_to_send()))
    assert answered == pongs + ([(CLOSED, 1001, "bye")] if closes else [])


@check
@given(st.lists(st.binary(max_size=125), min_size=1, max_size=5), codes)
def test_the_server_understands_our_answers(pings, code):
    server = ServerProtocol(state=State.OPEN)
    for payload in pings:
        server.send_ping(payload)
    ws = opened()
    assert feed(ws, b"".join(server.data_to_send())) == []
    server.receive_data(bytes(ws.output()))
    assert [(frame.opcode, frame.data) for frame in server.events_received()] == [(Opcode.PONG, pings[-1])]
    server.send_close(code, "why")
    assert feed(ws, b"".join(server.data_to_send())) == [(CLOSED, code, "why")]
    server.receive_data(bytes(ws.output()))
    assert server.close_rcvd.code == code
    assert server.parser_exc is None


@check
@given(mutations(server_streams()))
def test_the_server_understands_our_last_words(stream):
    ws = opened()
    events = feed(ws, stream)
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(bytes(ws.output()))
    assert server.parser_exc is None
    if ws.failed:
        assert (server.close_rcvd.code, server.close_rcvd.reason) == events[-1][1:]


# ---- the opening handshake


def peer_accepts(head):
    """Whether the library's client takes `head` for a good answer to our request; None: it waits for more."""
    peer = ClientProtocol(parse_uri("ws://host/CP1"), subprotocols=["ocpp1.6"])
    peer.key = binascii.b2a_base64(NONCE).strip().decode()
    peer.receive_data(head)
    if peer.handshake_exc is not None:
        return False
    return None if peer.state is State.CONNECTING else peer.subprotocol == "ocpp1.6"


LINES = [line + b"\r\n" for line in ANSWER.split(b"\r\n")[1:-2] if not line.startswith(b"Date")]
field_lines = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(LINES).map(bytes.lower),
    st.sampled_from(
        [
            b"Upgrade: WebSocket\r\n",
            b"Upgrade: websocket, h2c\r\n",
            b"Upgrade: , websocket\r\n",
            b"Connection: close\r\n",
            b"Connection: keep-alive, UPGRADE\r\n",
            b"Connection:upgrade\t\r\n",
            b"Sec-WebSocket-Accept: AAAA\r\n",
            b"Sec-WebSocket-Protocol: ocpp1.5\r\n",
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
            b"Location: ws://elsewhere/\r\n",
            b"Server: x\xe4\r\n",
            b"Bad Name: x\r\n",
            b"Bad-Value: \x01\r\n",
            b": no name\r\n",
            b"no colon\r\n",
            b" folded\r\n",
        ]
    ),
)
heads = st.builds(
    lambda status, lines, more: status + b"".join(lines) + b"".join(more) + b"\r\n",
    st.sampled_from([b"HTTP/1.1 101 Switching Protocols\r\n"] * 4 + [b"HTTP/1.0 101 OK\r\n", b"HTTP/1.1 401 No\r\n"]),
    st.one_of(st.permutations(LINES), st.just(LINES[:-1])),
    st.one_of(st.just([]), st.lists(field_lines, max_size=2)),
)


@check
@given(heads)
@example(ANSWER)
def test_handshake_answers(head):
    events, *_ = cut_everywhere(new, head)
    # Waiting is for the body of a refusal, which does not matter to us.
    assert [event[0] for event in events] == ([OPEN] if peer_accepts(head) else [REFUSED])


@check
@given(mutations(heads))
def test_broken_handshake_answers(head):
    events, *_ = cut_everywhere(new, head)
    accepted = peer_accepts(head)
    opened_it = bool(events) and events[0] == (OPEN,)
    # The library wants a space after the status and judges all tokens of Connection: the one may refuse what we accept.
    assert accepted is not True or opened_it
    if opened_it:
        accept = ANSWER.partition(b"Sec-WebSocket-Accept: ")[2].split(b"\r\n")[0]
        assert head.startswith(b"HTTP/1.1 101") and accept in head and b"ocpp1.6" in head


# ---- the inner loops, and MicroPython


@check
@given(st.binary(max_size=40), st.binary(min_size=4, max_size=4), st.integers(0, 40), st.integers(0, 40))
def test_mask(data, key, start, end):
    start, end = min(start, len(data)), min(end, len(data))
    end = max(start, end)
    buf = bytearray(data)
    mask(buf, key, start, end)
    assert buf == data[:start] + bytes(b ^ key[i % 4] for i, b in enumerate(data[start:end])) + data[end:]


@check
@given(st.one_of(st.binary(max_size=12), mutations(texts)), st.integers(0, 60))
def test_utf8(data, cut):
    cut = min(cut, len(data))
    state = utf8.check(data, 0, cut, utf8.WHOLE)
    if state != utf8.BAD:
        state = utf8.check(data, cut, len(data), state)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data)
        wanted = utf8.WHOLE if decoder.getstate()[0] == b"" else None
    except UnicodeDecodeError:
        wanted = utf8.BAD
    assert (state if state in (utf8.WHOLE, utf8.BAD) else None) == wanted


def test_micropython_makes_the_same_of_it():
    """A sample of the streams above, in the interpreter that the firmware runs in."""
    cases = []

    @settings(check, max_examples=150)
    @given(
        st.one_of(
            server_streams(),
            mutations(server_streams()),
            st.lists(near_frames(), max_size=4).map(b"".join),
        ),
        st.integers(1, 50),
    )
    def gather(stream, size):
        stream = ANSWER + stream
        cases.append([stream[i : i + size] for i in range(0, len(stream), size)])

    gather()
    lines = [
        json.dumps({"limit": LIMIT, "nonce": NONCE.hex(), "pieces": [piece.hex() for piece in pieces]})
        for pieces in cases
    ]
    done = subprocess.run(
        [Path(sys.executable).with_name("micropython"), Path(__file__).with_name("websocket_script.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
        env={"MICROPYPATH": str(ROOT / "firmware")},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(cases)
    for pieces, line in zip(cases, answers, strict=True):
        ws = new()
        events = [[x.hex() if isinstance(x, (bytes, bytearray)) else x for x in event] for event in feed(ws, *pieces)]
        wanted = {"events": events, "sent": bytes(ws.output()).hex(), "state": ws.state}
        assert json.loads(line) == wanted, pieces
