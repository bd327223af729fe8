"""The link as a process against real peers: the `websockets` server, TLS, and backends that do everything wrong.

`link_script.py` runs the link in MicroPython. Nothing here waits for a time to pass but for what must happen.
"""

import asyncio
import base64
import contextlib
import datetime
import http
import json
import os
import ssl
import sys
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("link_script.py")
MICROPYTHON = Path(sys.executable).with_name("micropython")
PATIENCE_S = 20  # for what must happen at once; only a failing test waits so long
HEARTBEAT = {"currentTime": "2026-11-22T11:00:00Z"}
SETTINGS = {
    "RetryBackOffWaitMinimum": 0,
    "RetryBackOffRepeatTimes": 2,
    "RetryBackOffRandomRange": 0,
    "WebSocketPingInterval": 0,
    "WebSocketMaxMessageSize": 65536,
    "MessageTimeout": 30,
}


async def in_time(waiting):
    return await asyncio.wait_for(waiting, PATIENCE_S)


class Box:
    """The process of link_script.py; what it told so far is in `told`."""

    def __init__(self, process):
        self._process = process
        self._events = asyncio.Queue()
        self.told = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, url, settings=None, **config):
        config = {"url": url, "settings": {**SETTINGS, **(settings or {})}, **config}
        pipe = asyncio.subprocess.PIPE
        words = (MICROPYTHON, "-X", "heapsize=2M", SCRIPT)
        box = cls(await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, cwd=ROOT, limit=1 << 20))
        box.write(config)
        return box

    async def _read(self):
        while line := await self._process.stdout.readline():
            event = json.loads(line)
            self.told.append(event)
            self._events.put_nowait(event)
        self._events.put_nowait(None)

    def write(self, line):
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    def send(self, cmd, **more):
        self.write({"cmd": cmd, **more})

    def call(self, tag, action="Heartbeat", payload=None):
        self.send("call", tag=tag, action=action, payload=payload or {})

    async def expect(self, kind, text="", **fields):
        """The next event of that kind that says `text` and has these fields; others pass by."""
        while True:
            event = await in_time(self._events.get())
            assert event, "the process has ended"
            said = event.get("text") or event.get("reason") or ""
            if event["event"] == kind and text in said and fields.items() <= event.items():
                return event

    async def round_trip(self):
        """All commands sent before have been obeyed."""
        self.send("ping")
        await self.expect("pong")

    def open_files(self):
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    async def stop(self):
        self._process.kill()
        await self._process.wait()
        await self._reader


@pytest.fixture
async def box():
    """`await box(url, settings={…}, …)` starts one."""
    started = []

    async def make(*args, **kwargs):
        started.append(await Box.start(*args, **kwargs))
        return started[-1]

    yield make
    for one in started:
        told = one.told[:60]  # a failing test shows what the link told
        await one.stop()
        print(*told, sep="\n")


class Backend:
    """A `websockets` server. `await connection()` is the next station that came; its frames are read by hand."""

    def __init__(self, **options):
        self._options = {"subprotocols": ["ocpp1.6"], "ping_interval": None, "close_timeout": 1, **options}
        self._came = asyncio.Queue()
        self.count = 0
        self.port = None

    async def __aenter__(self):
        self._server = await serve(self._meet, "127.0.0.1", 0, **self._options)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    def url(self, scheme="ws", host="127.0.0.1", path="/CP"):
        return f"{scheme}://{host}:{self.port}{path}"

    async def _meet(self, connection):
        self.count += 1
        self._came.put_nowait(connection)
        await connection.wait_closed()

    async def connection(self):
        return await in_time(self._came.get())


async def receive(connection):
    return json.loads(await in_time(connection.recv()))


async def send(connection, *frame):
    await connection.send(json.dumps(frame))


async def answer(connection, payload=None):
    """Takes one CALL and answers it; returns the CALL."""
    frame = await receive(connection)
    assert frame[0] == 2
    await send(connection, 3, frame[1], payload or HEARTBEAT)
    return frame


async def assert_works(box, connection):
    """A call goes through, both ways."""
    box.call("still alive")
    await answer(connection)
    await box.expect("answer", tag="still alive", payload=HEARTBEAT)
    await send(connection, 2, "still alive", "DataTransfer", {"vendorId": "echo", "data": "yes"})
    assert await receive(connection) == [3, "still alive", {"status": "Accepted", "data": "yes"}]


# ---- the opening


async def test_the_request_and_a_first_call(box):
    async with Backend() as backend:
        station = await box(backend.url(path="/ocpp/CP%201"), user="CP 1", password="secret:ä")
        connection = await backend.connection()
        await station.expect("up")
        request = connection.request
        assert request.path == "/ocpp/CP%201"
        assert request.headers["Host"] == f"127.0.0.1:{backend.port}"
        assert request.headers["Sec-WebSocket-Protocol"] == "ocpp1.6"
        expected = base64.b64encode("CP 1:secret:ä".encode()).decode()
        assert request.headers["Authorization"] == f"Basic {expected}"
        await assert_works(station, connection)


def refuse(status, **headers):
    def process_request(connection, _request):
        response = connection.respond(http.HTTPStatus(status), "no\n")
        response.headers.update(headers)
        return response

    return process_request


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (401, {}, "401"),
        (404, {}, "404"),
        (302, {"Location": "ws://elsewhere.example/CP"}, "ws://elsewhere.example/CP"),
        (503, {}, "503"),
        (200, {}, "200"),
    ],
)
async def test_a_refusal_is_reported_as_what_it_is_and_tried_again(box, status, headers, expected):
    async with Backend(process_request=refuse(status, **headers)) as backend:
        station = await box(backend.url())
        await station.expect("log", expected)
        await station.expect("log", "next attempt")
        await station.expect("log", expected)
        assert backend.count == 0
        assert not [event for event in station.told if event["event"] in ("up", "down")]


async def test_a_backend_that_does_not_speak_the_subprotocol(box):
    async with Backend(subprotocols=None) as backend:
        station = await box(backend.url())
        await station.expect("log", "subprotocol")


@contextlib.asynccontextmanager
async def raw_backend(handle):
    """A TCP server; gives its URL."""

    async def guarded(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    yield "ws://127.0.0.1:{}/CP".format(server.sockets[0].getsockname()[1])
    server.close()


async def test_a_peer_that_is_no_web_server(box):
    async def handle(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()

    async with raw_backend(handle) as url:
        station = await box(url)
        await station.expect("log", "HTTP")
        await station.expect("log", "next attempt")


async def test_a_peer_that_hangs_up(box):
    async def handle(reader, writer):
        await reader.readline()

    async with raw_backend(handle) as url:
        station = await box(url)
        await station.expect("log", "next attempt")
        await station.expect("log", "next attempt")


async def test_a_peer_that_never_answers_the_handshake(box):
    came = asyncio.Event()

    async def handle(reader, writer):
        await reader.readline()
        came.set()
        await reader.read()

    async with raw_backend(handle) as url:
        station = await box(url)
        await came.wait()
        station.send("advance", ms=30_000)
        await station.expect("log", "opening was not finished")


async def test_nobody_listens_and_the_waits_grow(box):
    async with Backend() as backend:
        url = backend.url()
    station = await box(url, settings={"RetryBackOffWaitMinimum": 10})
    for wait in (10_000, 20_000, 40_000, 40_000):
        await station.expect("log", "ECONNREFUSED")
        await station.expect("log", f"next attempt in {wait} ms")
        station.send("advance", ms=wait)


async def test_the_waits_start_again_after_a_backend_that_answered_and_only_then(box):
    async with Backend() as backend:
        station = await box(backend.url(), settings={"RetryBackOffWaitMinimum": 10})
        for wait in (10_000, 20_000):  # it accepts, and that is all
            connection = await backend.connection()
            await connection.close()
            await station.expect("log", f"next attempt in {wait} ms")
            station.send("advance", ms=wait)
        connection = await backend.connection()
        await station.expect("up")
        await assert_works(station, connection)
        await connection.close()
        await station.expect("log", "next attempt in 10000 ms")


async def test_a_name_that_is_unknown(box):
    station = await box("ws://nobody.invalid/CP")
    await station.expect("log", "nobody.invalid")
    await station.expect("log", "next attempt")


# ---- TLS


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


def pem(*authorities):
    return "".join(one.cert_pem.bytes().decode() for one in authorities)


def server_context(certificate, names=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if names is not None:
        context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_tls_with_the_right_certificate(box, ca, host):
    names = []
    async with Backend(ssl=server_context(ca.issue_cert(host), names)) as backend:
        station = await box(backend.url("wss", host), ca=pem(trustme.CA(), ca), user="CP", password="secret")
        connection = await backend.connection()
        await station.expect("up")
        await assert_works(station, connection)
        data = "x" * 50_000  # more than one TLS record, both ways
        station.call("large", "DataTransfer", {"vendorId": "v", "data": data})
        assert (await answer(connection, {"status": "Accepted", "data": data}))[3]["data"] == data
        assert (await station.expect("answer", tag="large"))["payload"]["data"] == data
        if host == "localhost":
            assert names == ["localhost"]
        await connection.close()
        await backend.connection()


def expired(ca):
    start = datetime.datetime(2020, 1, 1)
    return ca.issue_cert("localhost", not_before=start, not_after=start + datetime.timedelta(days=100))


@pytest.mark.parametrize(
    ("issue", "expected"),
    [
        (lambda ca: ca.issue_cert("other.example"), "does not match"),
        (lambda ca: trustme.CA().issue_cert("localhost"), "not correctly signed by the trusted CA"),
        (expired, "expired"),
    ],
    ids=["wrong host name", "unknown CA", "expired"],
)
async def test_tls_with_a_wrong_certificate_sends_nothing(box, ca, issue, expected):
    """Neither the request nor the key reaches such a backend, and no socket is left behind."""
    seen = []

    def process_request(_connection, request):
        seen.append(request)

    async with Backend(ssl=server_context(issue(ca)), process_request=process_request) as backend:
        station = await box(backend.url("wss", "localhost"), ca=pem(ca), user="CP", password="secret")
        await station.expect("log", expected)
        await station.expect("log", "next attempt")
        files = station.open_files()
        for _ in range(8):
            await station.expect("log", expected)
            await station.expect("log", "next attempt")
        assert station.open_files() <= files + 1  # the attempt that is running
        assert not seen


async def test_tls_against_a_backend_that_has_none(box, ca):
    async with Backend() as backend:
        station = await box(backend.url("wss"), ca=pem(ca))
        await station.expect("log", "next attempt")
        assert backend.count == 0


async def test_no_tls_against_a_backend_that_has_it(box, ca):
    async with Backend(ssl=server_context(ca.issue_cert("127.0.0.1"))) as backend:
        station = await box(backend.url("ws"))
        await station.expect("log", "next attempt")
        assert backend.count == 0


# ---- calls


async def test_one_call_at_a_time_in_order(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        for tag in range(5):
            station.call(tag, "DataTransfer", {"vendorId": str(tag)})
        await station.round_trip()
        for tag in range(5):
            frame = await receive(connection)
            assert frame[3]["vendorId"] == str(tag)
            # had the next one been sent already, it would come before this pong's answer
            await send(connection, 2, "between", "DataTransfer", {"vendorId": "echo"})
            assert (await receive(connection))[:2] == [3, "between"]
            await send(connection, 3, frame[1], {"status": "Accepted"})
            await station.expect("answer", tag=tag)


async def test_an_error_of_the_backend(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        station.call(1)
        frame = await receive(connection)
        await send(connection, 4, frame[1], "SecurityError", "go away", {"why": "so"})
        event = await station.expect("failed", tag=1)
        assert (event["error"], event["parts"]) == ("CallRefused", ["SecurityError", "go away", {"why": "so"}])
        await assert_works(station, connection)


NONSENSE = [
    '[3,"unknown",{}]',
    '[4,"unknown","GenericError","",{}]',
    '[3,"unknown"]',
    "[3]",
    "[]",
    "{}",
    "null",
    '"[2"',
    "hello",
    "",
    '[5,"x","y",{}]',
    "[" * 5000,
    '[3,"unknown",' + "[" * 3000 + "]" * 3000 + "]",
]


async def test_nonsense_does_not_disturb_the_call_in_flight(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        station.call(1)
        frame = await receive(connection)
        for text in NONSENSE:
            await connection.send(text)
        await send(connection, 3, frame[1], HEARTBEAT)
        await station.expect("answer", tag=1, payload=HEARTBEAT)
        await assert_works(station, connection)
        assert not [event for event in station.told if event["event"] in ("failed", "down")]


async def test_an_unusable_answer_is_no_answer(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        for tag, payload in enumerate(({}, {"currentTime": 5}, {"currentTime": "yesterday"}, [])):
            station.call(tag)
            frame = await receive(connection)
            await send(connection, 3, frame[1], payload)
            event = await station.expect("failed", tag=tag)
            assert event["error"] == "NoAnswer"
        await assert_works(station, connection)


async def test_a_call_without_an_answer_on_a_connection_that_lives(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        station.call(1)
        late = await receive(connection)
        await send(connection, 2, "a", "DataTransfer", {"vendorId": "echo"})
        await receive(connection)
        station.send("advance", ms=30_000)
        event = await station.expect("failed", tag=1)
        assert (event["error"], "30 s" in event["text"]) == ("NoAnswer", True)
        await send(connection, 3, late[1], HEARTBEAT)
        await station.expect("log", "dropped an answer")
        await assert_works(station, connection)
        assert backend.count == 1


async def test_a_connection_lost_in_mid_call(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        for tag in range(3):
            station.call(tag)
        await receive(connection)
        connection.transport.abort()
        await station.expect("down")
        endings = [await station.expect("failed", error="NotConnected") for _ in range(3)]
        assert {event["tag"]: event["sent"] for event in endings} == {0: True, 1: False, 2: False}
        connection = await backend.connection()
        await station.expect("up")
        await assert_works(station, connection)


async def test_offline_a_call_fails_at_once(box):
    async with Backend() as backend:
        url = backend.url()
    station = await box(url, settings={"RetryBackOffWaitMinimum": 3600})
    station.call(1)
    event = await station.expect("failed", tag=1)
    assert (event["error"], event["sent"]) == ("NotConnected", False)


# ---- the backend's calls


async def test_a_burst_is_answered_in_order_while_our_own_call_waits(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        station.call(1)
        own = await receive(connection)
        for i in range(50):
            await send(connection, 2, f"id{i}", "DataTransfer", {"vendorId": "echo", "data": str(i)})
        for i in range(50):
            assert await receive(connection) == [3, f"id{i}", {"status": "Accepted", "data": str(i)}]
        await send(connection, 3, own[1], HEARTBEAT)
        await station.expect("answer", tag=1)


async def test_our_answers_come_through_while_a_handler_waits(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        await send(connection, 2, "slow", "DataTransfer", {"vendorId": "wait"})
        await send(connection, 2, "next", "DataTransfer", {"vendorId": "ask"})
        station.call(1)
        await answer(connection)
        await station.expect("answer", tag=1)
        station.send("go")
        assert (await receive(connection))[:2] == [3, "slow"]
        await answer(connection)  # what the handler of "next" asks
        assert (await receive(connection))[:2] == [3, "next"]


async def test_a_handler_that_fails_and_a_call_that_is_malformed(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        await send(connection, 2, "a", "DataTransfer", {"vendorId": "fail"})
        assert (await receive(connection))[:3] == [4, "a", "InternalError"]
        for text in ('[2,"b","DataTransfer"]', '[2,"b",7,{}]', '[2,"b","DataTransfer",{"x":}]', ' [ 2 ,"b","x",[]]'):
            await connection.send(text)
            assert (await receive(connection))[:3] == [4, "b", "FormationViolation"]
        await assert_works(station, connection)


# ---- a CALL larger than memory


def list_of(count, *more):
    cards = [{"idTag": f"CARD{i:08}", "idTagInfo": {"status": "Accepted"}} for i in range(count)]
    payload = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [*cards, *more]}
    return json.dumps([2, "list", "SendLocalList", payload])


@pytest.mark.parametrize("size", [None, 1, 1000, 100_000], ids=lambda size: f"fragments of {size}" if size else "whole")
async def test_a_list_larger_than_memory(box, size):
    """The process has 2 MB, and others' messages 4 KiB; it is answered in its turn, pings between its fragments too."""
    text = list_of(30 if size == 1 else 50_000)
    assert size == 1 or len(text) > 3_000_000
    async with Backend() as backend:
        station = await box(backend.url(), settings={"WebSocketMaxMessageSize": 4096})
        connection = await backend.connection()
        await station.expect("up")
        await send(connection, 2, "before", "DataTransfer", {"vendorId": "wait"})

        async def fragments():
            for i in range(0, len(text), size):
                yield text[i : i + size]
                if i // size % 20 == 3:
                    await in_time(await connection.ping())

        await in_time(connection.send(fragments() if size else text))
        await send(connection, 2, "after", "DataTransfer", {"vendorId": "echo"})
        station.send("go")
        assert [(await receive(connection))[:2] for _ in range(3)] == [[3, "before"], [3, "list"], [3, "after"]]
        event = await station.expect("list")
        assert (event["count"], event["payload"]) == (text.count('idTag"'), {"listVersion": 3, "updateType": "Full"})
        await assert_works(station, connection)
        assert backend.count == 1


async def test_a_sink_that_takes_its_time_holds_the_backend_back(box):
    text = list_of(100_000)
    first = text.index('{"idTag"')
    async with Backend() as backend:
        station = await box(backend.url(), settings={"WebSocketPingInterval": 60})
        connection = await backend.connection()
        await station.expect("up")
        sending = asyncio.create_task(connection.send(text[:first] + '{"idTag":"wait"},' + text[first:]))
        await station.expect("waiting")
        for _ in range(10):
            station.send("advance", ms=60_000)
            await station.round_trip()  # not taken for silence, and the rest of it lives
        assert not sending.done()
        station.send("go")
        await in_time(sending)
        assert await receive(connection) == [3, "list", {"status": "Accepted"}]
        await assert_works(station, connection)
        assert backend.count == 1


@pytest.mark.parametrize("how", ["lost", "broken", "broken off", "no UTF-8"])
async def test_a_list_that_does_not_come_to_its_end(box, how):
    text = list_of(3000)
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")

        async def fragments():
            yield text[:100_000].encode()
            if how == "lost":
                connection.transport.abort()
            elif how == "no UTF-8":
                yield b"\xff"

        # broken: it goes on with what is no JSON; broken off: it ends here
        end = b"]]" + text.encode() if how == "broken" else b""
        with contextlib.suppress(ConnectionClosed):
            if how.startswith("broken"):
                await connection.send(text[:100_000].encode() + end, text=True)
                assert (await receive(connection))[:3] == [4, "list", "FormationViolation"]
            else:
                await connection.send(fragments(), text=True)
        await station.expect("aborted")
        if how in ("lost", "no UTF-8"):
            connection = await backend.connection()
            await station.expect("up")
        await connection.send(list_of(5))
        assert await receive(connection) == [3, "list", {"status": "Accepted"}]
        await station.expect("list", count=5)
        await assert_works(station, connection)


# ---- endings


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda connection: connection.send("x" * 5000), 1009),
        (lambda connection: connection.send(["x" * 3000] * 2), 1009),
        (lambda connection: connection.send(b"binary"), 1003),
        (lambda connection: connection.send(b"\xff", text=True), 1007),
        (lambda connection: raw_write(connection, b"\x91\x00"), 1002),
    ],
    ids=["too large", "too large in fragments", "binary", "no UTF-8", "reserved bit"],
)
async def test_a_backend_that_breaks_the_rules_is_told_which_one(box, break_it, code):
    async with Backend() as backend:
        station = await box(backend.url(), settings={"WebSocketMaxMessageSize": 4096})
        connection = await backend.connection()
        await station.expect("up")
        await break_it(connection)
        await station.expect("down", str(code))
        await in_time(connection.wait_closed())
        assert connection.close_code == code
        connection = await backend.connection()
        await station.expect("up")
        await assert_works(station, connection)


async def raw_write(connection, data):
    connection.transport.write(data)


async def test_a_large_message_is_refused_although_more_of_it_keeps_coming(box):
    """The close frame arrives: it is not lost in a reset for what was left unread."""
    async with Backend(close_timeout=PATIENCE_S) as backend:
        station = await box(backend.url(), settings={"WebSocketMaxMessageSize": 4096})
        connection = await backend.connection()
        await station.expect("up")
        await connection.send("x" * 1_000_000)
        await in_time(connection.wait_closed())
        assert connection.close_code == 1009
        await backend.connection()


async def test_a_backend_that_says_goodbye(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        await connection.close(1001, "restart")
        await station.expect("down", "1001 restart")
        assert connection.close_code == 1001
        await backend.connection()


async def test_hold_and_release(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        station.call(1)
        await receive(connection)
        station.send("hold")
        await station.expect("down", "held")
        event = await station.expect("failed", tag=1)
        assert event["error"] == "NotConnected"
        with pytest.raises(ConnectionClosed):
            await receive(connection)
        assert connection.close_code == 1001
        station.send("close")
        await station.expect("closed")
        station.send("advance", ms=3_600_000)
        await station.round_trip()
        assert backend.count == 1
        station.send("release")
        connection = await backend.connection()
        await station.expect("up")
        await assert_works(station, connection)


async def test_close_says_goodbye_after_the_last_answer(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        await send(connection, 2, "last", "DataTransfer", {"vendorId": "echo"})
        assert (await receive(connection))[:2] == [3, "last"]
        station.send("close")
        await station.expect("closed")
        with pytest.raises(ConnectionClosed):
            await receive(connection)
        assert connection.close_code == 1001


async def test_close_does_not_wait_for_ever_for_the_backend(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        connection.transport.pause_reading()
        station.send("close")
        await station.round_trip()
        station.send("advance", ms=2_000)
        await station.expect("closed")
        connection.transport.abort()


# ---- silence


async def test_pings_are_answered_and_sent(box):
    async with Backend() as backend:
        station = await box(backend.url(), settings={"WebSocketPingInterval": 60})
        connection = await backend.connection()
        await station.expect("up")
        await in_time(await connection.ping())
        for _ in range(3):
            station.send("advance", ms=60_000)
            await assert_works(station, connection)
        assert backend.count == 1


async def test_a_silent_backend_is_noticed_by_a_ping(box):
    """Its TCP takes everything, it says nothing: a half-open connection looks like this."""
    async with Backend() as backend:
        station = await box(backend.url(), settings={"WebSocketPingInterval": 60})
        connection = await backend.connection()
        await station.expect("up")
        connection.transport.pause_reading()
        station.call(1)
        await station.round_trip()
        station.send("advance", ms=59_000)  # also beyond the call's time: nothing was heard since it was sent
        await station.expect("down", "silent")
        await station.expect("failed", tag=1)
        connection.transport.abort()
        connection = await backend.connection()
        await station.expect("up")
        connection.transport.pause_reading()
        station.send("advance", ms=60_000)  # the ping goes out
        await station.round_trip()
        station.send("advance", ms=10_000)
        await station.expect("down", "silent for")
        connection.transport.abort()
        await backend.connection()
        await station.expect("up")


async def test_a_silent_backend_is_noticed_by_a_call_where_there_are_no_pings(box):
    async with Backend() as backend:
        station = await box(backend.url())
        connection = await backend.connection()
        await station.expect("up")
        connection.transport.pause_reading()
        station.call(1)
        station.call(2)
        await station.round_trip()
        station.send("advance", ms=30_000)
        event = await station.expect("down", "silent")
        assert "Heartbeat" in event["reason"]
        assert (await station.expect("failed", tag=1))["error"] == "NoAnswer"
        assert (await station.expect("failed", tag=2))["error"] == "NotConnected"
        connection.transport.abort()
        connection = await backend.connection()
        await station.expect("up")
        await assert_works(station, connection)


# ---- what stays behind


async def test_many_connections_leave_no_socket_behind(box, ca):
    async with Backend(ssl=server_context(ca.issue_cert("localhost"))) as backend:
        station = await box(backend.url("wss", "localhost"), ca=pem(ca))
        files = []
        for how in ("abort", "close") * 8:
            connection = await backend.connection()
            await station.expect("up")
            files.append(station.open_files())
            if how == "abort":
                connection.transport.abort()
            else:
                await connection.close()
            await station.expect("down")
        assert max(files) == files[0], files
