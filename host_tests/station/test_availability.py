"""ChangeAvailability (OCPP 1.6 §5.2): at once, or scheduled behind a transaction; on flash before it is answered."""

from sessions import CALM, begin, connector_is, leap, online, quiet, stopped, swipe, until


async def change(csms, connector, kind):
    return (await csms.call("ChangeAvailability", connectorId=connector, type=kind))["status"]


async def cut_and_boot(csms, box):
    """A power cut at this moment; what was told before it is forgotten."""
    await box.kill()
    csms.transcript.forget()
    await box.start()
    await until(box, lambda state: state["online"])


async def test_idle_it_is_changed_at_once(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await change(csms, 1, "Inoperative") == "Accepted"
    await csms.status(1, "Unavailable")
    await box.plug()
    assert await swipe(box) == "busy"
    assert (await connector_is(box, status="Unavailable"))["transaction"] is None
    assert (await csms.call("RemoteStartTransaction", idTag="CARD", connectorId=1))["status"] == "Rejected"
    assert await change(csms, 1, "Operative") == "Accepted"
    await csms.status(1, "Preparing")
    assert await swipe(box) == "granted"
    await csms.status(1, "Charging")


async def test_a_change_to_what_is_already_so_is_accepted(csms, station):
    """§5.2"""
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await change(csms, 1, "Operative") == "Accepted"
    assert await change(csms, 0, "Operative") == "Accepted"
    assert await change(csms, 2, "Inoperative") == "Accepted"
    assert await change(csms, 2, "Inoperative") == "Accepted"
    await csms.status(2, "Unavailable")
    await quiet(csms, box)
    assert csms.transcript.statuses(1) == ["Available"]
    assert csms.transcript.statuses(2) == ["Available", "Unavailable"]


async def test_one_connector_is_not_the_other(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await change(csms, 1, "Inoperative") == "Accepted"
    await csms.status(1, "Unavailable")
    await begin(csms, box, 2)
    assert csms.transcript.statuses(0) == ["Available"]


async def test_a_connector_that_is_not_there(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await change(csms, 3, "Inoperative") == "Rejected"
    await csms.send_text([2, "minus", "ChangeAvailability", {"connectorId": -1, "type": "Operative"}])
    assert (await csms.answer_to("minus")).payload["code"] == "PropertyConstraintViolation"


async def test_while_a_transaction_runs_it_is_scheduled(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await change(csms, 1, "Inoperative") == "Scheduled"
    await leap(csms, box, 600)
    assert (await connector_is(box, status="Charging", contactor=True))["power_w"] > 0
    assert await swipe(box) == "stopped"
    await stopped(csms, session)
    await csms.status(1, "Unavailable")
    await box.unplug()
    await quiet(csms, box)
    assert csms.transcript.statuses(1)[-1] == "Unavailable"
    assert "Available" not in csms.transcript.statuses(1)[1:]


async def test_what_is_scheduled_can_be_taken_back(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    assert await change(csms, 1, "Inoperative") == "Scheduled"
    assert await change(csms, 1, "Operative") == "Accepted"
    assert await swipe(box) == "stopped"
    await csms.status(1, "Finishing")
    await box.unplug()
    await csms.status(1, "Available")
    assert "Unavailable" not in csms.transcript.statuses(1)


async def test_the_whole_station(csms, station):
    """§5.2: connector 0 stands for the charge point and all its connectors."""
    box = await station(connectors={"count": 3}, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box, 2)
    assert await change(csms, 0, "Inoperative") == "Scheduled"
    await csms.status(1, "Unavailable")
    await csms.status(3, "Unavailable")
    assert (await connector_is(box, 2, status="Charging", contactor=True))["transaction"]
    assert csms.transcript.statuses(0) == ["Available"]
    assert await swipe(box) == "stopped"
    await stopped(csms, session)
    await csms.status(2, "Unavailable")
    await csms.status(0, "Unavailable")
    assert await change(csms, 0, "Operative") == "Accepted"
    for connector in (0, 1, 3):
        await csms.status(connector, "Available")


async def test_the_whole_station_with_each_connector_in_a_transaction(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1, "CARD-1")
    await begin(csms, box, 2, "CARD-2")
    assert await change(csms, 0, "Inoperative") == "Scheduled"
    assert await swipe(box, "CARD-1") == "stopped"
    await csms.status(1, "Unavailable")
    await quiet(csms, box)
    assert csms.transcript.statuses(0) == ["Available"]
    assert await swipe(box, "CARD-2") == "stopped"
    await csms.status(2, "Unavailable")
    await csms.status(0, "Unavailable")


async def test_a_card_that_waits_for_its_cable_is_dropped(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    assert await change(csms, 1, "Inoperative") == "Accepted"
    await csms.status(1, "Unavailable")
    await box.plug()
    await connector_is(box, pilot="B")
    await leap(csms, box, 5)
    assert (await connector_is(box, status="Unavailable"))["transaction"] is None


# --- power cuts


async def test_it_is_on_flash_before_it_is_answered(csms, station):
    """§5.2: the state survives a loss of power; the cut comes with the answer."""
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await change(csms, 2, "Inoperative") == "Accepted"
    await cut_and_boot(csms, box)
    await csms.status(2, "Unavailable")
    await csms.status(1, "Available")
    assert await change(csms, 2, "Operative") == "Accepted"
    await cut_and_boot(csms, box)
    await csms.status(2, "Available")


async def test_the_whole_station_stays_unavailable(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await change(csms, 0, "Inoperative") == "Accepted"
    await cut_and_boot(csms, box)
    for connector in (0, 1, 2):
        await csms.status(connector, "Unavailable")
    assert await change(csms, 0, "Operative") == "Accepted"
    for connector in (0, 1, 2):
        await csms.status(connector, "Available")


async def test_what_is_scheduled_comes_into_force_if_a_power_cut_ends_the_transaction(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await change(csms, 1, "Inoperative") == "Scheduled"
    await cut_and_boot(csms, box)
    await csms.status(1, "Unavailable")
    assert (await stopped(csms, session))["reason"] == "PowerLoss"


async def test_it_is_changed_while_the_backend_is_away_from_everything_else(csms, station):
    """Offline nobody can change it; but what was changed holds for cards that come offline."""
    box = await station(settings={**CALM, "AllowOfflineTxForUnknownId": "true"})
    await online(csms, box)
    assert await change(csms, 1, "Inoperative") == "Accepted"
    await box.ws(False)
    await until(box, lambda state: not state["connected"])
    await box.plug()
    assert await swipe(box) == "busy"
    assert (await connector_is(box, status="Unavailable"))["transaction"] is None
