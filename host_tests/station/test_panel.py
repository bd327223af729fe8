"""What a person at the station sees and touches: lamps, and the contacts that take the energy away."""

import pytest
from sessions import CALM, CARD, begin, configure, connector_is, finish, offline, online, pass_until, stopped, until


async def test_the_lamp_follows_the_session(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await until(box, lambda state: state["connectors"][0]["lamp"] == "green")
    session = await begin(csms, box)
    await until(box, lambda state: state["connectors"][0]["lamp"] == "blue")
    await box.control("fault", connector=1, code="EmergencyStop")
    await until(box, lambda state: state["connectors"][0]["lamp"] == "red")
    await stopped(csms, session)
    await box.control("fault", connector=1, code="EmergencyStop", on=False)
    await until(box, lambda state: state["connectors"][0]["lamp"] == "cyan")


async def test_a_refused_card_blinks_red_and_light_intensity_dims(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await configure(csms, BlinkRepeat=10, LightIntensity=30)
    await until(box, lambda state: state["connectors"][0]["lamp_percent"] == 30)
    csms.cards["BLOCKED"] = {"status": "Blocked"}
    await box.swipe("BLOCKED")
    await until(box, lambda state: state["connectors"][0]["lamp"] == "red")
    await until(box, lambda state: state["connectors"][0]["lamp"] == "green")


@pytest.mark.parametrize(
    ("code", "error_code"),
    [("EmergencyStop", "OtherError"), ("EnclosureOpen", "OtherError"), ("ResidualCurrent", "GroundFailure")],
)
async def test_a_contact_ends_the_transaction_with_its_code(csms, station, code, error_code):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await box.control("fault", connector=1, code=code)
    reason = "EmergencyStop" if code == "EmergencyStop" else "Other"
    assert (await stopped(csms, session))["reason"] == reason
    await csms.status(1, "Faulted", errorCode=error_code, vendorErrorCode=code)
    await connector_is(box, contactor=False)


async def test_a_residual_current_stays_until_the_cable_is_out(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await box.control("fault", connector=1, code="ResidualCurrent")
    await stopped(csms, session)
    await box.control("fault", connector=1, code="ResidualCurrent", on=False)
    await box.swipe(CARD)
    await connector_is(box, status="Faulted", vendor_error_code="ResidualCurrent")
    await box.unplug()
    await csms.status(1, "Available", errorCode="NoError")
    session = await begin(csms, box)
    await finish(csms, box, session)


async def test_a_residual_current_without_a_cable_stands_while_its_contact_does(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.control("fault", connector=1, code="ResidualCurrent")
    await csms.status(1, "Faulted", errorCode="GroundFailure")
    await box.control("fault", connector=1, code="ResidualCurrent", on=False)
    await csms.status(1, "Available", errorCode="NoError")
    await begin(csms, box)


async def test_a_residual_current_that_is_over_when_the_contact_is_open_is_told_all_the_same(csms, station):
    """The trip takes away what it was tripped by: the station must not close again on its own."""
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await connector_is(box, contactor=True)
    await box.control("fault", connector=1, code="ResidualCurrent")
    await connector_is(box, contactor=False)
    await box.control("fault", connector=1, code="ResidualCurrent", on=False)
    assert (await stopped(csms, session))["reason"] == "Other"
    await csms.status(1, "Faulted", errorCode="GroundFailure", vendorErrorCode="ResidualCurrent")
    await box.unplug()
    await csms.status(1, "Available", errorCode="NoError")


async def test_a_contact_that_chatters_does_not_make_the_contactor_chatter(csms, station):
    closings = []

    def note(event):
        if event["event"] == "contactor" and event["closed"]:
            closings.append(event["at_ms"])

    box = await station(settings=CALM, on_event=note)
    await online(csms, box)
    session = await begin(csms, box)
    await until(box, lambda _: closings)
    for on in (True, False) * 10:
        await box.control("fault", connector=1, code="HighTemperature", on=on)
    await until(box, lambda state: state["connectors"][0]["status"] in ("Charging", "Faulted"))
    state = await connector_is(box)
    if state["status"] == "Faulted":  # two looks in a row found it open
        assert (await stopped(csms, session))["reason"] == "Other"
    else:
        await finish(csms, box, session)
    assert len(closings) <= 2


async def test_a_station_without_its_backend_says_so(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await offline(csms, box)
    for colour in ("white", "green", "white"):
        await pass_until(box, lambda state, colour=colour: state["connectors"][0]["lamp"] == colour, step=0.05)
