"""Contactless cards end to end: what the backend hears of a UID, cards that stay, a reader that dies."""

import pytest
from sessions import CALM, WITHIN_S, begin, configure, connector_is, logged, online, quiet, started, stopped

UID = "04A1B2C3D4E5F6"


async def hold(box, uid=UID, id_tag=None, **arguments):
    """Holds a contactless card to the reader; returns what came of it, in the word of the log."""
    since = len(box.log)
    await box.hold(uid, **arguments)
    return (await logged(box, rf" card: {id_tag or uid}: (\w+)$", since=since))[1]


async def test_a_card_begins_and_ends_a_session(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    assert await hold(box) == "granted"
    session = await started(csms, connectorId=1, idTag=UID)
    await csms.status(1, "Charging")
    assert await hold(box) == "stopped"
    assert (await stopped(csms, session))["idTag"] == UID
    await csms.status(1, "Finishing")


@pytest.mark.parametrize(
    ("keys", "uid", "id_tag"),
    (
        ({"IdTagByteOrder": "LSB"}, "04A1B2C3", "C3B2A104"),
        ({"IdTagCase": "Lower", "IdTagPrefix": "Card-"}, "04A1B2C3D4E5F6", "Card-04a1b2c3d4e5f6"),
        ({}, "0123456789ABCDEF0123", "0123456789ABCDEF0123"),
    ),
    ids=str,
)
async def test_the_settings_spell_the_id_tag(csms, station, keys, uid, id_tag):
    box = await station(settings=CALM)
    await online(csms, box)
    await configure(csms, **keys)
    assert await hold(box, uid, id_tag) == "granted"
    await csms.expect("Authorize", idTag=id_tag)


async def test_a_changed_setting_holds_for_the_next_card(csms, station):
    box = await station(settings={**CALM, "IdTagPrefix": "A"})
    await online(csms, box)
    assert await hold(box, id_tag="A" + UID) == "granted"
    await configure(csms, IdTagPrefix="B", IdTagByteOrder="LSB")
    await box.hold(UID)
    await csms.expect("Authorize", idTag="BF6E5D4C3B2A104")


async def test_a_uid_that_makes_too_long_an_id_tag_is_refused(csms, station):
    box = await station(settings={**CALM, "IdTagPrefix": "X"})
    await online(csms, box)
    await box.hold("0123456789ABCDEF0123")
    await logged(box, r"card ignored: .*21 characters")
    assert await hold(box, id_tag="X" + UID) == "granted"
    assert len(csms.transcript.calls("Authorize")) == 1


async def test_several_cards_in_the_field(csms, station):
    """Two lie there for good: each is told once, and a third is not hidden by them."""
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    lying = ("11223344", "04112233445566")
    for uid in lying:
        await box.control("card_in", uid=uid)
    for uid in lying:
        await logged(box, rf" card: {uid}: ")
    assert await hold(box) == "busy"
    await quiet(csms, box)
    assert [call.payload["idTag"] for call in csms.transcript.calls("Authorize")][-1] == UID
    assert len(csms.transcript.calls("Authorize")) == 3


async def test_the_reader_of_one_connector(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await box.plug(1)
    await connector_is(box, 1, status="Preparing")
    assert await hold(box, connectors=[2]) == "granted"
    await csms.status(2, "Preparing")
    assert (await connector_is(box, 1))["transaction"] is None


async def test_both_kinds_of_reader_know_the_same_card(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box, token=UID)
    assert await hold(box) == "stopped"
    await stopped(csms, session)


async def test_a_dead_reader_is_told_and_comes_back(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.control("break", part="reader", how="silent")
    await logged(box, r" card: card reader 1/\d+ is dead")
    assert (await csms.status(0, "Available", errorCode="ReaderFailure")).payload["info"]
    await box.control("break", part="reader", how="ok")
    await box.glide(10)
    await csms.status(0, "Available", errorCode="NoError")
    assert await hold(box) == "granted"


async def test_a_dead_reader_does_not_delay_the_station(csms, station):
    """It is dead from the start: the station boots and charges on the backend's word."""
    box = await station(settings=CALM, start=False)
    await box.start()
    await online(csms, box)
    await box.control("break", part="reader", how="silent")
    await csms.status(0, "Available", within=WITHIN_S, errorCode="ReaderFailure")
    await box.kill()
    await box.start()
    await csms.connected(number=2)
    await csms.status(0, "Available", within=WITHIN_S, errorCode="ReaderFailure")
    await box.plug()
    await csms.status(1, "Preparing")
    assert (await csms.call("RemoteStartTransaction", connectorId=1, idTag="REMOTE"))["status"] == "Accepted"
    await csms.status(1, "Charging")
