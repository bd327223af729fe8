"""How the station comes to its backend, and what it does with a bad one: refusals, passwords, TLS, nonsense, silence.

Nothing that a backend does may cost a transaction its messages, or the car its charge."""

import base64
import ssl

import pytest
import trustme
from ocpp.exceptions import InternalError
from sessions import CALM, CARD, begin, connector_is, finish, logged, online, started, stopped, swipe, told, until
from websockets.asyncio.server import serve

from tools.peer import SILENCE, Unchecked


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def pem(authority):
    return authority.cert_pem.bytes().decode()


# --- the opening handshake


@pytest.mark.parametrize(("status", "text"), [(302, "302"), (401, "401"), (404, "404"), (503, "503")])
async def test_a_refusal_is_told_and_tried_again(csms, station, status, text):
    csms.refuse(status)
    box = await station()
    await logged(box, f"link: .*{text}")
    state = await box.state()
    assert not state["connected"] and state["registration"] is None
    csms.refuse(None)
    await box.ws(True)  # no need to wait for the back-off
    await until(box, lambda state: state["online"])


async def test_a_redirection_is_reported_with_where_to_and_not_followed(csms, station):
    def elsewhere(connection, _request):
        response = connection.respond(302, "")
        response.headers["Location"] = csms.url
        return response

    async with serve(lambda _: None, "127.0.0.1", 0, process_request=elsewhere) as server:
        port = server.sockets[0].getsockname()[1]
        box = await station(url=f"ws://127.0.0.1:{port}/old")
        await logged(box, f"redirected to '{csms.url}'")
    assert not csms.connections


async def test_a_backend_of_another_protocol(station):
    async def other(connection):
        await connection.wait_closed()

    async with serve(other, "127.0.0.1", 0) as server:
        box = await station(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp")
        await logged(box, "subprotocol")
        assert not (await box.state())["connected"]


async def test_it_comes_under_its_id_without_a_password(csms, station):
    box = await station(identity={"charge_point_id": "CP 1/#?"})
    await online(csms, box)
    connection = csms.connections[0]
    assert connection.path == "/ocpp/CP%201%2F%23%3F"
    assert "Authorization" not in connection.headers
    assert connection.headers["Sec-WebSocket-Protocol"] == "ocpp1.6"


@pytest.mark.parametrize(
    ("key", "password"),
    [("s3cret:with colon", b"s3cret:with colon"), ("hex:00ff41", b"\x00\xffA")],
    ids=["text", "hex"],
)
async def test_basic_authentication(csms, station, key, password):
    """OCPP-J 1.6 §6.2: the id is the user."""
    box = await station(backend={"authorization_key": key}, identity={"charge_point_id": "CP-9"})
    await online(csms, box)
    scheme, _, words = csms.connections[0].headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(words) == b"CP-9:" + password


async def test_the_password_is_in_no_log(csms, station):
    csms.refuse(401)
    box = await station(backend={"authorization_key": "topsecret"}, settings={"LogLevel": "DEBUG"})
    await logged(box, "401")
    assert "topsecret" not in box.log_text()
    assert base64.b64encode(b"CP-1:topsecret").decode() not in box.log_text()


# --- TLS


async def test_a_session_over_tls(make_csms, station, ca):
    secure = await make_csms(ssl=context_of(ca.issue_cert("localhost")), host="localhost")
    box = await station(
        url=f"wss://localhost:{secure.port}/ocpp",
        backend={"ca": pem(ca), "authorization_key": "secret"},
        settings=CALM,
    )
    await online(secure, box)
    assert "Authorization" in secure.connections[0].headers
    stop = await finish(secure, box, await begin(secure, box))
    assert stop["reason"] == "Local"
    await secure.cut()
    await secure.connected(number=2)
    await until(box, lambda state: state["online"])


@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_a_backend_that_cannot_prove_itself_learns_nothing(make_csms, station, ca, wrong):
    certificate = trustme.CA().issue_cert("127.0.0.1") if wrong == "authority" else ca.issue_cert("other.example")
    secure = await make_csms(ssl=context_of(certificate))
    box = await station(url=secure.url, backend={"ca": pem(ca), "authorization_key": "secret"})
    await logged(box, "not correctly signed" if wrong == "authority" else "does not match")
    assert not (await box.state())["connected"]
    assert not secure.connections


async def test_a_backend_without_tls_is_not_talked_to(csms, station, ca):
    box = await station(url=csms.url.replace("ws:", "wss:"), backend={"ca": pem(ca)})
    await logged(box, "link: .*TLS")
    assert not csms.connections


# --- nonsense and silence

NONSENSE = (
    {},
    {"status": 7},
    {"idTagInfo": "Accepted", "transactionId": "one"},
    {"idTagInfo": {"status": "Perhaps"}, "transactionId": 1, "currentTime": "now"},
    {"idTagInfo": {"status": None}},
)
RETRIES = {"TransactionMessageAttempts": "100", "TransactionMessageRetryInterval": "1"}


async def test_a_backend_that_answers_nonsense_costs_no_transaction(csms, station):
    """Cards are judged as if offline, the transaction's messages are kept until there is a real answer."""
    box = await station(settings={**CALM, **RETRIES, "AllowOfflineTxForUnknownId": "true", "HeartbeatInterval": "1"})
    csms.interval = 0
    await online(csms, box, heartbeats=True)
    replies = [Unchecked(payload) for payload in NONSENSE]
    for action in ("Authorize", "StartTransaction", "StopTransaction", "Heartbeat"):
        csms.answer(action, *replies)
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging", contactor=True)
    await csms.expect("StartTransaction")
    await box.advance(3600)
    await csms.expect("Heartbeat")
    assert await swipe(box) == "stopped"
    await connector_is(box, transaction=None)
    await logged(box, "the answer to StartTransaction is of no use")
    state = await box.state()
    assert state["journal_depth"] == 2 and state["connected"] and state["restarts"] == {}
    for action in ("Authorize", "StartTransaction", "StopTransaction", "Heartbeat"):
        csms.answer(action)
    await box.glide(300)
    await told(csms, box)
    stop = csms.transcript.calls("StopTransaction")[-1].payload
    assert stop["transactionId"] == 1 and stop["meterStop"] >= 11000
    assert len(csms.connections) == 1


async def test_a_backend_that_refuses_everything_costs_no_transaction(csms, station):
    settings = {**CALM, **RETRIES, "AllowOfflineTxForUnknownId": "true"}
    box = await station(settings=settings)
    await online(csms, box)
    actions = ("Authorize", "StartTransaction", "StopTransaction", "StatusNotification", "MeterValues", "Heartbeat")
    for action in actions:
        csms.answer(action, InternalError("out of order"))
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    assert await swipe(box) == "stopped"
    await connector_is(box, transaction=None)
    for action in actions:
        csms.answer(action)
    await box.glide(60)
    await told(csms, box)
    assert csms.transcript.calls("StopTransaction")[-1].payload["transactionId"] == 1
    assert (await box.state())["restarts"] == {}


async def test_a_backend_that_never_answers_costs_no_transaction(csms, station):
    """After the boot not a word: the connection counts as dead again and again, the car charges."""
    settings = {**CALM, "MessageTimeout": "1", "AllowOfflineTxForUnknownId": "true"}
    box = await station(settings=settings)
    await online(csms, box)
    for action in ("Authorize", "StartTransaction", "StatusNotification"):
        csms.answer(action, SILENCE)
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging", contactor=True)
    await logged(box, "silent backend")
    assert await swipe(box) == "stopped"
    for action in ("Authorize", "StartTransaction", "StatusNotification"):
        csms.answer(action)
    await box.ws(True)
    session = await started(csms, idTag=CARD)
    assert (await stopped(csms, session))["reason"] == "Local"
    await told(csms, box)
    assert (await box.state())["restarts"] == {}


async def test_a_half_open_connection_is_noticed_by_pings(csms, station):
    box = await station(settings={**CALM, "WebSocketPingInterval": "60"})
    await online(csms, box)
    csms.freeze()
    await box.advance(61)
    await box.control("ping")
    await box.advance(11)
    await logged(box, "silent for")
    await csms.connected(number=2)
    await until(box, lambda state: state["online"])


async def test_ws_false_goes_and_stays_away_until_ws_true(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.ws(False)
    connection = await csms.disconnected()
    assert connection.code == 1001
    await box.advance(3600)
    await box.control("ping")
    state = await until(box, lambda state: not state["connected"])
    assert not state["online"]
    assert len(csms.connections) == 1
    await box.ws(True)
    await csms.connected(number=2)
