"""A meter that fails, and what MeterFailurePolicy makes of it; meters of other types at a whole station."""

import pytest
from sessions import (
    CALM,
    begin,
    configure,
    connector_is,
    finish,
    leap,
    logged,
    online,
    pass_until,
    quiet,
    started,
    stopped,
    swipe,
    until,
)

HOWS = ("silent", "corrupt")


async def charging(csms, box, **ev):
    """A Session with current flowing: before the contact is closed a leap of time charges nothing."""
    session = await begin(csms, box, **ev)
    await until(box, lambda state: state["connectors"][session.connector - 1]["power_w"] > 0)
    return session


async def energy(box, connector=1):
    """Wh that the meter shows at this moment."""
    return (await connector_is(box, connector))["energy_wh"]


async def break_meter(box, how, connector=1):
    await box.control("break", part="meter", connector=connector, how=how)


async def begin_without_meter(csms, box):
    await box.plug()
    await connector_is(box, status="Preparing")
    assert await swipe(box) == "granted"
    session = await started(csms, connectorId=1)
    await csms.status(1, "Charging", errorCode="PowerMeterFailure")
    return session


async def warned(csms, vendor, status="Charging"):
    """The status goes on, and with it the failure is told."""
    told = (await csms.status(1, status, errorCode="PowerMeterFailure")).payload
    assert told["vendorErrorCode"] == vendor
    return told


@pytest.mark.parametrize("how", HOWS)
async def test_stop(csms, station, how):
    """The default: no charge without a meter."""
    box = await station(settings=CALM)
    await online(csms, box)
    session = await charging(csms, box)
    await leap(csms, box, 600)
    await logged_reading(csms, box)
    await break_meter(box, how)
    before = await energy(box)
    fault = await csms.status(1, "Faulted", errorCode="PowerMeterFailure")
    assert fault.payload["vendorErrorCode"] == "MeterSilent"
    stop = await stopped(csms, session)
    assert stop["reason"] == "Other"
    assert before - 100 <= stop["meterStop"] <= before, "the last known reading"
    assert not (await connector_is(box))["contactor"]
    assert await swipe(box) != "granted"
    await break_meter(box, "ok")
    await csms.status(1, "Finishing", errorCode="NoError")


@pytest.mark.parametrize("how", HOWS)
async def test_finish(csms, station, how):
    box = await station(settings={**CALM, "MeterFailurePolicy": "Finish"})
    await online(csms, box)
    session = await charging(csms, box)
    await break_meter(box, how)
    await warned(csms, "MeterSilent")
    assert (await connector_is(box))["contactor"], "it goes on"
    await leap(csms, box, 600)
    assert await swipe(box) == "stopped"
    stop = await stopped(csms, session)
    assert (stop["reason"], stop["meterStop"] < 100) == ("Local", True), "by the last known reading"
    await csms.status(1, "Faulted", errorCode="PowerMeterFailure")
    assert await swipe(box) != "granted"
    await break_meter(box, "ok")
    await csms.status(1, "Finishing", errorCode="NoError")


async def test_finish_and_the_meter_comes_back(csms, station):
    box = await station(settings={**CALM, "MeterFailurePolicy": "Finish"})
    await online(csms, box)
    session = await charging(csms, box)
    await break_meter(box, "silent")
    await warned(csms, "MeterSilent")
    await leap(csms, box, 600)
    await break_meter(box, "ok")
    await csms.status(1, "Charging", errorCode="NoError")
    before = await energy(box)
    stop = await finish(csms, box, session)
    assert stop["meterStop"] >= before > 1500, "nothing is lost"


async def test_continue(csms, station):
    box = await station(settings={**CALM, "MeterFailurePolicy": "Continue"})
    await online(csms, box)
    session = await charging(csms, box)
    await leap(csms, box, 600)
    stop = await finish(csms, box, session)
    await break_meter(box, "silent")
    await pass_until(box, lambda state: state["connectors"][0]["error_code"] == "PowerMeterFailure")
    assert (await connector_is(box))["status"] == "Available"
    session = await begin_without_meter(csms, box)
    assert session.start.payload["meterStart"] >= stop["meterStop"]
    await leap(csms, box, 600)
    assert await swipe(box) == "stopped"
    after = await stopped(csms, session)
    assert after["meterStop"] == session.start.payload["meterStart"], "what nobody measured is on no bill"
    assert after["reason"] == "Local"


@pytest.mark.parametrize("change", [{"set_wh": 3}, {"add_wh": 250_000}], ids=["backwards", "jump"])
async def test_a_register_that_cannot_be_right_stops(csms, station, change):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.control("meter", connector=1, set_wh=500_000)
    session = await charging(csms, box)
    assert 500_000 <= session.start.payload["meterStart"] <= 500_010
    await leap(csms, box, 600)
    await logged_reading(csms, box)
    before = await energy(box)
    await box.control("meter", connector=1, **change)
    fault = await csms.status(1, "Faulted", errorCode="PowerMeterFailure")
    assert fault.payload["vendorErrorCode"] == "MeterImplausible"
    stop = await stopped(csms, session)
    assert stop["reason"] == "Other"
    assert before - 100 <= stop["meterStop"] <= before
    # it stays for as long as the car does; the next transaction begins where the register is now
    await leap(csms, box, 30)
    assert (await connector_is(box))["status"] == "Faulted"
    await box.unplug()
    await csms.status(1, "Available", errorCode="NoError")
    shown = await energy(box)
    session = await charging(csms, box)
    assert session.start.payload["meterStart"] == shown
    stop = await finish(csms, box, session)
    assert shown <= stop["meterStop"] <= shown + 100


async def logged_reading(csms, box):
    """The register as it is now has been read."""
    answer = await csms.call("ChangeConfiguration", key="MeterValueSampleInterval", value="1")
    assert answer["status"] == "Accepted"
    for _ in range(2):
        await csms.answer_to(await csms.expect("MeterValues"))
    await configure(csms, MeterValueSampleInterval=0)


@pytest.mark.parametrize("change", [{"set_wh": 3}, {"add_wh": 250_000}], ids=["backwards", "jump"])
async def test_a_register_that_cannot_be_right_goes_on_with_the_highest_plausible(csms, station, change):
    box = await station(settings={**CALM, "MeterFailurePolicy": "Finish"})
    await online(csms, box)
    await box.control("meter", connector=1, set_wh=500_000)
    session = await charging(csms, box)
    await leap(csms, box, 600)
    await logged_reading(csms, box)
    before = await energy(box)
    await box.control("meter", connector=1, **change)
    await warned(csms, "MeterImplausible")
    await leap(csms, box, 7200)
    assert (await connector_is(box))["contactor"]
    assert await swipe(box) == "stopped"
    stop = await stopped(csms, session)
    assert before - 100 <= stop["meterStop"] <= before + 10, "the bill never goes backwards, and holds no jump"


async def test_a_meter_exchanged_between_transactions(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.control("meter", connector=1, set_wh=500_000)
    await finish(csms, box, await charging(csms, box))
    since = len(box.log)
    await box.control("meter", connector=1, set_wh=12)
    session = await charging(csms, box)
    assert session.start.payload["meterStart"] == 12
    await logged(box, "energy meter: the register ran backwards", since=since)
    stop = await finish(csms, box, session)
    assert 12 <= stop["meterStop"] <= 100
    assert not [frame for frame in csms.transcript.calls() if frame.payload.get("errorCode") == "PowerMeterFailure"]


@pytest.mark.parametrize(("kind", "step"), [("SDM72", 1), ("SDM72V1", 1), ("SDM230", 1), ("B23", 10), ("EM340", 100)])
async def test_every_type_at_a_station(csms, station, kind, step):
    """`step`: what its register counts in, Wh."""
    phases = 1 if kind == "SDM230" else 3
    box = await station(
        settings=CALM, meter={"type": kind, "address": [9, 4]}, connectors={"count": 2, "phases": phases}
    )
    await online(csms, box)
    await box.control("meter", connector=1, set_wh=7_654_300)
    session = await charging(csms, box, current_a=16, phases=phases)
    assert session.start.payload["meterStart"] == 7_654_300
    await leap(csms, box, 3600)
    await quiet(csms, box)
    before = await energy(box)
    stop = await finish(csms, box, session)
    assert before - step < stop["meterStop"] <= before + 100
    assert before > 7_654_300 + 3600 * phases
