"""A full journal: readings give way before starts and stops, the backend learns of it, and it passes."""

import asyncio
import sys
from pathlib import Path

from sessions import (
    CALM,
    actions,
    begin,
    configuration,
    connector_is,
    finish,
    leap,
    logged,
    pass_until,
    quiet,
    swipe,
    told,
    until,
)

from tools.peer import SILENCE

ROOT = Path(__file__).parents[2]
TRANSACTION = ("StartTransaction", "MeterValues", "StopTransaction")
STRANGERS = {**CALM, "AllowOfflineTxForUnknownId": "true"}


async def depth(box, messages):
    await until(box, lambda state: state["journal_depth"] == messages)


async def fill(box, room):
    """Leaves so many bytes of the journal of a station that is switched off."""
    words = [str(ROOT / "boards" / "unix"), str(ROOT / "firmware"), str(box.state_dir / "provision.json")]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "micropython"),
        *("-X", "heapsize=4M", str(Path(__file__).parent / "fill_journal.py"), *words, str(box.state_dir), str(room)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output.decode()


async def full_station(csms, station, room):
    """A station without a backend, whose journal has so much room left."""
    csms.refuse(503)
    box = await station(settings={**STRANGERS, "MeterValueSampleInterval": "60", "MessageTimeout": "10"})
    await box.kill()
    await fill(box, room)
    await box.start()
    return box


async def test_a_full_store_gives_up_readings_not_starts_and_stops(csms, station):
    box = await full_station(csms, station, 40_000)
    before = (await box.state())["journal_depth"]
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, contactor=True)
    await depth(box, before + 1)
    await box.advance(60)
    await logged(box, "ERROR ledger: the journal is full")
    assert await swipe(box) == "stopped"
    await depth(box, before + 2)
    await box.unplug()
    csms.refuse(None)
    await pass_until(box, lambda state: state["online"], 1)
    row = await csms.expect("StatusNotification", connectorId=0, vendorErrorCode="JournalFull")
    assert (row.payload["status"], row.payload["errorCode"]) == ("Available", "OtherError")
    assert "full" in row.payload["info"]
    assert int(await configuration(csms, "JournalDropped")) >= 1
    # all that waited is told, and there is room again
    await told(csms, box, 30)
    await csms.expect("StatusNotification", connectorId=0, errorCode="NoError")
    assert actions(csms.transcript, *TRANSACTION) == [
        "StartTransaction",
        "StopTransaction",
        "StartTransaction",
        "StopTransaction",
    ]
    stops = csms.transcript.calls("StopTransaction")
    assert [stop.payload["reason"] for stop in stops] == ["PowerLoss", "Local"]
    csms.transcript.forget()
    session = await begin(csms, box, token="AFTERWARDS")
    await leap(csms, box, 60)
    await csms.expect("MeterValues", transactionId=session.transaction_id)


async def begins(box, token):
    """Plugs, swipes, and ends it again, offline; False if no transaction could begin."""
    await box.plug()
    await connector_is(box, status="Preparing")
    since = len(box.log)
    assert await swipe(box, token) == "granted"

    def settled(state):
        return state["connectors"][0]["contactor"] or any("no transaction" in line for line in list(box.log)[since:])

    if not (await until(box, settled))["connectors"][0]["contactor"]:
        return False
    assert await swipe(box, token) == "stopped"
    await connector_is(box, transaction=None)
    await box.unplug()
    return True


async def test_a_store_without_room_for_a_stop_begins_nothing(csms, station):
    """A transaction is begun only if its end can be stored too."""
    box = await full_station(csms, station, 700)
    before = (await box.state())["journal_depth"]
    number = 0
    while await begins(box, f"CARD-{number}"):
        number += 1
        await connector_is(box, status="Available")
    assert number < 4
    await logged(box, "no transaction can begin: no room")
    row = await connector_is(box, contactor=False, locked=False)
    assert row["transaction"] is None
    assert (await box.state())["journal_depth"] == before + 2 * number
    # a backend's wish is refused for the same reason
    csms.refuse(None)
    csms.answer("StartTransaction", SILENCE)
    await pass_until(box, lambda state: state["online"], 1)
    answer = await csms.call("RemoteStartTransaction", idTag="REMOTE", connectorId=1)
    assert answer["status"] == "Rejected"
    await csms.expect("StatusNotification", connectorId=0, vendorErrorCode="JournalFull")


async def test_no_room_ends_when_the_backend_has_answered(csms, station):
    box = await full_station(csms, station, 700)
    csms.refuse(None)
    await pass_until(box, lambda state: state["online"], 1)
    await told(csms, box, 30)
    await quiet(csms, box)
    csms.transcript.forget()
    session = await begin(csms, box)
    await finish(csms, box, session)
