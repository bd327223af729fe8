"""Reset (OCPP 1.6 §5.14): transactions end with its reason, what can be told is told, the process ends with 75."""

import pytest
from ocpp.exceptions import InternalError
from sessions import CALM, actions, begin, connector_is, logged, online, swipe, told, until

from tools.peer import SILENCE
from tools.process import RESET_STATUS

KINDS = ("Soft", "Hard")


async def reset(csms, kind):
    assert (await csms.call("Reset", type=kind))["status"] == "Accepted"


async def booted(csms, box, starts=2):
    """Waits until the station has come back by itself."""
    await box.restarted(starts)
    assert box.exit_status == RESET_STATUS
    await until(box, lambda state: state["online"])


def messages(csms, action):
    """The ids of the messages of this action; one whose answer the reset cut off comes again under its id."""
    return {call.unique_id for call in csms.transcript.calls(action)}


@pytest.mark.parametrize("kind", KINDS)
async def test_without_a_transaction(csms, station, kind):
    box = await station(settings=CALM)
    await online(csms, box)
    await reset(csms, kind)
    connection = await csms.disconnected()
    assert connection.code == 1001
    await booted(csms, box)
    assert len(csms.transcript.calls("BootNotification")) == 2
    assert not csms.transcript.calls("StopTransaction")
    await logged(box, f"{kind} reset")


@pytest.mark.parametrize("kind", KINDS)
async def test_transactions_end_and_are_told(csms, station, kind):
    """§5.14, §7.36: SoftReset, HardReset; no id tag, for nobody presented one."""
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    sessions = [await begin(csms, box, 1, "CARD-1"), await begin(csms, box, 2, "CARD-2")]
    await reset(csms, kind)
    await booted(csms, box)
    await told(csms, box)
    assert len(messages(csms, "StopTransaction")) == 2
    stops = [call.payload for call in csms.transcript.calls("StopTransaction")]
    assert {stop["transactionId"] for stop in stops} == {session.transaction_id for session in sessions}
    assert {stop["reason"] for stop in stops} == {f"{kind}Reset"}
    assert not [stop for stop in stops if "idTag" in stop]
    # the cars are still there; nothing goes on by itself
    for connector in (1, 2):
        row = await connector_is(box, connector, contactor=False, status="Preparing")
        assert row["transaction"] is None and not row["locked"]


async def test_soft_tells_before_it_restarts(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    await reset(csms, "Soft")
    await booted(csms, box)
    seen = actions(csms.transcript, "StopTransaction", "BootNotification")
    assert seen == ["BootNotification", "StopTransaction", "BootNotification"]


async def test_what_soft_cannot_tell_is_told_after_the_restart(csms, station):
    """The backend refuses StopTransaction for now."""
    csms.answer("StopTransaction", InternalError("busy"), None)
    box = await station(settings={**CALM, "TransactionMessageRetryInterval": "3600"})
    await online(csms, box)
    session = await begin(csms, box)
    await reset(csms, "Soft")
    await csms.expect("StopTransaction")
    # a hard reset overtakes the soft one that waits
    await reset(csms, "Hard")
    await booted(csms, box)
    await told(csms, box)
    stop = csms.transcript.calls("StopTransaction")[-1].payload
    assert (stop["reason"], stop["transactionId"]) == ("SoftReset", session.transaction_id)


async def test_hard_does_not_wait_for_the_backend(csms, station):
    csms.answer("StopTransaction", SILENCE)
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await reset(csms, "Hard")
    await box.restarted(2)
    csms.answer("StopTransaction")
    await booted(csms, box)
    await told(csms, box)
    stops = csms.transcript.calls("StopTransaction", transactionId=session.transaction_id)
    assert {stop.payload["reason"] for stop in stops} == {"HardReset"}


async def test_soft_without_a_backend_any_more(csms, station):
    """The connection is lost while it resets: it does not wait for nothing, and loses nothing."""
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)

    async def lost(_frame):
        csms.refuse(503)
        await csms.cut()
        return SILENCE

    csms.answer("StopTransaction", lost, None)
    await reset(csms, "Soft")
    await box.restarted(2)
    csms.refuse(None)
    await box.ws(True)
    await booted(csms, box)
    await told(csms, box)
    stop = csms.transcript.calls("StopTransaction")[-1].payload
    assert (stop["reason"], stop["transactionId"]) == ("SoftReset", session.transaction_id)


async def test_it_is_answered_before_the_connection_ends(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await csms.send_text([2, "r", "Reset", {"type": "Hard"}])
    assert (await csms.answer_to("r")).payload == {"status": "Accepted"}
    await booted(csms, box)


async def test_nothing_begins_while_it_waits(csms, station):
    """A transaction that began now would be cut off at once."""
    csms.answer("StopTransaction", InternalError("busy"), None)
    box = await station(connectors={"count": 2}, settings={**CALM, "TransactionMessageRetryInterval": "3600"})
    await online(csms, box)
    await begin(csms, box, 1, "CARD-1")
    await reset(csms, "Soft")
    await csms.expect("StopTransaction")
    await box.plug(2)
    assert await swipe(box, "CARD-2") == "busy"
    assert (await csms.call("RemoteStartTransaction", idTag="CARD", connectorId=2))["status"] == "Rejected"
    await reset(csms, "Hard")
    await booted(csms, box)
    assert len(csms.transcript.calls("StartTransaction")) == 1


async def test_while_pending_it_is_obeyed_too(csms, station):
    csms.answer("BootNotification", {"status": "Pending", "interval": 600, "currentTime": csms.now()}, None)
    box = await station(settings=CALM)
    await until(box, lambda state: state["registration"] == "Pending")
    await reset(csms, "Soft")
    await booted(csms, box)


async def test_again_and_again(csms, station):
    """Nothing of a reset is left over for the next one."""
    box = await station(settings=CALM)
    await online(csms, box)
    for starts in (2, 3, 4):
        await begin(csms, box)
        await reset(csms, "Soft" if starts % 2 else "Hard")
        await booted(csms, box, starts)
        await told(csms, box)
        await box.unplug()
        await connector_is(box, status="Available")
    assert len(messages(csms, "StartTransaction")) == len(messages(csms, "StopTransaction")) == 3


async def test_another_kind_is_refused(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await csms.send_text([2, "x", "Reset", {"type": "Warm"}])
    assert (await csms.answer_to("x")).payload["code"] == "PropertyConstraintViolation"
    await csms.send_text([2, "y", "Reset", {}])
    assert (await csms.answer_to("y")).payload["code"] == "OccurenceConstraintViolation"
    assert box.starts == 1
