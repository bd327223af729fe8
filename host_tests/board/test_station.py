"""The whole firmware on the emulated board, against the `ocpp` library's backend on the host.

Time on the board follows its instructions, so that what is measured on it does not depend on how busy the host is.
"""

import ssl
from datetime import datetime, timedelta, timezone

import pytest
import trustme
from sessions import begin, connector_is, finish, logged, online, stopped, told, until

from tools import emulator
from tools.process import RESET_STATUS

CALM = {"WebSocketPingInterval": "0", "MeterValueSampleInterval": "0"}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
async def secure(make_csms, authority):
    """Starts a backend for wss:// whose certificate is for `name`."""

    async def make(name=emulator.HOST, not_before=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, key_type=trustme.KeyType.ECDSA, not_before=not_before).configure_cert(context)
        return await make_csms(ssl=context)

    return make


def pem(authority):
    return authority.cert_pem.bytes().decode()


async def test_a_session(csms, station):
    box = await station(csms, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box, current_a=16)
    row = await connector_is(box, contactor=True)
    assert row["ev"]["current_a"] == pytest.approx(16)
    await box.advance(3600)
    stop = await finish(csms, box, session)
    assert stop["reason"] == "Local" and 10_900 < stop["meterStop"] < 11_300


async def test_sessions_on_two_connectors_at_once(csms, station):
    box = await station(csms, connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    sessions = [await begin(csms, box, number, f"CARD{number}") for number in (1, 2)]
    for session in sessions:
        await finish(csms, box, session, f"CARD{session.connector}")


async def test_a_session_over_tls_with_a_verified_certificate(secure, station, authority):
    csms = await secure()
    box = await station(csms, backend={"ca": pem(authority)}, settings=CALM, arguments={"rtc": "host"})
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))


async def test_a_clock_without_battery_begins_when_the_station_was_provisioned(secure, station, authority):
    """It starts in 2000, when no certificate of today is valid yet."""
    now = datetime.now(timezone.utc)
    csms = await secure(not_before=now - timedelta(days=1))
    made = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    lost = await station(csms, backend={"ca": pem(authority)}, settings=CALM)
    await logged(lost, "link: .*validity starts in the future", within=30)
    await lost.kill()
    box = await station(csms, backend={"ca": pem(authority)}, settings=CALM, identity={"provisioned_at": made})
    await online(csms, box)


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_wrong_certificate_is_refused(secure, station, authority, wrong):
    csms = await secure("other.test" if wrong == "name" else emulator.HOST)
    trusted = trustme.CA(key_type=trustme.KeyType.ECDSA) if wrong == "authority" else authority
    box = await station(csms, backend={"ca": pem(trusted)}, settings=CALM, arguments={"rtc": "host"})
    await logged(box, "link: .*(not correctly signed|does not match)", within=30)
    assert not (await box.state())["connected"] and not csms.connections


async def test_the_state_outlives_a_power_cut(csms, station):
    """Power goes in the midst of a transaction and while a message waits; both are told after the next start."""
    box = await station(csms, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await csms.call("ChangeConfiguration", key="ConnectionTimeOut", value="77")
    await csms.stop()
    await until(box, lambda state: not state["connected"])
    await box.kill()
    await csms.start()
    await box.start()
    stop = await stopped(csms, session)
    assert stop["reason"] == "PowerLoss"
    await told(csms, box)
    answer = await csms.call("GetConfiguration", key=["ConnectionTimeOut"])
    assert answer["configurationKey"][0]["value"] == "77"


async def test_a_reset_by_the_backend(csms, station):
    box = await station(csms, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert (await csms.call("Reset", type="Hard"))["status"] == "Accepted"
    await box.restarted(2, within=30)
    assert box.exit_status == RESET_STATUS
    assert (await stopped(csms, session))["reason"] == "HardReset"


async def test_a_task_that_hangs_is_reset_by_the_watchdog(csms, station, blocking):
    """No exit of the emulator: the chip's own watchdog starts the image again, which tells the backend."""
    box = await station(csms, settings=CALM, extension=blocking)
    await online(csms, box)
    session = await begin(csms, box)
    await csms.send_text([2, "hang-1", "DataTransfer", {"vendorId": "test.block", "messageId": "hang"}])
    await box.restarted(2, within=60)
    assert box.exit_status is None
    await csms.expect("BootNotification")
    assert (await stopped(csms, session))["reason"] == "PowerLoss"
    await connector_is(box, contactor=False)
