"""UnlockConnector (OCPP 1.6 §5.18)."""

from sessions import CALM, begin, connector_is, online, stopped, swipe


async def unlock(csms, connector=1):
    return (await csms.call("UnlockConnector", connectorId=connector))["status"]


async def test_without_a_transaction(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await unlock(csms) == "Unlocked"
    await box.plug()
    await csms.status(1, "Preparing")
    assert await unlock(csms) == "Unlocked"
    assert not csms.transcript.calls("StopTransaction")


async def test_a_transaction_is_stopped_first(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await connector_is(box, locked=True, contactor=True)
    assert await unlock(csms) == "Unlocked"
    row = (await box.state())["connectors"][0]
    assert not row["locked"] and not row["contactor"]
    stop = await stopped(csms, session)
    assert stop["reason"] == "UnlockCommand"
    assert "idTag" not in stop
    await csms.status(1, "Finishing")


async def test_the_other_connector_charges_on(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1, "CARD-1")
    session = await begin(csms, box, 2, "CARD-2")
    assert await unlock(csms, 2) == "Unlocked"
    assert (await stopped(csms))["transactionId"] == session.transaction_id
    assert (await connector_is(box, 1, status="Charging", contactor=True))["locked"]


async def test_a_lock_that_does_not_open(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await box.control("break", part="lock", connector=1, how="jammed")
    assert await unlock(csms) == "UnlockFailed"
    # the transaction is over all the same, its contact open
    assert (await stopped(csms, session))["reason"] == "UnlockCommand"
    assert (await connector_is(box, contactor=False))["locked"]


async def test_a_card_that_waits_for_its_cable_is_forgotten(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    assert await unlock(csms) == "Unlocked"
    await csms.status(1, "Available")


async def test_a_station_without_locks(csms, station):
    box = await station(connectors={"lock": False}, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await unlock(csms) == "NotSupported"
    assert (await connector_is(box, status="Charging"))["transaction"]["transaction_id"] == session.transaction_id


async def test_a_connector_that_is_not_there(csms, station):
    """§7.48, as the errata have it: NotSupported. §6.53: never connector 0."""
    box = await station(settings=CALM)
    await online(csms, box)
    assert await unlock(csms, 2) == "NotSupported"
    await csms.send_text([2, "zero", "UnlockConnector", {"connectorId": 0}])
    assert (await csms.answer_to("zero")).payload["code"] == "PropertyConstraintViolation"
