"""What a server's bytes mean to a client, in plain words and in those of the `websockets` library; and such bytes.

Where the two may differ is written down in `Frame.faults`: what `websockets` leaves to the layer above, or lets pass.
"""

import codecs

from hypothesis import strategies as st
from station.ocpp.websocket import CLOSED, MESSAGE, PONG
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Opcode
from websockets.protocol import CLIENT, Protocol, State
from websockets.server import ServerProtocol

LIMIT = 300  # bytes of a message, small so that generated streams reach it


class Frame:
    """The frame at the start of `data`, whole or not."""

    def __init__(self, data):
        self.first = data[0]
        self.opcode = self.first & 0x0F
        self.second = data[1] if len(data) > 1 else None
        self.size = self.payload = None
        self.length = len(data)
        self.long_form = False
        if self.second is None:
            return
        field = {126: 2, 127: 8}.get(self.second & 0x7F, 0)
        head = 2 + field
        if len(data) < head:
            return
        self.size = int.from_bytes(data[2:head], "big") if field else self.second & 0x7F
        self.long_form = field > 0 and self.size < (126 if field == 2 else 0x10000)
        self.payload = data[head : head + self.size]
        self.length = head + self.size

    @property
    def whole(self):
        return self.size is not None and len(self.payload) == self.size

    def faults(self, text, limit):
        """{(close code, whether `websockets` sees it, too)}; `text`: of the unfinished message, None without one."""
        faults = set()
        control = self.opcode & 8
        if self.first & 0x70 or self.opcode not in (0, 1, 2, 8, 9, 10):
            faults.add((1002, True))
        if control and not self.first & 0x80:
            faults.add((1002, True))
        if control and (self.second or 0) & 0x7F > 125:
            faults.add((1002, self.size is None or self.size > 125))
        if not control and (self.opcode == 0) != (text is not None):
            faults.add((1002, True))
        if (self.second or 0) & 0x80:
            faults.add((1002, True))
        if self.opcode == 2:
            faults.add((1003, False))
        if self.size is not None:
            if self.long_form:
                faults.add((1002, False))
            if self.size >= 1 << 63:
                faults.add((1002, True))
            if not control and self.size > limit - len(text or b""):
                faults.add((1009, True))
            faults |= self.faults_of_payload(text or b"")
        return faults

    def faults_of_payload(self, text):
        if self.opcode in (0, 1):
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                decoder.decode(text + self.payload, final=self.whole and bool(self.first & 0x80))
            except UnicodeDecodeError:
                return {(1007, False)}
        if self.opcode == 8 and self.whole:
            faults = set()
            if self.size == 1:
                faults.add((1002, True))
            if self.size > 1 and not sendable(int.from_bytes(self.payload[:2], "big")):
                faults.add((1002, True))
            try:
                self.payload[2:].decode()
            except UnicodeDecodeError:
                faults.add((1007, True))
            return faults
        return set()


def sendable(code):
    try:
        Close(code, "").check()
    except ProtocolError:
        return False
    return True


def meaning(stream, limit):
    """`(events, faults of the frame that ended it, whether that frame is whole)`; no faults: open, or closed."""
    events, text = [], None
    while stream:
        frame = Frame(stream)
        faults = frame.faults(text, limit)
        if faults:
            return events, faults, frame.whole
        if not frame.whole:
            break
        stream = stream[frame.length :]
        if frame.opcode == 8:
            code = int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005
            return [*events, (CLOSED, code, frame.payload[2:].decode())], set(), True
        if frame.opcode == 10:
            events.append((PONG, frame.payload))
        if frame.opcode in (0, 1):
            text = (text or b"") + frame.payload
            if frame.first & 0x80:
                events.append((MESSAGE, text))
                text = None
    return events, set(), True


def peer_meaning(stream, limit):
    """`(events, close code that the library answers with or None)`, of its parser that client and server share."""
    peer = Protocol(CLIENT, state=State.OPEN, max_size=limit)
    peer.receive_data(stream)
    events, text = [], b""
    for frame in peer.events_received():
        if frame.opcode is Opcode.PONG:
            events.append((PONG, bytes(frame.data)))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            text += frame.data
            if frame.fin:
                events.append((MESSAGE, text))
                text = b""
    # A close frame between fragments is lawful (§5.4), the library thinks it is not; it has understood it nevertheless.
    if peer.close_rcvd is not None:
        return [*events, (CLOSED, peer.close_rcvd.code, peer.close_rcvd.reason)], None
    code = {ProtocolError: 1002, UnicodeDecodeError: 1007, PayloadTooBig: 1009, type(None): None}
    return events, code[type(peer.parser_exc)]


# ---- streams


def encode(first, payload, form=7, masked=0):
    size = len(payload)
    form = max(form, 7 if size < 126 else 16)
    if form == 7:
        head = bytes((first, masked | size))
    else:
        head = bytes((first, masked | (126 if form == 16 else 127))) + size.to_bytes(form // 8, "big")
    return head + payload


texts = st.text(st.sampled_from('aB{}[]",:0ä€😀\0\x7f\u07ff\uffff'), max_size=60).map(str.encode)
codes = st.one_of(st.sampled_from([1000, 1001, 1008, 1014, 3000, 4999]), st.integers(3000, 4999))


@st.composite
def server_streams(draw):
    """Bytes that the library's server sends: texts in fragments cut anywhere, pings and pongs between them, a close."""
    server = ServerProtocol(state=State.OPEN)
    for _ in range(draw(st.integers(0, 4))):
        text = draw(texts)
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        for i, piece in enumerate(pieces):
            control = draw(st.sampled_from([None, None, server.send_ping, server.send_pong]))
            if control:
                control(draw(st.binary(max_size=20)))
            last = i == len(pieces) - 1
            if i == 0:
                server.send_text(piece, fin=last)
            else:
                server.send_continuation(piece, fin=last)
    if draw(st.booleans()):
        server.send_close(draw(codes), draw(st.sampled_from(["", "bye", "tschüß"])))
    return b"".join(server.data_to_send())


@st.composite
def near_frames(draw):
    """Frames that are right but for a thing or two."""
    first = draw(st.one_of(st.sampled_from([0x81, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A]), st.integers(0, 255)))
    code = st.integers(990, 1020).map(lambda code: code.to_bytes(2, "big"))
    closes = st.builds(bytes.__add__, code, st.one_of(texts, st.binary(max_size=4)))
    sizes = st.sampled_from([0, 1, 124, 125, 126, 127, 200, LIMIT, LIMIT + 1]).map(lambda size: b"x" * size)
    payload = draw(st.one_of(texts, st.binary(max_size=12), closes, sizes))
    form = draw(st.sampled_from([7, 7, 7, 7, 16, 64]))
    return encode(first, payload, form, draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0x80])))


@st.composite
def mutations(draw, streams):
    """A stream with some bytes changed, taken out, put in, doubled, or its end cut off."""
    stream = bytearray(draw(streams))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(stream)))
        until = min(len(stream), at + draw(st.integers(0, 5)))
        kind = draw(st.sampled_from(["bit", "bit", "change", "remove", "insert", "double", "cut"]))
        if kind == "bit" and at < len(stream):
            stream[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "change":
            stream[at:until] = draw(st.binary(min_size=until - at, max_size=until - at))
        elif kind == "remove":
            del stream[at:until]
        elif kind == "insert":
            stream[at:at] = draw(st.binary(max_size=4))
        elif kind == "double":
            stream[at:at] = stream[at:until]
        elif kind == "cut":
            del stream[at:]
    return bytes(stream)
