"""Who may charge (OCPP 1.6 §3.4, §3.6, §4.1, §4.8): cards, groups, readers, and what the backend says of them."""

import pytest
from ocpp.exceptions import InternalError
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
    started,
    stopped,
    swipe,
)

REFUSALS = ("Blocked", "Expired", "Invalid", "ConcurrentTx")


def asked(csms, token=CARD):
    """How often the backend was asked about a card."""
    return len(csms.transcript.calls("Authorize", idTag=token))


# --- the order of plug and card


async def test_plug_first_then_card(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    wanted = ("StatusNotification", "Authorize", "StartTransaction")
    assert actions(csms.transcript, *wanted)[-4:] == [
        "StatusNotification",
        "Authorize",
        "StartTransaction",
        "StatusNotification",
    ]
    assert csms.transcript.statuses(1) == ["Available", "Preparing", "Charging"]


async def test_card_first_then_plug(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    assert not csms.transcript.calls("StartTransaction")
    await box.plug()
    assert (await started(csms)).start.payload["idTag"] == CARD
    await csms.status(1, "Charging")
    assert csms.transcript.statuses(1) == ["Available", "Preparing", "Charging"]
    assert asked(csms) == 1


async def test_a_card_without_a_cable_is_forgotten_after_the_connection_time_out(csms, station):
    """§9.1.6"""
    box = await station(settings={**CALM, "ConnectionTimeOut": "30"})
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    await leap(csms, box, 20)
    assert (await connector_is(box))["status"] == "Preparing"
    await leap(csms, box, 11)
    await csms.status(1, "Available")
    await box.plug()
    await csms.status(1, "Preparing")
    row = await connector_is(box)
    assert (row["transaction"], row["contactor"], row["locked"]) == (None, False, False)
    assert not csms.transcript.calls("StartTransaction")


async def test_the_connection_time_out_can_be_changed(csms, station):
    box = await station(settings={**CALM, "ConnectionTimeOut": "30"})
    await online(csms, box)
    await configure(csms, ConnectionTimeOut=100)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    await leap(csms, box, 90)
    await box.plug()
    await started(csms)
    await csms.status(1, "Charging")


async def test_the_same_card_twice_before_the_cable_takes_the_grant_back(csms, station):
    """§4.9, B1: a second presentation ends the intended usage."""
    box = await station(settings=CALM)
    await online(csms, box)
    assert await swipe(box) == "granted"
    await csms.status(1, "Preparing")
    assert await swipe(box) == "withdrawn"
    await csms.status(1, "Available")
    await box.plug()
    await csms.status(1, "Preparing")
    assert not csms.transcript.calls("StartTransaction")
    assert await swipe(box) == "granted"
    await started(csms)


async def test_a_grant_that_is_taken_back_while_the_meter_is_read_begins_nothing(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    await box.control("break", part="meter", connector=1, how="silent")
    assert await swipe(box) == "granted"
    await connector_is(box, locked=True)
    assert await swipe(box) == "withdrawn"
    await box.control("break", part="meter", connector=1, how="ok")
    await connector_is(box, locked=False)
    assert await swipe(box, "ANOTHER") == "granted"
    assert (await started(csms)).start.payload["idTag"] == "ANOTHER"
    assert len(csms.transcript.calls("StartTransaction")) == 1


# --- what the backend says of a card


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refused_card_begins_nothing(csms, station, status):
    csms.cards["BAD"] = {"status": status}
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await swipe(box, "BAD") == status
    row = await connector_is(box)
    assert (row["status"], row["transaction"], row["contactor"], row["locked"]) == ("Preparing", None, False, False)
    assert await swipe(box) == "granted"
    assert (await started(csms)).start.payload["idTag"] == CARD


async def test_a_card_that_has_expired_by_its_date_is_refused_by_the_backend_only(csms, station):
    """The backend judges when it is asked; a date in the past beside Accepted is remembered as expired."""
    csms.cards[CARD] = {"status": "Accepted", "expiryDate": "2020-01-01T00:00:00Z"}
    box = await station(settings={**CALM, "LocalPreAuthorize": "true"})
    await online(csms, box)
    assert await swipe(box) == "granted"
    assert await swipe(box) == "withdrawn"
    assert await swipe(box) == "granted"
    assert asked(csms) == 2


@pytest.mark.parametrize("status", REFUSALS)
async def test_the_answer_to_start_transaction_can_end_it(csms, station, status):
    """§4.8, StopTransactionOnInvalidId: the contact opens, reason is DeAuthorized, the cable stays for its owner."""
    csms.answer("StartTransaction", {"transactionId": 7, "idTagInfo": {"status": status}})
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    stop = await stopped(csms)
    assert (stop["transactionId"], stop["reason"]) == (7, "DeAuthorized")
    assert "idTag" not in stop
    row = await connector_is(box, contactor=False, transaction=None)
    assert row["locked"]
    await csms.status(1, "Finishing")
    assert await swipe(box) == "released"
    await connector_is(box, locked=False)


async def test_an_invalid_card_may_go_on_without_energy(csms, station):
    """§4.8: StopTransactionOnInvalidId false only stops the energy."""
    csms.answer("StartTransaction", {"transactionId": 7, "idTagInfo": {"status": "Blocked"}})
    box = await station(settings={**CALM, "StopTransactionOnInvalidId": "false"})
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    await csms.status(1, "SuspendedEVSE")
    row = await connector_is(box, contactor=False)
    assert row["transaction"]["transaction_id"] == 7
    assert not csms.transcript.calls("StopTransaction")
    assert await swipe(box) == "stopped"
    assert (await stopped(csms))["reason"] == "Local"
    await connector_is(box, locked=False)


@pytest.mark.parametrize(("stop", "status"), [("true", "Finishing"), ("false", "SuspendedEVSE")])
async def test_an_invalid_card_gets_its_allowance(csms, station, stop, status):
    """§9.1.14: MaxEnergyOnInvalidId Wh, then what StopTransactionOnInvalidId says."""
    csms.answer("StartTransaction", {"transactionId": 7, "idTagInfo": {"status": "Invalid"}})
    settings = {**CALM, "StopTransactionOnInvalidId": stop, "MaxEnergyOnInvalidId": "500"}
    box = await station(settings=settings)
    await online(csms, box)
    await box.plug(current_a=10)
    assert await swipe(box) == "granted"
    await csms.status(1, "Charging")
    await logged(box, "does not accept the card")
    await leap(csms, box, 60)  # 115 Wh
    assert (await connector_is(box, contactor=True))["status"] == "Charging"
    await leap(csms, box, 240)
    await csms.status(1, status)
    row = await connector_is(box, contactor=False)
    assert 500 <= row["energy_wh"] < 700
    if stop == "true":
        end = await stopped(csms)
        assert end["reason"] == "DeAuthorized"
        assert end["meterStop"] >= 500
    else:
        assert row["transaction"]["transaction_id"] == 7


async def test_no_answer_about_a_card_is_decided_as_if_offline(csms, station):
    csms.answer("Authorize", InternalError("overloaded"))
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.status(1, "Preparing")
    assert await swipe(box) == "Invalid"
    await configure(csms, AllowOfflineTxForUnknownId="true")
    assert await swipe(box) == "granted"
    await started(csms)


# --- a session runs already


async def test_an_unknown_card_does_not_end_a_running_session(csms, station):
    csms.cards["STRANGER"] = {"status": "Invalid"}
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await swipe(box, "STRANGER") == "Invalid"
    row = await connector_is(box, contactor=True)
    assert row["transaction"]["transaction_id"] == session.transaction_id
    assert (await finish(csms, box, session))["idTag"] == CARD


async def test_another_accepted_card_does_not_end_a_running_session(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await swipe(box, "NEIGHBOUR") == "busy"
    assert (await connector_is(box, contactor=True))["status"] == "Charging"
    await finish(csms, box, session)


async def test_the_same_card_ends_its_session_without_asking_again(csms, station):
    """§4.10: the card that began it need not be authorized to end it; its case does not matter (CiString20)."""
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box, token="abcd1234")
    csms.cards["abcd1234"] = {"status": "Blocked"}
    assert await swipe(box, "ABCD1234") == "stopped"
    assert (await stopped(csms, session))["reason"] == "Local"
    assert len(csms.transcript.calls("Authorize")) == 1


async def test_another_card_of_the_group_ends_the_session(csms, station):
    """§3.6: same parentIdTag; the stop bears the card that ended it."""
    csms.cards[CARD] = {"status": "Accepted", "parentIdTag": "FAMILY"}
    csms.cards["SISTER"] = {"status": "Accepted", "parentIdTag": "family"}
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await swipe(box, "SISTER") == "stopped"
    stop = await stopped(csms, session)
    assert (stop["reason"], stop["idTag"]) == ("Local", "SISTER")


@pytest.mark.parametrize("info", [{"status": "Blocked", "parentIdTag": "FAMILY"}, {"status": "Accepted"}])
async def test_a_blocked_card_or_one_of_no_group_does_not(csms, station, info):
    csms.cards[CARD] = {"status": "Accepted", "parentIdTag": "FAMILY"}
    csms.cards["OTHER"] = info
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    assert await swipe(box, "OTHER") in ("Blocked", "busy")
    assert (await connector_is(box, contactor=True))["transaction"]["transaction_id"] == session.transaction_id


async def test_two_cards_without_a_group_are_no_group(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box, token="ONE")
    assert await swipe(box, "TWO") == "busy"
    assert (await connector_is(box, contactor=True))["status"] == "Charging"


async def test_the_group_may_be_learned_from_the_answer_to_start_transaction(csms, station):
    """A remote start that is not authorized learns its group there; so does one that began offline."""
    csms.cards["REMOTE"] = {"status": "Accepted", "parentIdTag": "FAMILY"}
    csms.cards["SISTER"] = {"status": "Accepted", "parentIdTag": "FAMILY"}
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    await csms.call("RemoteStartTransaction", idTag="REMOTE", connectorId=1)
    session = await started(csms)
    await csms.status(1, "Charging")
    assert asked(csms, "REMOTE") == 0
    assert await swipe(box, "SISTER") == "stopped"
    assert (await stopped(csms, session))["idTag"] == "SISTER"


# --- one reader for several connectors


async def test_one_reader_serves_the_connector_that_was_plugged_last(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1, "CARD-1")
    await box.plug(2)
    await csms.status(2, "Preparing")
    assert await swipe(box, "CARD-2") == "granted"
    assert (await started(csms)).start.payload["connectorId"] == 2
    await csms.status(2, "Charging")
    assert await swipe(box, "CARD-1") == "stopped"
    assert (await stopped(csms))["idTag"] == "CARD-1"
    assert (await connector_is(box, 2))["status"] == "Charging"


async def test_a_card_first_waits_for_whichever_cable_comes(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    assert await swipe(box) == "granted"
    await box.plug(2)
    assert (await started(csms)).start.payload["connectorId"] == 2
    await csms.status(2, "Charging")
    # it is used up
    await box.plug(1)
    await csms.status(1, "Preparing")
    assert (await connector_is(box, 1))["transaction"] is None
    assert len(csms.transcript.calls("StartTransaction")) == 1


async def test_a_card_for_several_connectors_is_forgotten_too(csms, station):
    box = await station(connectors={"count": 2}, settings={**CALM, "ConnectionTimeOut": "30"})
    await online(csms, box)
    assert await swipe(box) == "granted"
    await leap(csms, box, 31)
    await logged(box, "no cable within ConnectionTimeOut")
    await box.plug(1)
    await csms.status(1, "Preparing")
    assert not csms.transcript.calls("StartTransaction")


async def test_a_connectors_own_reader_serves_it_alone(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await box.plug(1)
    await csms.status(1, "Preparing")
    assert await swipe(box, "CARD-2", connectors=[2]) == "granted"
    await csms.status(2, "Preparing")
    assert (await connector_is(box, 1))["transaction"] is None
    await box.plug(2)
    assert (await started(csms)).start.payload["connectorId"] == 2
    # and its session is ended there, not at the neighbour's
    csms.cards["CARD-2"] = {"status": "Invalid"}
    assert await swipe(box, "CARD-2", connectors=[1]) == "Invalid"
    assert await swipe(box, "CARD-2", connectors=[2]) == "stopped"
    await stopped(csms)


async def test_all_connectors_taken(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1, "CARD-1")
    await begin(csms, box, 2, "CARD-2")
    assert await swipe(box, "CARD-3") == "busy"
    assert len(csms.transcript.calls("StartTransaction")) == 2
