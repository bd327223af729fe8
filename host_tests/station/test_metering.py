"""MeterValues (OCPP 1.6 §4.7, §9.1): which measurands are told when, in which units, and that Wh are integers."""

import itertools
import json
import struct
from decimal import ROUND_HALF_UP, Decimal

import pytest
from sessions import (
    CALM,
    begin,
    configuration,
    configure,
    connector_is,
    finish,
    leap,
    logged,
    moment,
    online,
    pass_until,
    quiet,
    sampled,
    stopped,
    swipe,
)

ENERGY = "Energy.Active.Import.Register"
EVERYTHING = f"{ENERGY},Power.Active.Import,Power.Offered,Current.Import,Current.Offered,Voltage,Frequency"
LISTS = ("MeterValuesSampledData", "MeterValuesAlignedData", "StopTxnSampledData", "StopTxnAlignedData")


def timed(**keys):
    return {**CALM, **keys}


async def a_reading(csms, box, seconds, **wanted):
    """Lets so much time pass; returns the payload of the MeterValues that then comes."""
    await leap(csms, box, seconds)
    reading = await csms.expect("MeterValues", **wanted)
    await csms.answer_to(reading)
    return reading.payload


async def no_reading(csms, box, seconds):
    """Lets so much time pass, in which none may come: the status that follows it is told after it would have been."""
    before = len(csms.transcript.calls("MeterValues"))
    await leap(csms, box, seconds)
    for on in (True, False):  # two changes of status: the connector has gone round in between
        await box.fault("WeakSignal", on=on)
        await csms.expect("StatusNotification", errorCode="WeakSignal" if on else "NoError")
    await quiet(csms, box)
    assert len(csms.transcript.calls("MeterValues")) == before


def contexts(payload):
    return {value["context"] for row in payload["meterValue"] for value in row["sampledValue"]}


# --- sampled


async def test_sampled_readings_of_a_transaction(csms, station):
    box = await station(settings=timed(MeterValueSampleInterval="60"))
    await online(csms, box)
    session = await begin(csms, box)
    readings = [await a_reading(csms, box, 60) for _ in range(4)]
    for reading in readings:
        assert (reading["connectorId"], reading["transactionId"]) == (1, session.transaction_id)
        assert contexts(reading) == {"Sample.Periodic"}
        assert len(reading["meterValue"]) == 1
        value = reading["meterValue"][0]["sampledValue"][0]
        assert (value["measurand"], value["unit"]) == (ENERGY, "Wh")
        assert "phase" not in value
    moments = [moment(reading["meterValue"][0]["timestamp"]) for reading in readings]
    steps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)]
    assert all(59 <= step <= 75 for step in steps)
    energies = [int(sampled(reading["meterValue"][0])[ENERGY, None]) for reading in readings]
    # 184 Wh a minute
    assert all(170 <= later - earlier <= 230 for earlier, later in itertools.pairwise(energies))
    await no_reading(csms, box, 20)
    stop = await finish(csms, box, session)
    assert stop["meterStop"] >= energies[-1]


async def test_sampled_readings_are_of_transactions_only(csms, station):
    box = await station(settings=timed(MeterValueSampleInterval="60"))
    await online(csms, box)
    session = await begin(csms, box)
    await finish(csms, box, session)
    await no_reading(csms, box, 600)


async def test_0_switches_them_off_and_a_change_works_at_once(csms, station):
    """§9.1.19"""
    box = await station(settings=timed())
    await online(csms, box)
    await begin(csms, box)
    await no_reading(csms, box, 3000)
    await configure(csms, MeterValueSampleInterval=30)
    await a_reading(csms, box, 31)
    await configure(csms, MeterValueSampleInterval=0)
    await no_reading(csms, box, 600)


async def test_every_measurand_with_its_unit_and_phase(csms, station):
    """§7.31, §7.45, §7.44"""
    box = await station(settings=timed(MeterValueSampleInterval="60", MeterValuesSampledData=EVERYTHING))
    await online(csms, box)
    await begin(csms, box, current_a=10)
    reading = await a_reading(csms, box, 60)
    rows = {(row["measurand"], row.get("phase")): row for row in reading["meterValue"][0]["sampledValue"]}
    units = {key: row.get("unit") for key, row in rows.items()}
    assert units == {
        (ENERGY, None): "Wh",
        ("Power.Active.Import", None): "W",
        ("Power.Offered", None): "W",
        ("Current.Offered", None): "A",
        ("Frequency", None): None,
        **{("Current.Import", f"L{phase}"): "A" for phase in (1, 2, 3)},
        **{("Voltage", f"L{phase}-N"): "V" for phase in (1, 2, 3)},
    }
    values = {key: Decimal(row["value"]) for key, row in rows.items()}
    assert values["Frequency", None] == 50
    assert values["Current.Offered", None] == 16
    assert values["Power.Offered", None] == 16 * 230 * 3
    for phase in (1, 2, 3):
        assert values["Voltage", f"L{phase}-N"] == 230
        assert values["Current.Import", f"L{phase}"] == 10
    assert values["Power.Active.Import", None] == 6900
    assert 110 <= values[ENERGY, None] <= 140


async def test_one_phase_may_be_asked_for(csms, station):
    """§9.1.17"""
    box = await station(
        settings=timed(MeterValueSampleInterval="60", MeterValuesSampledData="Current.Import.L2,Voltage.L3")
    )
    await online(csms, box)
    await begin(csms, box, phases=1)
    reading = await a_reading(csms, box, 60)
    values = {key: float(value) for key, value in sampled(reading["meterValue"][0]).items()}
    assert values == {("Current.Import", "L2"): 0, ("Voltage", "L3-N"): 230}


async def test_a_station_of_one_phase_tells_of_one(csms, station):
    box = await station(
        connectors={"phases": 1, "max_current_a": 32},
        settings=timed(MeterValueSampleInterval="60", MeterValuesSampledData=EVERYTHING),
    )
    await online(csms, box)
    await begin(csms, box, current_a=32, phases=3)
    values = sampled((await a_reading(csms, box, 60))["meterValue"][0])
    assert {phase for _, phase in values} == {None, "L1", "L1-N"}
    assert round(float(values["Current.Import", "L1"])) == 32
    assert int(values["Power.Offered", None]) == 32 * 230


async def test_no_measurand_no_message(csms, station):
    box = await station(settings=timed(MeterValueSampleInterval="60", MeterValuesSampledData=""))
    await online(csms, box)
    session = await begin(csms, box)
    await no_reading(csms, box, 600)
    await finish(csms, box, session)


# --- clock-aligned


async def to_the_slot(csms, box, interval):
    """Moves the clock to half a minute before the next slot of the day."""
    now = moment(csms.now())
    second = now.hour * 3600 + now.minute * 60 + now.second
    await leap(csms, box, interval - second % interval + interval - 30)


async def test_aligned_readings_come_with_the_clock(csms, station):
    """§9.1.5: evenly spaced from midnight, whenever the transaction began."""
    box = await station(settings=timed(ClockAlignedDataInterval="900"))
    await online(csms, box)
    session = await begin(csms, box)
    await to_the_slot(csms, box, 900)
    await csms.expect("MeterValues")  # a slot lay between
    await no_reading(csms, box, 5)
    for _ in range(2):
        reading = await a_reading(csms, box, 40)
        assert contexts(reading) == {"Sample.Clock"}
        assert (reading["connectorId"], reading["transactionId"]) == (1, session.transaction_id)
        at = moment(reading["meterValue"][0]["timestamp"])
        assert at.minute % 15 == 0
        await no_reading(csms, box, 850)


async def test_aligned_readings_are_of_every_connector(csms, station):
    """§4.7: outside transactions too, then without a transactionId."""
    box = await station(connectors={"count": 2}, settings=timed(ClockAlignedDataInterval="900"))
    await online(csms, box)
    session = await begin(csms, box, 1)
    await leap(csms, box, 900)
    charging = (await csms.expect("MeterValues", connectorId=1)).payload
    idle = (await csms.expect("MeterValues", connectorId=2)).payload
    assert charging["transactionId"] == session.transaction_id
    assert "transactionId" not in idle
    assert contexts(idle) == {"Sample.Clock"}
    assert sampled(idle["meterValue"][0])[ENERGY, None] == "0"


async def test_aligned_and_sampled_data_are_two_lists(csms, station):
    keys = {"ClockAlignedDataInterval": "900", "MeterValuesAlignedData": "Voltage.L1"}
    box = await station(settings=timed(MeterValueSampleInterval="900", **keys))
    await online(csms, box)
    await begin(csms, box)
    await leap(csms, box, 900)
    readings = [(await csms.expect("MeterValues")).payload for _ in range(2)]
    told = {contexts(reading).pop(): set(sampled(reading["meterValue"][0])) for reading in readings}
    assert told == {"Sample.Periodic": {(ENERGY, None)}, "Sample.Clock": {("Voltage", "L1-N")}}


async def test_aligned_data_are_off_with_0(csms, station):
    box = await station(settings=timed(ClockAlignedDataInterval="0"))
    await online(csms, box)
    await no_reading(csms, box, 86400)
    await configure(csms, ClockAlignedDataInterval=3600)
    await no_reading(csms, box, 0)
    await a_reading(csms, box, 3600)


# --- the lists of measurands


@pytest.mark.parametrize("key", LISTS)
async def test_a_list_has_its_maximum_length(csms, station, key):
    """§9.1.16, §9.1.18, §9.1.26, §9.1.28"""
    box = await station(settings=timed(**{key + "MaxLength": "2", key: "Voltage"}))
    await online(csms, box)
    assert await configuration(csms, key + "MaxLength") == "2"
    for value, status in (
        (f"{ENERGY},Voltage,Frequency", "Rejected"),
        (f"{ENERGY},Voltage", "Accepted"),
        ("Temperature", "Rejected"),
        (f"{ENERGY},Nonsense", "Rejected"),
        ("Voltage.L4", "Rejected"),
    ):
        answer = await csms.call("ChangeConfiguration", key=key, value=value)
        assert answer["status"] == status, value
    assert await configuration(csms, key) == f"{ENERGY},Voltage"
    answer = await csms.call("ChangeConfiguration", key=key + "MaxLength", value="5")
    assert answer["status"] == "Rejected"


async def test_a_new_list_works_in_a_running_transaction(csms, station):
    box = await station(settings=timed(MeterValueSampleInterval="60"))
    await online(csms, box)
    await begin(csms, box)
    await a_reading(csms, box, 60)
    await configure(csms, MeterValuesSampledData="Voltage.L1,Frequency")
    reading = await a_reading(csms, box, 60)
    assert set(sampled(reading["meterValue"][0])) == {("Voltage", "L1-N"), ("Frequency", None)}


# --- the register


def as_the_meter_has_it(wh):
    """What the meter's single-precision kWh register holds of so many Wh, in whole Wh."""
    kwh = struct.unpack(">f", struct.pack(">f", wh / 1000))[0]
    return int((Decimal(kwh) * 1000).to_integral_value(ROUND_HALF_UP))


@pytest.mark.parametrize("wh", [12_345_678, 123_456_789, 987_654_321])
async def test_the_register_is_an_integer_of_wh(csms, station, tmp_path, wh):
    """Beyond 16 MWh a float of single precision would not even tell one Wh from the next."""
    state = tmp_path / "state"
    box = await station(state=state, settings=timed(MeterValueSampleInterval="600"))
    await online(csms, box)
    await box.kill()
    world = json.loads((state / "world.json").read_text())
    world["outlets"][0]["energy"] = wh * 3_600_000_000
    (state / "world.json").write_text(json.dumps(world))
    await box.start()
    await online(csms, box)
    session = await begin(csms, box)
    start = session.start.payload["meterStart"]
    assert start == as_the_meter_has_it(wh)
    assert str(start) in session.start.text
    reading = await a_reading(csms, box, 600)
    text = sampled(reading["meterValue"][0])[ENERGY, None]
    assert text.isdigit()
    assert start < int(text) < start + 2000
    stop = await finish(csms, box, session)
    assert isinstance(stop["meterStop"], int)
    assert stop["meterStop"] >= int(text)


async def test_a_silent_meter_ends_the_session_with_what_was_read_last(csms, station):
    """What cannot be metered is not delivered (§7.6, PowerMeterFailure)."""
    box = await station(settings=timed(MeterValueSampleInterval="600"))
    await online(csms, box)
    session = await begin(csms, box)
    last = int(sampled((await a_reading(csms, box, 600))["meterValue"][0])[ENERGY, None])
    await box.control("break", part="meter", connector=1, how="silent")
    await pass_until(box, lambda state: state["connectors"][0]["status"] == "Faulted")
    await csms.status(1, "Faulted", errorCode="PowerMeterFailure")
    stop = await stopped(csms, session)
    assert stop["reason"] == "Other"
    assert stop["meterStop"] == last
    await connector_is(box, contactor=False)
    await box.control("break", part="meter", connector=1, how="ok")
    await pass_until(box, lambda state: state["connectors"][0]["status"] == "Finishing")
    await csms.status(1, "Finishing")


async def test_a_disturbed_meter_ends_nothing(csms, station):
    """Answers with a wrong checksum count as none: the reading of that moment is missing, the next ones are not."""
    box = await station(settings=timed(MeterValueSampleInterval="600"))
    await online(csms, box)
    session = await begin(csms, box)
    await box.control("break", part="meter", connector=1, how="corrupt")
    since = len(box.log)
    await leap(csms, box, 600)
    await logged(box, "energy meter", since=since)
    await box.control("break", part="meter", connector=1, how="ok")
    reading = await a_reading(csms, box, 600)
    assert int(sampled(reading["meterValue"][0])[ENERGY, None]) >= 3600
    assert await swipe(box) == "stopped"
    assert (await stopped(csms, session))["reason"] == "Local"
