"""StatusNotification (OCPP 1.6 §4.9) where telling it is not simple: faults one behind the other, statuses passed over,
a backend that refuses them. The plain statuses are in test_status.py."""

import pytest
from ocpp.exceptions import InternalError
from sessions import (
    CALM,
    actions,
    back,
    begin,
    configure,
    connector_is,
    leap,
    logged,
    moment,
    offline,
    online,
    quiet,
    started,
    stopped,
    swipe,
    told,
    until,
)

from tools.peer import SILENCE

# --- faults


@pytest.mark.parametrize(
    ("code", "error", "vendor"),
    [
        ("EVCommunicationError", "OtherError", "PilotStateE"),
        ("PowerSwitchFailure", "PowerSwitchFailure", "ContactorWelded"),
        ("ResetFailure", "ResetFailure", None),
    ],
)
async def test_what_is_wrong_with_a_part_is_told_with_its_code(csms, station, code, error, vendor):
    """§7.6; EVCommunicationError itself must not go with Faulted (§4.9)."""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.fault(code)
    row = (await csms.status(1, "Faulted")).payload
    assert (row["errorCode"], row.get("vendorErrorCode")) == (error, vendor)
    await box.fault(code, on=False)
    assert (await csms.status(1, "Available")).payload["errorCode"] == "NoError"
    assert csms.transcript.statuses(0) == ["Available"]


async def test_a_dead_meter_and_a_jammed_lock(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await box.fault("PowerMeterFailure", connector=1)
    await box.fault("ConnectorLockFailure", connector=2)
    await box.glide(30)
    await csms.status(1, "Faulted", errorCode="PowerMeterFailure")
    await box.plug(2)
    await connector_is(box, 2, status="Preparing")
    assert await swipe(box, connectors=[2]) == "granted"
    await box.glide(6)
    await csms.status(2, "Faulted", errorCode="ConnectorLockFailure")
    await box.fault("PowerMeterFailure", on=False, connector=1)
    await box.glide(4)
    await csms.status(1, "Available", errorCode="NoError")
    await box.unplug(2)
    await csms.status(2, "Available", errorCode="NoError")


async def test_a_dead_reader_comes_back(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.fault("ReaderFailure")
    await box.glide(10)
    assert (await csms.status(0, "Available", errorCode="ReaderFailure")).payload["info"]
    await box.fault("ReaderFailure", on=False)
    await box.glide(10)
    await csms.status(0, "Available", errorCode="NoError")
    assert csms.transcript.statuses(1) == ["Available"]


async def test_a_fault_with_a_car_in_returns_to_preparing(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    await box.fault("GroundFailure")
    await csms.status(1, "Faulted")
    await box.fault("GroundFailure", on=False)
    await csms.status(1, "Preparing")


async def test_a_second_fault_behind_the_first_is_told_in_its_turn(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.fault("GroundFailure")
    await csms.status(1, "Faulted", errorCode="GroundFailure")
    await box.fault("HighTemperature")
    await box.fault("GroundFailure", on=False)
    await csms.status(1, "Faulted", errorCode="HighTemperature")
    await box.fault("EmergencyStop")
    await csms.status(1, "Faulted", errorCode="OtherError", vendorErrorCode="EmergencyStop")
    await box.fault("EmergencyStop", on=False)
    await csms.status(1, "Faulted", errorCode="HighTemperature")
    await box.fault("HighTemperature", on=False)
    await csms.status(1, "Available", errorCode="NoError")


async def test_an_unavailable_connector_that_was_faulted_is_unavailable_again(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await csms.call("ChangeAvailability", connectorId=1, type="Inoperative")
    await csms.status(1, "Unavailable")
    await box.fault("GroundFailure")
    await csms.status(1, "Faulted")
    await box.fault("GroundFailure", on=False)
    await csms.status(1, "Unavailable", errorCode="NoError")


# --- a card, and no cable


async def test_a_card_first_is_preparing_until_connection_time_out(csms, station):
    """§9.1.6"""
    box = await station(settings={**CALM, "ConnectionTimeOut": "30"})
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    await leap(csms, box, 28)
    await quiet(csms, box)
    assert csms.transcript.statuses(1)[-1] == "Preparing"
    await leap(csms, box, 3)
    await csms.status(1, "Available")
    assert "StartTransaction" not in actions(csms.transcript)


# --- statuses passed over


async def test_what_was_passed_over_leaves_no_forbidden_step(csms, station):
    """Finishing is told, then Preparing is too short: from Finishing the table has no step to Charging."""
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    assert await swipe(box) == "stopped"
    await csms.status(1, "Finishing")
    await configure(csms, MinimumStatusDuration=20)
    assert await swipe(box, "OTHER") == "granted"
    await connector_is(box, status="Charging")
    await leap(csms, box, 21)
    await csms.status(1, "Charging")
    assert csms.transcript.statuses(1)[-3:] == ["Finishing", "Preparing", "Charging"]


async def test_a_fault_that_began_offline_is_told_with_its_time(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await offline(csms, box)
    await box.fault("OverVoltage")
    await connector_is(box, status="Faulted")
    changed = csms.now()
    await box.advance(7200)
    await back(csms, box)
    row = (await csms.status(1, "Faulted")).payload
    assert row["errorCode"] == "OverVoltage"
    assert abs((moment(row["timestamp"]) - moment(changed)).total_seconds()) <= 2


async def test_after_a_boot_every_status_is_told_as_it_is(csms, station):
    box = await station(connectors={"count": 3}, settings=CALM)
    await online(csms, box)
    await box.plug(1)
    await csms.status(1, "Preparing")
    await box.fault("GroundFailure", connector=2)
    await csms.status(2, "Faulted")
    await csms.call("ChangeAvailability", connectorId=3, type="Inoperative")
    await csms.status(3, "Unavailable")
    await box.kill()
    csms.transcript.forget()
    await box.start()
    await csms.expect("BootNotification")
    await csms.status(0, "Available")
    await csms.status(1, "Preparing")
    await csms.status(2, "Faulted")
    await csms.status(3, "Unavailable")


# --- a backend that does not take them


async def test_a_refused_status_holds_up_nothing_and_is_told_again(csms, station):
    csms.answer("StatusNotification", InternalError("not today"))
    box = await station(settings=CALM)
    await until(box, lambda state: state["online"])
    assert await swipe(box) == "granted"
    await box.plug()
    await started(csms)
    assert await swipe(box) == "stopped"
    await stopped(csms)
    await told(csms, box)
    assert len(csms.connections) == 1
    csms.answer("StatusNotification")
    await quiet(csms, box)
    csms.transcript.forget()
    await box.glide(12)
    await csms.status(1, "Finishing")
    assert (await box.state())["restarts"] == {}


async def test_a_status_that_gets_no_answer_is_told_again(csms, station):
    box = await station(settings={**CALM, "MessageTimeout": "1"})
    await online(csms, box)
    csms.answer("StatusNotification", SILENCE, None)
    await box.plug()
    await csms.status(1, "Preparing")
    # nothing at all came: a silent backend, which is left; the status is told on the next connection
    await logged(box, "silent backend")
    await csms.status(1, "Preparing")
    await until(box, lambda state: state["online"])
    assert len(csms.transcript.calls("BootNotification")) == 1
