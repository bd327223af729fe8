"""StatusNotification (OCPP 1.6 §4.9): the statuses of connectors and of connector 0, and when they are told.

That only the transitions of the standard's table are reported is checked after every test that has a backend.
"""

import pytest
from sessions import (
    CALM,
    actions,
    begin,
    connector_is,
    leap,
    moment,
    offline,
    online,
    pass_until,
    quiet,
    started,
    stopped,
    swipe,
    told,
    until,
)


async def test_every_connector_and_0_are_told_at_boot(csms, station):
    box = await station(connectors={"count": 3}, settings=CALM)
    await until(box, lambda state: state["online"])
    told_at_boot = [frame.payload for frame in csms.transcript.calls("StatusNotification")]
    assert [row["connectorId"] for row in told_at_boot] == [0, 1, 2, 3]
    assert {(row["status"], row["errorCode"]) for row in told_at_boot} == {("Available", "NoError")}
    assert all(moment(row["timestamp"]) for row in told_at_boot)


async def test_what_is_plugged_in_at_boot_is_told_as_it_is(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    await box.kill()
    await box.start()
    await csms.expect("BootNotification")
    first = await csms.expect("StatusNotification", connectorId=1)
    assert first.payload["status"] == "Preparing"


async def test_a_session_whole(csms, station):
    """A car that asks late, pauses, and goes on."""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug(draw_delay_s=2)
    await csms.status(1, "Preparing")
    assert await swipe(box) == "granted"
    await started(csms)
    await leap(csms, box, 1)
    await csms.status(1, "SuspendedEV")
    await leap(csms, box, 2)
    await csms.status(1, "Charging")
    await box.control("ev_pause", connector=1)
    await csms.status(1, "SuspendedEV")
    await connector_is(box, contactor=False, pilot="B")
    await box.control("ev_resume", connector=1)
    await csms.status(1, "Charging")
    assert await swipe(box) == "stopped"
    await csms.status(1, "Finishing")
    await box.unplug()
    await csms.status(1, "Available")


async def test_a_car_that_draws_at_once_was_never_suspended(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    assert csms.transcript.statuses(1) == ["Available", "Preparing", "Charging"]


async def test_a_car_that_leaves_without_a_card(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    await box.unplug()
    await csms.status(1, "Available")


async def test_suspended_by_the_station(csms, station):
    csms.answer("StartTransaction", {"transactionId": 1, "idTagInfo": {"status": "Invalid"}})
    box = await station(settings={**CALM, "StopTransactionOnInvalidId": "false"})
    await online(csms, box)
    await box.plug()
    await swipe(box)
    await csms.status(1, "SuspendedEVSE")
    assert await swipe(box) == "stopped"
    await csms.status(1, "Finishing")


async def test_unavailable_and_back(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await csms.call("ChangeAvailability", connectorId=2, type="Inoperative")
    await csms.status(2, "Unavailable")
    await csms.call("ChangeAvailability", connectorId=2, type="Operative")
    await csms.status(2, "Available")
    await csms.call("ChangeAvailability", connectorId=0, type="Inoperative")
    for connector in (0, 1, 2):
        await csms.status(connector, "Unavailable")
    await csms.call("ChangeAvailability", connectorId=0, type="Operative")
    for connector in (0, 1, 2):
        await csms.status(connector, "Available")


async def test_a_plugged_connector_becomes_unavailable(csms, station):
    """The table has no step from Preparing to Unavailable: Finishing lies between."""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    await csms.call("ChangeAvailability", connectorId=1, type="Inoperative")
    await csms.status(1, "Unavailable")
    await csms.call("ChangeAvailability", connectorId=1, type="Operative")
    await csms.status(1, "Preparing")


@pytest.mark.parametrize(
    ("code", "error", "vendor"),
    [
        ("GroundFailure", "GroundFailure", None),
        ("OverCurrentFailure", "OverCurrentFailure", None),
        ("HighTemperature", "HighTemperature", None),
        ("OverVoltage", "OverVoltage", None),
        ("UnderVoltage", "UnderVoltage", None),
        ("OtherError", "OtherError", None),
        ("InternalError", "InternalError", None),
        ("EmergencyStop", "OtherError", "EmergencyStop"),
    ],
)
async def test_a_fault_comes_and_goes(csms, station, code, error, vendor):
    """§7.6"""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.fault(code)
    fault = await csms.status(1, "Faulted")
    assert (fault.payload["errorCode"], fault.payload.get("vendorErrorCode")) == (error, vendor)
    await box.fault(code, on=False)
    assert (await csms.status(1, "Available")).payload["errorCode"] == "NoError"


async def test_a_condition_that_does_not_stop_charging_is_told_beside_the_status(csms, station):
    """§4.9: an error code may go with a status other than Faulted."""
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    await box.fault("WeakSignal")
    row = await csms.expect("StatusNotification", connectorId=1, errorCode="WeakSignal")
    assert row.payload["status"] == "Charging"
    await box.fault("WeakSignal", on=False)
    await csms.status(1, "Charging", errorCode="NoError")
    assert (await connector_is(box, contactor=True))["transaction"]


async def test_a_dead_card_reader_is_told_with_connector_0(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.fault("ReaderFailure")
    await pass_until(
        box, lambda _: csms.transcript.calls("StatusNotification", connectorId=0, errorCode="ReaderFailure"), 10
    )
    await csms.expect("StatusNotification", connectorId=0, errorCode="ReaderFailure", status="Available")


async def test_a_fault_in_a_session_ends_in_finishing(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await box.fault("GroundFailure")
    await csms.status(1, "Faulted", errorCode="GroundFailure")
    await stopped(csms, session)
    await box.fault("GroundFailure", on=False)
    await csms.status(1, "Finishing")
    await box.unplug()
    await csms.status(1, "Available")


async def test_one_connectors_fault_is_not_the_others(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1)
    await box.fault("GroundFailure", connector=2)
    await csms.status(2, "Faulted")
    assert (await connector_is(box, 1, contactor=True))["status"] == "Charging"
    assert "Faulted" not in csms.transcript.statuses(0) + csms.transcript.statuses(1)


# --- MinimumStatusDuration


async def test_a_status_that_does_not_last_is_not_told(csms, station):
    """§9.1.20"""
    box = await station(settings={**CALM, "MinimumStatusDuration": "20"})
    await online(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    await leap(csms, box, 10)
    await box.unplug()
    await connector_is(box, status="Available")
    await leap(csms, box, 60)
    await quiet(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    await leap(csms, box, 21)
    row = await csms.status(1, "Preparing")
    assert csms.transcript.statuses(1) == ["Available", "Preparing"]
    # it tells when the status began, not when it was reported
    assert (moment(csms.now()) - moment(row.payload["timestamp"])).total_seconds() >= 20


async def test_transactions_do_not_wait_for_the_minimum_duration(csms, station):
    box = await station(settings={**CALM, "MinimumStatusDuration": "3600"})
    await online(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    await swipe(box)
    session = await started(csms)
    await connector_is(box, contactor=True)
    await box.unplug()
    await stopped(csms, session)
    assert csms.transcript.statuses(1) == ["Available"]


# --- offline


async def test_what_changed_offline_is_told_on_return_first_the_statuses(csms, station):
    """§4.9, §3.7: the current status, not its history, and then the stored transaction messages."""
    box = await station(connectors={"count": 2}, settings={**CALM, "AllowOfflineTxForUnknownId": "true"})
    await online(csms, box)
    session = await begin(csms, box, 1, "CARD-1")
    await offline(csms, box)
    first = len(csms.transcript.frames)
    await box.unplug(1)  # Charging → Available
    await connector_is(box, 1, status="Available")
    await box.plug(2)  # Available → … → Finishing
    assert await swipe(box, "CARD-2") == "granted"
    await connector_is(box, 2, status="Charging")
    assert await swipe(box, "CARD-2") == "stopped"
    await connector_is(box, 2, status="Finishing")
    await box.ws(True)
    await until(box, lambda state: state["online"])
    await told(csms, box)
    calls = [frame for frame in csms.transcript.calls() if frame.number >= first]
    statuses = [(f.payload["connectorId"], f.payload["status"]) for f in calls if f.action == "StatusNotification"]
    # the table has no step from Available to Finishing
    assert statuses == [(1, "Available"), (2, "Preparing"), (2, "Finishing")]
    order = actions(csms.transcript, since=first)
    assert order[:3] == ["StatusNotification"] * 3
    assert order[3:] == ["StopTransaction", "StartTransaction", "StopTransaction"]
    assert calls[3].payload["transactionId"] == session.transaction_id


async def test_what_is_again_as_it_was_is_not_told(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await offline(csms, box)
    first = len(csms.transcript.frames)
    await box.plug()
    await connector_is(box, status="Preparing")
    await box.unplug()
    await connector_is(box, status="Available")
    await box.ws(True)
    await until(box, lambda state: state["online"])
    await quiet(csms, box)
    assert not [frame for frame in csms.transcript.calls() if frame.number >= first]


async def test_a_status_of_an_offline_time_bears_its_own_time(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await offline(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    before = csms.now()
    await box.advance(3600)
    await box.ws(True)
    row = await csms.status(1, "Preparing")
    assert (moment(row.payload["timestamp"]) - moment(before)).total_seconds() <= 30
