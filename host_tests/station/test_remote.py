"""RemoteStartTransaction and RemoteStopTransaction (OCPP 1.6 §5.11, §5.12)."""

import asyncio

import pytest
from sessions import (
    CALM,
    CARD,
    actions,
    begin,
    configure,
    connector_is,
    finish,
    leap,
    logged,
    online,
    quiet,
    started,
    stopped,
    swipe,
    told,
    until,
)

from tools.peer import CallFailed

REMOTE = "REMOTE-1"
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]},
}


async def remote_start(csms, connector=None, id_tag=REMOTE, **more):
    if connector is not None:
        more["connectorId"] = connector
    return (await csms.call("RemoteStartTransaction", idTag=id_tag, **more))["status"]


async def remote_stop(csms, transaction_id):
    return (await csms.call("RemoteStopTransaction", transactionId=transaction_id))["status"]


# --- start


@pytest.mark.parametrize("connector", [1, None])
async def test_cable_first(csms, station, connector):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await remote_start(csms, connector) == "Accepted"
    start = (await started(csms)).start
    assert (start.payload["connectorId"], start.payload["idTag"]) == (1, REMOTE)
    await csms.status(1, "Charging")
    assert csms.transcript.statuses(1) == ["Available", "Preparing", "Charging"]


@pytest.mark.parametrize("connector", [1, None])
async def test_command_first(csms, station, connector):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await remote_start(csms, connector) == "Accepted"
    await csms.status(1, "Preparing")
    assert not csms.transcript.calls("StartTransaction")
    await box.plug()
    assert (await started(csms)).start.payload["idTag"] == REMOTE
    await csms.status(1, "Charging")


async def test_the_answer_comes_before_the_transaction(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await remote_start(csms, 1) == "Accepted"
    start = (await started(csms)).start
    answers = [f for f in csms.transcript.frames if f.action == "RemoteStartTransaction" and f.sender == "station"]
    assert answers[0].number < start.number


async def test_without_a_connector_the_plugged_one_is_taken(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await box.plug(2)
    await csms.status(2, "Preparing")
    assert await remote_start(csms) == "Accepted"
    assert (await started(csms)).start.payload["connectorId"] == 2


async def test_without_a_connector_the_first_cable_is_taken(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await remote_start(csms) == "Accepted"
    await quiet(csms, box)
    await box.plug(2)
    assert (await started(csms)).start.payload["connectorId"] == 2
    await box.plug(1)
    await csms.status(1, "Preparing")
    assert len(csms.transcript.calls("StartTransaction")) == 1


async def test_with_a_connector_the_others_are_left_alone(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await box.plug(1)
    await csms.status(1, "Preparing")
    assert await remote_start(csms, 2) == "Accepted"
    await csms.status(2, "Preparing")
    assert (await connector_is(box, 1))["transaction"] is None
    await box.plug(2)
    assert (await started(csms)).start.payload["connectorId"] == 2


@pytest.mark.parametrize("connectors", [1, 2])
async def test_without_a_cable_it_is_forgotten(csms, station, connectors):
    """§9.1.6"""
    box = await station(connectors={"count": connectors}, settings={**CALM, "ConnectionTimeOut": "30"})
    await online(csms, box)
    assert await remote_start(csms) == "Accepted"
    if connectors == 1:
        await csms.status(1, "Preparing")
    await until(box, lambda state: state["online"])
    await leap(csms, box, 31)
    await logged(box, "no cable within ConnectionTimeOut")
    await box.plug()
    await csms.status(1, "Preparing", timestamp=lambda text: text >= csms.now()[:16])
    assert not csms.transcript.calls("StartTransaction")
    # and there is room for the next one
    assert await remote_start(csms, 1) == "Accepted"
    await started(csms)


async def test_two_remote_starts_for_two_connectors(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    answers = await asyncio.gather(remote_start(csms, 1, "ONE"), remote_start(csms, 2, "TWO"))
    assert answers == ["Accepted", "Accepted"]
    await box.plug(2)
    assert (await started(csms)).start.payload["idTag"] == "TWO"
    await box.plug(1)
    assert (await started(csms)).start.payload["idTag"] == "ONE"


# --- AuthorizeRemoteTxRequests


async def test_the_card_of_a_remote_start_is_not_asked_about(csms, station):
    """§9.1.3, false"""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    assert await remote_start(csms, 1) == "Accepted"
    await started(csms)
    assert not csms.transcript.calls("Authorize")


async def test_the_card_of_a_remote_start_is_authorized_first(csms, station):
    """§9.1.3, true"""
    box = await station(settings={**CALM, "AuthorizeRemoteTxRequests": "true"})
    await online(csms, box)
    await box.plug()
    assert await remote_start(csms, 1) == "Accepted"
    await started(csms)
    assert actions(csms.transcript, "Authorize", "StartTransaction") == ["Authorize", "StartTransaction"]


async def test_the_card_of_a_remote_start_may_be_refused(csms, station):
    csms.cards[REMOTE] = {"status": "Blocked"}
    box = await station(settings={**CALM, "AuthorizeRemoteTxRequests": "true"})
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await remote_start(csms, 1) == "Accepted"
    await logged(box, "remote start refused: Blocked")
    assert (await connector_is(box, contactor=False))["transaction"] is None
    assert not csms.transcript.calls("StartTransaction")
    assert await swipe(box) == "granted"
    await started(csms)


async def test_local_pre_authorize_serves_remote_starts_too(csms, station):
    """§9.1.3: as if the card had been presented."""
    box = await station(settings={**CALM, "AuthorizeRemoteTxRequests": "true", "LocalPreAuthorize": "true"})
    await online(csms, box)
    session = await begin(csms, box, token=REMOTE)
    await finish(csms, box, session, REMOTE)
    await box.plug()
    assert await remote_start(csms, 1) == "Accepted"
    await started(csms)
    assert len(csms.transcript.calls("Authorize")) == 1


async def test_while_a_card_is_asked_about_the_backends_calls_are_served(csms, station):
    held = asyncio.Event()

    async def late(frame):
        await held.wait()

    csms.answer("Authorize", late)
    box = await station(settings={**CALM, "AuthorizeRemoteTxRequests": "true"})
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await remote_start(csms, 1) == "Accepted"
    await csms.expect("Authorize")
    await configure(csms, ConnectionTimeOut=77)
    assert await remote_start(csms, 2) == "Rejected"
    held.set()
    await started(csms)


# --- rejections


async def test_a_connector_that_is_not_there(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await remote_start(csms, 2) == "Rejected"


async def test_connector_0_is_none(csms, station):
    """§6.33: connectorId, if given, is greater than 0."""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    with pytest.raises(CallFailed) as failed:
        await remote_start(csms, 0)
    assert failed.value.code == "PropertyConstraintViolation"
    assert (await connector_is(box))["transaction"] is None


async def test_a_connector_that_charges(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await remote_start(csms, 1) == "Rejected"
    assert await remote_start(csms) == "Rejected"
    assert await remote_start(csms, 1, CARD) == "Rejected"
    await finish(csms, box, session)
    assert len(csms.transcript.calls("StartTransaction")) == 1


async def test_a_connector_that_is_granted_already(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    assert await remote_start(csms, 1) == "Rejected"
    await box.plug()
    assert (await started(csms)).start.payload["idTag"] == CARD


async def test_an_unavailable_connector(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await csms.call("ChangeAvailability", connectorId=1, type="Inoperative")
    await csms.status(1, "Unavailable")
    assert await remote_start(csms, 1) == "Rejected"
    assert await remote_start(csms, 2) == "Accepted"


async def test_a_faulted_connector(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.fault("GroundFailure")
    await csms.status(1, "Faulted")
    assert await remote_start(csms, 1) == "Rejected"
    assert await remote_start(csms) == "Rejected"
    await box.fault("GroundFailure", on=False)
    await csms.status(1, "Available")
    assert await remote_start(csms) == "Accepted"


@pytest.mark.parametrize("connector", [1, None])
async def test_a_charging_profile_is_refused_clearly(csms, station, connector):
    """Until smart charging exists; a profile that is not obeyed would be worse."""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await remote_start(csms, connector, chargingProfile=PROFILE) == "Rejected"
    await logged(box, "WARNING core: .*charging profile")
    assert (await connector_is(box, contactor=False))["transaction"] is None
    assert await remote_start(csms, connector) == "Accepted"
    await started(csms)


# --- stop


async def test_remote_stop(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await remote_stop(csms, session.transaction_id) == "Accepted"
    stop = await stopped(csms, session)
    assert stop["reason"] == "Remote"
    assert "idTag" not in stop
    # §4.10: the cable is unlocked
    await connector_is(box, contactor=False, locked=False, status="Finishing")


async def test_remote_stop_of_a_remote_start(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await box.plug(1)
    await box.plug(2)
    assert await remote_start(csms, 1, "ONE") == "Accepted"
    one = await started(csms, connectorId=1)
    assert await remote_start(csms, 2, "TWO") == "Accepted"
    two = await started(csms, connectorId=2)
    await csms.status(2, "Charging")
    assert await remote_stop(csms, two.transaction_id) == "Accepted"
    await stopped(csms, two)
    assert (await connector_is(box, 1))["transaction"]["transaction_id"] == one.transaction_id


@pytest.mark.parametrize("number", [0, -1, 99, 2**31 - 1])
async def test_remote_stop_of_no_transaction(csms, station, number):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    assert await remote_stop(csms, number) == "Rejected"
    assert (await connector_is(box, contactor=True))["status"] == "Charging"


async def test_remote_stop_of_a_transaction_that_has_ended(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await finish(csms, box, session)
    assert await remote_stop(csms, session.transaction_id) == "Rejected"
    await told(csms, box)
    assert len(csms.transcript.calls("StopTransaction")) == 1


async def test_remote_stop_knows_the_id_0(csms, station):
    """A backend may count from 0."""
    csms.next_transaction = 0
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert session.transaction_id == 0
    assert await remote_stop(csms, 0) == "Accepted"
    assert (await stopped(csms))["transactionId"] == 0


async def test_the_card_of_a_remote_start_ends_it_at_the_station(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    assert await remote_start(csms, 1) == "Accepted"
    session = await started(csms)
    await csms.status(1, "Charging")
    assert await swipe(box, REMOTE) == "stopped"
    stop = await stopped(csms, session)
    assert (stop["reason"], stop["idTag"]) == ("Local", REMOTE)
