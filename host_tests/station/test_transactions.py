"""Transactions (OCPP 1.6 §4.8, §4.10): what is told of one, why it ends, and which side of the cable ends it."""

import asyncio
import itertools

import pytest
from sessions import (
    CALM,
    CARD,
    actions,
    back,
    begin,
    connector_is,
    finish,
    leap,
    moment,
    offline,
    online,
    sampled,
    started,
    stopped,
    swipe,
    told,
    until,
)

ENERGY = ("Energy.Active.Import.Register", None)


async def test_one_transaction_from_card_to_card(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    start = session.start.payload
    assert set(start) == {"connectorId", "idTag", "meterStart", "timestamp"}
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, CARD, 0)
    await leap(csms, box, 3600)
    stop = await finish(csms, box, session)
    assert stop["reason"] == "Local"
    assert stop["idTag"] == CARD
    assert stop["transactionId"] == session.transaction_id
    # 16 A on three phases for an hour
    assert 11000 <= stop["meterStop"] <= 11150
    assert isinstance(stop["meterStop"], int)
    assert 3600 <= (moment(stop["timestamp"]) - moment(start["timestamp"])).total_seconds() <= 3660
    assert "transactionData" not in stop
    assert csms.transcript.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]


async def test_the_next_transaction_begins_where_the_register_stood(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    first = await begin(csms, box)
    await leap(csms, box, 600)
    stop = await finish(csms, box, first)
    second = await begin(csms, box)
    assert second.start.payload["meterStart"] == stop["meterStop"]
    assert second.transaction_id != first.transaction_id
    assert await swipe(box) == "stopped"
    assert (await stopped(csms, second))["meterStop"] >= stop["meterStop"]


async def test_two_connectors_have_a_transaction_each(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    one = await begin(csms, box, 1, "CARD-1")
    two = await begin(csms, box, 2, "CARD-2", current_a=6, phases=1)
    await leap(csms, box, 3600)
    assert await swipe(box, "CARD-2") == "stopped"
    stop = await stopped(csms, two)
    assert stop["idTag"] == "CARD-2"
    assert 1370 <= stop["meterStop"] <= 1420
    assert (await connector_is(box, 1, status="Charging"))["transaction"]["id_tag"] == "CARD-1"
    assert await swipe(box, "CARD-1") == "stopped"
    assert (await stopped(csms, one))["meterStop"] >= 11000


async def test_charging_does_not_wait_for_the_backends_id(csms, station):
    """§4.8: the transaction is there before StartTransaction is answered; readings and stop wait for its id."""
    answer = asyncio.Event()

    async def late(frame):
        await answer.wait()
        return {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}}

    csms.answer("StartTransaction", late)
    box = await station(settings={**CALM, "MeterValueSampleInterval": "60"})
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    await csms.expect("StartTransaction")
    row = await connector_is(box, status="Charging", contactor=True)
    assert row["transaction"]["transaction_id"] is None
    await box.advance(60)
    await until(box, lambda state: state["journal_depth"] == 2)
    await box.unplug()
    await until(box, lambda state: state["journal_depth"] == 3)
    assert "MeterValues" not in actions(csms.transcript)
    answer.set()
    stop = await stopped(csms)
    assert stop["transactionId"] == 4711
    assert (await csms.expect("MeterValues")).payload["transactionId"] == 4711
    assert actions(csms.transcript, "StartTransaction", "MeterValues", "StopTransaction") == [
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
    ]


# --- why it ends


async def end_locally(csms, box, session):
    await swipe(box)


async def end_remotely(csms, box, session):
    answer = await csms.call("RemoteStopTransaction", transactionId=session.transaction_id)
    assert answer["status"] == "Accepted"


async def end_by_the_car(csms, box, session):
    await box.unplug()


async def end_by_unlocking(csms, box, session):
    assert (await csms.call("UnlockConnector", connectorId=1))["status"] == "Unlocked"


async def end_by_emergency_stop(csms, box, session):
    await box.fault("EmergencyStop")


async def end_by_a_fault(csms, box, session):
    await box.fault("GroundFailure")


async def end_by_soft_reset(csms, box, session):
    assert (await csms.call("Reset", type="Soft"))["status"] == "Accepted"


async def end_by_hard_reset(csms, box, session):
    assert (await csms.call("Reset", type="Hard"))["status"] == "Accepted"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (end_locally, "Local"),
        (end_remotely, "Remote"),
        (end_by_the_car, "EVDisconnected"),
        (end_by_unlocking, "UnlockCommand"),
        (end_by_emergency_stop, "EmergencyStop"),
        (end_by_a_fault, "Other"),
        (end_by_soft_reset, "SoftReset"),
        (end_by_hard_reset, "HardReset"),
    ],
)
async def test_each_way_to_end_has_its_reason(csms, station, end, reason):
    """§7.36; PowerLoss is in test_delivery, DeAuthorized in test_authorization."""
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await leap(csms, box, 600)
    await end(csms, box, session)
    if reason.endswith("Reset"):
        await box.restarted(2)
    stop = await stopped(csms, session)
    assert stop["reason"] == reason
    assert stop.get("idTag") == (CARD if reason == "Local" else None)
    assert stop["meterStop"] >= 1800
    await connector_is(box, contactor=False, transaction=None)
    told = {frame.text for frame in csms.transcript.calls("StopTransaction")}
    assert len(told) == 1, "a Hard reset may cut off the answer: then the same message comes again"


async def test_the_first_reason_counts(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await asyncio.gather(box.swipe(CARD), box.unplug())
    stop = await stopped(csms, session)
    assert stop["reason"] in ("Local", "EVDisconnected")
    assert ("idTag" in stop) == (stop["reason"] == "Local")
    await csms.status(1, "Available")
    assert len(csms.transcript.calls("StopTransaction")) == 1


async def test_a_reset_ends_the_transactions_of_all_connectors(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    sessions = [await begin(csms, box, 1, "CARD-1"), await begin(csms, box, 2, "CARD-2")]
    await csms.call("Reset", type="Soft")
    await box.restarted(2)
    stops = csms.transcript.calls("StopTransaction")
    assert [stop.payload["reason"] for stop in stops] == ["SoftReset"] * 2
    assert {stop.payload["transactionId"] for stop in stops} == {session.transaction_id for session in sessions}
    # a soft reset tells the backend before it restarts
    assert {stop.connection for stop in stops} == {1}


async def test_nobody_begins_a_transaction_while_a_reset_is_under_way(csms, station):
    """§5.14: what would begin in the last moment could only be torn off."""
    held = asyncio.Event()

    async def late(frame):
        await held.wait()

    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box, 1, "CARD-1")
    await box.plug(2)
    await csms.status(2, "Preparing")
    csms.answer("StopTransaction", late)
    await csms.call("Reset", type="Soft")
    await csms.expect("StopTransaction", transactionId=session.transaction_id)
    await box.swipe("CARD-2")
    answer = await csms.call("RemoteStartTransaction", idTag="CARD-2", connectorId=2)
    assert answer["status"] == "Rejected"
    held.set()
    await box.restarted(2)
    await told(csms, box)
    assert len(csms.transcript.calls("StartTransaction")) == 1
    assert len(csms.transcript.calls("StopTransaction")) == 1


# --- which side of the cable


async def test_pulled_at_the_car_the_transaction_may_go_on(csms, station):
    """§4.10: StopTransactionOnEVSideDisconnect false suspends it; the lock stays, whatever the other key says."""
    settings = {**CALM, "StopTransactionOnEVSideDisconnect": "false", "UnlockConnectorOnEVSideDisconnect": "true"}
    locks = []
    box = await station(settings=settings, on_event=lambda row: row["event"] == "lock" and locks.append(row["locked"]))
    await online(csms, box)
    session = await begin(csms, box)
    await box.unplug()
    await csms.status(1, "SuspendedEV")
    row = await connector_is(box, pilot="A", contactor=False)
    assert row["transaction"]["transaction_id"] == session.transaction_id
    await box.plug()
    await csms.status(1, "Charging")
    assert locks == [True]
    await leap(csms, box, 60)
    stop = await finish(csms, box, session)
    assert stop["reason"] == "Local"
    assert stop["meterStop"] > 0


async def test_a_card_gives_back_the_cable_of_a_suspended_transaction(csms, station):
    """§4.10: pulled at the car and locked here, it stays until its owner presents his card."""
    settings = {**CALM, "StopTransactionOnEVSideDisconnect": "false", "UnlockConnectorOnEVSideDisconnect": "false"}
    box = await station(settings=settings)
    await online(csms, box)
    session = await begin(csms, box)
    await box.unplug()
    await csms.status(1, "SuspendedEV")
    assert (await connector_is(box, pilot="A"))["locked"]
    assert await swipe(box) == "stopped"
    assert (await stopped(csms, session))["reason"] == "Local"
    await connector_is(box, locked=False, status="Available")


async def test_pulled_at_the_car_the_cable_is_unlocked(csms, station):
    """§9.1.33, with its default and that of StopTransactionOnEVSideDisconnect."""
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert (await connector_is(box))["locked"]
    await box.unplug()
    assert (await stopped(csms, session))["reason"] == "EVDisconnected"
    await csms.status(1, "Available")
    await connector_is(box, locked=False)


async def test_pulled_at_the_car_the_cable_may_stay_locked_for_its_owner(csms, station):
    box = await station(settings={**CALM, "UnlockConnectorOnEVSideDisconnect": "false"})
    await online(csms, box)
    session = await begin(csms, box)
    await box.unplug()
    assert (await stopped(csms, session))["reason"] == "EVDisconnected"
    await csms.status(1, "Finishing")
    assert (await connector_is(box))["locked"]
    csms.cards["THIEF"] = {"status": "Invalid"}
    assert await swipe(box, "THIEF") == "Invalid"
    assert (await connector_is(box))["locked"]
    assert await swipe(box) == "released"
    await csms.status(1, "Available")
    await connector_is(box, locked=False)
    assert len(csms.transcript.calls("StartTransaction")) == 1


async def test_a_reconnected_car_needs_a_new_transaction(csms, station):
    """§4.10: energy transfer is not allowed until a new transaction is started."""
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    await box.unplug()
    await csms.status(1, "Available")
    await box.plug()
    await csms.status(1, "Preparing")
    assert (await connector_is(box))["contactor"] is False
    assert await swipe(box) == "granted"
    await csms.status(1, "Charging")


async def test_a_finished_connector_can_begin_again_without_unplugging(csms, station):
    """§4.9, F2: Finishing may lead to Preparing."""
    box = await station(settings=CALM)
    await online(csms, box)
    first = await begin(csms, box)
    assert await swipe(box) == "stopped"
    await stopped(csms, first)
    await csms.status(1, "Finishing")
    assert await swipe(box, "ANOTHER") == "granted"
    second = await started(csms, idTag="ANOTHER")
    await csms.status(1, "Charging")
    assert second.transaction_id != first.transaction_id


# --- transactionData


async def test_transaction_data_of_the_sampled_readings(csms, station):
    """§9.1.27: begin, each sample and end, with the measurands of StopTxnSampledData."""
    keys = {"MeterValueSampleInterval": "60", "StopTxnSampledData": "Energy.Active.Import.Register,Voltage.L1"}
    box = await station(settings={**CALM, **keys})
    await online(csms, box)
    session = await begin(csms, box)
    for _ in range(3):
        await leap(csms, box, 60)
        await csms.answer_to(await csms.expect("MeterValues"))
    stop = await finish(csms, box, session)
    data = stop["transactionData"]
    contexts = [{value["context"] for value in row["sampledValue"]} for row in data]
    assert contexts == [{"Transaction.Begin"}, *[{"Sample.Periodic"}] * 3, {"Transaction.End"}]
    assert all(set(sampled(row)) == {ENERGY, ("Voltage", "L1-N")} for row in data)
    energies = [int(sampled(row)[ENERGY]) for row in data]
    assert energies == sorted(energies)
    assert energies[0] == session.start.payload["meterStart"]
    assert energies[-1] == stop["meterStop"]
    moments = [moment(row["timestamp"]) for row in data]
    assert moments == sorted(moments)


async def test_transaction_data_of_the_aligned_readings(csms, station):
    """§9.1.25, independent of what is sent as MeterValues."""
    keys = {"ClockAlignedDataInterval": "900", "MeterValuesAlignedData": "Voltage.L1"}
    box = await station(settings={**CALM, **keys, "StopTxnAlignedData": "Current.Import"})
    await online(csms, box)
    session = await begin(csms, box)
    for _ in range(2):
        await leap(csms, box, 900)
        reading = await csms.expect("MeterValues")
        assert set(sampled(reading.payload["meterValue"][0])) == {("Voltage", "L1-N")}
    stop = await finish(csms, box, session)
    data = stop["transactionData"]
    assert len(data) == 2
    for row in data:
        assert {value["context"] for value in row["sampledValue"]} == {"Sample.Clock"}
        assert {name: round(float(value)) for name, value in sampled(row).items()} == {
            ("Current.Import", f"L{phase}"): 16 for phase in (1, 2, 3)
        }


async def test_transaction_data_is_of_its_own_transaction(csms, station):
    keys = {"MeterValueSampleInterval": "60", "StopTxnSampledData": "Energy.Active.Import.Register"}
    box = await station(connectors={"count": 2}, settings={**CALM, **keys})
    await online(csms, box)
    one = await begin(csms, box, 1, "CARD-1")
    two = await begin(csms, box, 2, "CARD-2")
    await leap(csms, box, 60)
    for connector in (1, 2):
        await csms.expect("MeterValues", connectorId=connector)
    first = await finish(csms, box, one, "CARD-1")
    await leap(csms, box, 60)
    await csms.expect("MeterValues", connectorId=2)
    second = await finish(csms, box, two, "CARD-2")
    assert len(first["transactionData"]) == 3
    assert len(second["transactionData"]) == 4


async def test_a_long_transactions_data_is_thinned_not_cut(csms, station):
    """No message outgrows the station: readings are left out evenly, begin and end are there."""
    keys = {"MeterValueSampleInterval": "60", "MeterValuesSampledData": "Frequency"}
    keys["StopTxnSampledData"] = "Energy.Active.Import.Register,Current.Import,Voltage"
    box = await station(settings={**CALM, **keys})
    await online(csms, box)
    session = await begin(csms, box)
    for _ in range(24):
        await leap(csms, box, 60)
        await csms.expect("MeterValues")
    stop = await finish(csms, box, session)
    data = stop["transactionData"]
    contexts = [row["sampledValue"][0]["context"] for row in data]
    assert contexts == ["Transaction.Begin", *["Sample.Periodic"] * (len(data) - 2), "Transaction.End"]
    assert 10 <= len(data) < 26
    moments = [moment(row["timestamp"]) for row in data]
    steps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments[:-1])]
    assert max(steps) < 2 * min(steps)


async def test_offline_the_transaction_is_the_same(csms, station):
    """§3.7: start, readings and stop are told later, as they were."""
    box = await station(settings={**CALM, "MeterValueSampleInterval": "900", "AllowOfflineTxForUnknownId": "true"})
    await online(csms, box)
    await offline(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging", contactor=True)
    await box.advance(900)
    await until(box, lambda state: state["journal_depth"] == 2)
    assert await swipe(box) == "stopped"
    await until(box, lambda state: state["journal_depth"] == 3)
    await back(csms, box)
    start = csms.transcript.calls("StartTransaction")[-1].payload
    reading = csms.transcript.calls("MeterValues")[-1].payload
    stop = csms.transcript.calls("StopTransaction")[-1].payload
    assert 900 <= (moment(stop["timestamp"]) - moment(start["timestamp"])).total_seconds() <= 960
    assert moment(start["timestamp"]) < moment(reading["meterValue"][0]["timestamp"]) <= moment(stop["timestamp"])
    assert 2740 <= stop["meterStop"] <= 2850
