"""The interlock in a real timer interrupt: it opens in the time that the board states, whatever holds up the rest.

The car leaves in the midst of 5 s in which no task runs. Both moments are on the board's own clock, which follows the
instructions: what is measured here does not depend on the host.
"""

import asyncio
import json
import ssl

import pytest
import trustme
from sessions import CALM, begin, connector_is, online, stopped

from host_tests.board.conftest import STATION_TESTS
from tools import emulator

VENDOR = "test.block"
HOWS = ("sleep", "compute", "heap", "collect", "flash", "native", "handshake")
BLOCK_MS = 5000
STAYS_S = 3600
LEAD_S = 1.5  # between the beginning of the block and the car's leaving, about


@pytest.fixture
async def tls_port():
    """The port of a server on the host that does nothing but TLS."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(emulator.HOST, key_type=trustme.KeyType.ECDSA).configure_cert(context)

    async def serve(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("how", HOWS)
async def test_it_opens_while_nothing_else_runs(make_csms, station, tls_port, how):
    csms = await make_csms(answer_timeout=60)  # the board's 5 s may be longer here
    box = await station(csms, extension=STATION_TESTS / "blocking_extension.py", settings=CALM)
    await online(csms, box)
    before = (await box.state())["at_ms"]
    session = await begin(csms, box, auto_unplug_s=STAYS_S)
    closed = (await connector_is(box, contactor=True))["coil_ms"]
    passed = (await box.state())["at_ms"] - before
    await box.advance(STAYS_S - LEAD_S - passed / 1000)
    await connector_is(box, contactor=True, status="Charging")
    answer = await csms.call("DataTransfer", vendorId=VENDOR, messageId=how, data=str(tls_port))
    seen = json.loads(answer["data"])
    row = await connector_is(box, contactor=False)
    assert seen["to"] - seen["from"] >= BLOCK_MS
    # the car left, and the coil lost its current, in the midst of the time in which no task ran
    assert seen["from"] < seen["leaves"] < row["coil_ms"] < seen["to"] and row["coil_ms"] > closed
    assert row["coil_ms"] - seen["leaves"] <= seen["stated"]
    assert (await stopped(csms, session))["reason"] == "EVDisconnected"
    assert box.starts == 1
