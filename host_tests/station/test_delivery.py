"""What happened in a transaction is told to the backend, whole and in order, whatever comes between (OCPP 1.6 §3.7)."""

import asyncio
import random
from pathlib import Path

import pytest
from ocpp.exceptions import GenericError, InternalError
from sessions import (
    CALM,
    CARD,
    actions,
    back,
    begin,
    configuration,
    connector_is,
    finish,
    leap,
    logged,
    moment,
    offline,
    online,
    pass_until,
    sampled,
    started,
    stopped,
    swipe,
    told,
    until,
)

from tools.peer import SILENCE, Unchecked

ROOT = Path(__file__).parents[2]
ENERGY = ("Energy.Active.Import.Register", None)
TRANSACTION = ("StartTransaction", "MeterValues", "StopTransaction")
STRANGERS = {**CALM, "AllowOfflineTxForUnknownId": "true"}


async def depth(box, messages):
    await until(box, lambda state: state["journal_depth"] == messages)


async def charge_offline(box, readings, step, token=CARD):
    """A session of so many readings, `step` seconds apart, of which the backend hears nothing yet."""
    before = (await box.state())["journal_depth"]
    await box.plug()
    await connector_is(box, status="Preparing")
    assert await swipe(box, token) == "granted"
    await connector_is(box, contactor=True)
    for count in range(1, readings + 1):
        await box.advance(step)
        await depth(box, before + 1 + count)
    assert await swipe(box, token) == "stopped"
    await depth(box, before + 2 + readings)
    await box.unplug()
    await connector_is(box, status="Available")


def in_order(calls):
    """The moments that the CALLs tell of, which must not go back."""
    texts = []
    for frame in calls:
        texts.append(frame.payload.get("timestamp") or frame.payload["meterValue"][0]["timestamp"])
    moments = [moment(text) for text in texts]
    assert moments == sorted(moments)
    return moments


# --- offline


async def test_hours_offline_lose_nothing(csms, station):
    box = await station(settings={**STRANGERS, "MeterValueSampleInterval": "900"})
    await online(csms, box)
    await offline(csms, box)
    begun = moment(csms.now())
    await charge_offline(box, 12, 900, "CARD-1")
    await box.advance(3600)
    await charge_offline(box, 8, 900, "CARD-2")
    await back(csms, box)
    session = ["StartTransaction", *["MeterValues"] * 12, "StopTransaction"]
    assert actions(csms.transcript, *TRANSACTION) == session + session[:9] + session[-1:]
    calls = [frame for frame in csms.transcript.calls() if frame.action in TRANSACTION]
    moments = in_order(calls)
    assert (moments[-1] - begun).total_seconds() >= 6 * 3600
    assert (moments[0] - begun).total_seconds() <= 60
    # each message bears the id that the backend gave its transaction in this very delivery
    assert [frame.payload.get("transactionId") for frame in calls[:14]] == [None, *[1] * 13]
    assert [frame.payload.get("transactionId") for frame in calls[14:]] == [None, *[2] * 9]
    energies = [int(sampled(frame.payload["meterValue"][0])[ENERGY]) for frame in calls[1:13]]
    assert energies == sorted(energies)
    assert energies[-1] >= 12 * 2700


async def test_a_transaction_that_began_online_ends_offline(csms, station):
    box = await station(settings={**CALM, "MeterValueSampleInterval": "600"})
    await online(csms, box)
    session = await begin(csms, box)
    await offline(csms, box)
    await box.advance(600)
    await depth(box, 1)
    assert await swipe(box) == "stopped"
    await depth(box, 2)
    await back(csms, box)
    assert actions(csms.transcript, *TRANSACTION) == list(TRANSACTION)
    assert csms.transcript.calls("MeterValues")[0].payload["transactionId"] == session.transaction_id
    assert csms.transcript.calls("StopTransaction")[0].payload["transactionId"] == session.transaction_id


async def test_a_backend_that_is_away_at_boot(csms, station):
    """The clock is not set yet: the timestamps are repaired before they are sent (§4.2)."""
    csms.refuse(503)
    box = await station(settings=STRANGERS)
    await logged(box, "503")
    before = moment(csms.now())
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, contactor=True)
    await box.advance(3600)
    assert await swipe(box) == "stopped"
    await depth(box, 2)
    csms.refuse(None)
    await pass_until(box, lambda state: state["online"], 1)
    await told(csms, box)
    start = csms.transcript.calls("StartTransaction")[0].payload
    stop = csms.transcript.calls("StopTransaction")[0].payload
    assert abs((moment(start["timestamp"]) - before).total_seconds()) <= 30
    assert 3600 <= (moment(stop["timestamp"]) - moment(start["timestamp"])).total_seconds() <= 3660
    assert stop["meterStop"] >= 11000


# --- restart and power cut


async def test_a_power_cut_keeps_what_waits(csms, station):
    box = await station(settings={**STRANGERS, "MeterValueSampleInterval": "900"})
    await online(csms, box)
    await offline(csms, box)
    await charge_offline(box, 3, 900)
    await box.kill()
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    assert actions(csms.transcript, *TRANSACTION) == ["StartTransaction", *["MeterValues"] * 3, "StopTransaction"]
    stop = csms.transcript.calls("StopTransaction")[0].payload
    assert (stop["reason"], stop["transactionId"]) == ("Local", 1)
    in_order(frame for frame in csms.transcript.calls() if frame.action in TRANSACTION)


async def test_a_power_cut_ends_the_transaction_with_its_last_reading(csms, station):
    """§7.36, PowerLoss"""
    box = await station(settings={**CALM, "MeterValueSampleInterval": "600"})
    await online(csms, box)
    session = await begin(csms, box)
    for _ in range(2):
        await leap(csms, box, 600)
        reading = await csms.expect("MeterValues")
        await csms.answer_to(reading)
    await box.advance(300)  # what came after the last reading is not known to the flash
    await box.kill()
    await box.start()
    stop = await stopped(csms, session)
    assert stop["reason"] == "PowerLoss"
    assert "idTag" not in stop
    last = reading.payload["meterValue"][0]
    assert stop["meterStop"] == int(sampled(last)[ENERGY])
    assert stop["timestamp"] == last["timestamp"]
    # the car is still there, and charges for nobody
    await connector_is(box, pilot="B", contactor=False, transaction=None, status="Preparing")
    await told(csms, box)
    assert len(csms.transcript.calls("StartTransaction")) == 1
    assert len(csms.transcript.calls("StopTransaction")) == 1


async def test_a_power_cut_before_the_first_reading(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await leap(csms, box, 300)
    await box.kill()
    await box.start()
    stop = await stopped(csms, session)
    assert stop["reason"] == "PowerLoss"
    assert stop["meterStop"] == session.start.payload["meterStart"]


async def test_a_power_cut_ends_the_transactions_of_all_connectors(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    sessions = [await begin(csms, box, 1, "CARD-1"), await begin(csms, box, 2, "CARD-2")]
    await box.kill()
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    stops = [frame.payload for frame in csms.transcript.calls("StopTransaction")]
    assert [stop["reason"] for stop in stops] == ["PowerLoss"] * 2
    assert {stop["transactionId"] for stop in stops} == {session.transaction_id for session in sessions}


async def test_a_power_cut_keeps_the_data_of_the_transaction(csms, station):
    keys = {"MeterValueSampleInterval": "600", "StopTxnSampledData": "Energy.Active.Import.Register"}
    box = await station(settings={**CALM, **keys})
    await online(csms, box)
    session = await begin(csms, box)
    await leap(csms, box, 600)
    await csms.answer_to(await csms.expect("MeterValues"))
    await box.kill()
    await box.start()
    stop = await stopped(csms, session)
    contexts = [row["sampledValue"][0]["context"] for row in stop["transactionData"]]
    assert contexts == ["Transaction.Begin", "Sample.Periodic"]


async def test_cut_twice_it_is_stopped_once(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await box.kill()
    csms.refuse(503)
    for _ in range(2):
        await box.start()
        await depth(box, 1)
        await box.kill()
    csms.refuse(None)
    await box.start()
    await stopped(csms, session)
    await told(csms, box)
    assert len(csms.transcript.calls("StopTransaction")) == 1


async def test_after_a_kill_a_message_without_answer_has_the_same_id(csms, station):
    """So that a backend which has taken it can tell that it is the same."""
    csms.answer("StartTransaction", SILENCE, None)
    box = await station(settings=CALM)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    first = await csms.expect("StartTransaction")
    await box.kill()
    await box.start()
    again = await csms.expect("StartTransaction")
    assert (again.unique_id, again.payload) == (first.unique_id, first.payload)
    stop = await csms.expect("StopTransaction", reason="PowerLoss")
    answer = await csms.answer_to(again)
    assert stop.payload["transactionId"] == answer.payload["transactionId"]
    await told(csms, box)


@pytest.mark.parametrize("action", ["MeterValues", "StopTransaction"])
async def test_after_a_kill_only_what_was_not_answered_comes_again(csms, station, action):
    box = await station(settings={**STRANGERS, "MeterValueSampleInterval": "600"})
    await online(csms, box)
    await offline(csms, box)
    await charge_offline(box, 2, 600)
    csms.answer(action, SILENCE, None)
    await box.ws(True)
    first = await csms.expect(action)
    await box.kill()
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    calls = [frame for frame in csms.transcript.calls() if frame.action in TRANSACTION]
    again = [frame for frame in calls if frame.connection == calls[-1].connection]
    texts = {frame.unique_id: frame.text for frame in calls}
    assert len(texts) == 4
    assert texts[first.unique_id] == first.text
    # from the first that was not answered to the end; of MeterValues it may have forgotten that they were
    assert [frame.action for frame in again] == [*TRANSACTION[:2], *TRANSACTION[1:]][-len(again) :]
    assert first.unique_id in {frame.unique_id for frame in again}
    assert "StartTransaction" not in {frame.action for frame in again}


async def test_an_answered_start_is_not_told_again(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await box.kill()
    await box.start()
    await stopped(csms, session)
    await told(csms, box)
    await box.kill()
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    assert actions(csms.transcript, *TRANSACTION) == ["StartTransaction", "StopTransaction"]


async def test_a_reset_delivers_what_it_can_and_the_rest_after_it(csms, station):
    csms.answer("StopTransaction", SILENCE, None)
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await csms.call("Reset", type="Hard")
    await box.restarted(2)
    stop = await csms.expect("StopTransaction", reason="HardReset", transactionId=session.transaction_id)
    await told(csms, box)
    calls = csms.transcript.calls("StopTransaction")
    assert len({frame.unique_id for frame in calls}) == 1
    assert calls[-1].connection == 2
    assert stop.payload == calls[-1].payload


@pytest.mark.parametrize("seed", range(4))
async def test_killed_at_any_moment_nothing_is_lost_or_told_as_two(csms, station, seed):
    """Whatever a cut interrupts: each transaction begins once and ends once, and its energy does not shrink."""
    moments = random.Random(seed)
    known = {}

    def once(frame):
        """A backend that knows a message again by its id."""
        if frame.unique_id not in known:
            known[frame.unique_id] = {"transactionId": len(known) + 1, "idTagInfo": {"status": "Accepted"}}
        return known[frame.unique_id]

    csms.answer("StartTransaction", once)
    box = await station(settings={**STRANGERS, "MeterValueSampleInterval": "1"})
    for _ in range(4):
        await box.plug()
        await box.swipe(CARD)
        await asyncio.sleep(moments.uniform(0, 0.7))  # no wait for anything: the moment of the cut
        if moments.random() < 0.5:
            await box.advance(600)
            await box.swipe(CARD)
            await asyncio.sleep(moments.uniform(0, 0.2))
        await box.kill()
        await box.start()
        await box.unplug()
    await until(box, lambda state: state["online"])
    await connector_is(box, status="Available")
    await told(csms, box)
    starts = {frame.unique_id: frame.payload for frame in csms.transcript.calls("StartTransaction")}
    stops = {frame.unique_id: frame.payload for frame in csms.transcript.calls("StopTransaction")}
    assert sorted(stop["transactionId"] for stop in stops.values()) == list(range(1, len(starts) + 1))
    registers = []
    for unique_id, start in starts.items():
        number = known[unique_id]["transactionId"]
        (stop,) = (stop for stop in stops.values() if stop["transactionId"] == number)
        assert stop["reason"] in ("PowerLoss", "Local")
        registers += [start["meterStart"], stop["meterStop"]]
    assert registers == sorted(registers)
    told_twice = {}
    for frame in csms.transcript.calls():
        if frame.action in TRANSACTION:
            assert told_twice.setdefault(frame.unique_id, frame.text) == frame.text


# --- a backend that fails


async def test_a_message_that_the_backend_fails_to_process_is_sent_again(csms, station):
    """§9.1.31, §9.1.32: the interval grows with the number of attempts made."""
    failure = InternalError("database is down")
    csms.answer("StartTransaction", failure, failure, None)
    settings = {**CALM, "TransactionMessageAttempts": "3", "TransactionMessageRetryInterval": "100"}
    box = await station(settings=settings)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    first = await csms.expect("StartTransaction")
    await logged(box, "again in 100 s")
    await leap(csms, box, 90)
    await logged(box, "again in 100 s")
    await csms.call("GetConfiguration", key=["JournalDepth"])
    assert len(csms.transcript.calls("StartTransaction")) == 1
    await leap(csms, box, 11)
    second = await csms.expect("StartTransaction")
    await logged(box, "again in 200 s")
    await leap(csms, box, 190)
    await csms.call("GetConfiguration", key=["JournalDepth"])
    assert len(csms.transcript.calls("StartTransaction")) == 2
    await leap(csms, box, 11)
    session = await started(csms)
    assert session.start.payload == second.payload == first.payload
    # one connection, so each CALL has an id of its own (OCPP-J §4.1.4), and one can see that they belong together
    ids = [frame.unique_id for frame in (first, second, session.start)]
    assert len(set(ids)) == 3
    assert all(unique_id.startswith(ids[0]) for unique_id in ids)
    assert (await finish(csms, box, session))["reason"] == "Local"


async def test_after_the_last_attempt_the_others_have_their_turn(csms, station):
    """§9.1.31; the errata give a transaction without an id the number -1."""
    csms.answer("StartTransaction", GenericError("never"))
    settings = {**CALM, "TransactionMessageAttempts": "2", "TransactionMessageRetryInterval": "10"}
    box = await station(settings=settings)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    await csms.expect("StartTransaction")
    await logged(box, "again in 10 s")
    await leap(csms, box, 11)
    await csms.expect("StartTransaction")
    await logged(box, "ERROR outbox: StartTransaction .* given up")
    await connector_is(box, contactor=True)
    assert await swipe(box) == "stopped"
    stop = await stopped(csms)
    assert (stop["transactionId"], stop["reason"]) == (-1, "Local")
    await told(csms, box)
    csms.answer("StartTransaction")
    await box.unplug()
    await csms.status(1, "Available")
    await begin(csms, box)


async def test_a_reading_that_the_backend_refuses_is_given_up(csms, station):
    csms.answer("MeterValues", GenericError("never"))
    settings = {**CALM, "TransactionMessageAttempts": "1", "MeterValueSampleInterval": "60"}
    box = await station(settings=settings)
    await online(csms, box)
    session = await begin(csms, box)
    await leap(csms, box, 60)
    await csms.expect("MeterValues")
    await logged(box, "MeterValues .* given up")
    await finish(csms, box, session)
    assert len(csms.transcript.calls("MeterValues")) == 1


async def test_a_message_without_an_answer_is_sent_again(csms, station):
    """A backend that is there, for it speaks, and still does not answer this one."""
    csms.answer("StartTransaction", SILENCE, None)
    settings = {**CALM, "MessageTimeout": "50", "TransactionMessageRetryInterval": "10"}
    box = await station(settings=settings)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    first = await csms.expect("StartTransaction")
    await configuration(csms, "JournalDepth")
    await box.advance(51)
    await logged(box, "no answer within 50 s; again in 10 s")
    await box.advance(11)
    session = await started(csms)
    assert session.start.payload == first.payload
    assert session.start.connection == first.connection
    await csms.status(1, "Charging")


async def test_an_answer_that_is_of_no_use_counts_as_none(csms, station):
    """A StartTransaction.conf without a transaction id is asked for again."""
    csms.answer("StartTransaction", Unchecked({"idTagInfo": {"status": "Accepted"}}), None)
    settings = {**CALM, "TransactionMessageRetryInterval": "10"}
    box = await station(settings=settings)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    await csms.expect("StartTransaction")
    await logged(box, "again in 10 s")
    await leap(csms, box, 11)
    session = await started(csms)
    assert session.transaction_id == 1
    await csms.status(1, "Charging")
    await finish(csms, box, session)


async def test_a_lost_connection_is_no_attempt(csms, station):
    csms.answer("StartTransaction", SILENCE, SILENCE, SILENCE, None)
    settings = {**CALM, "TransactionMessageAttempts": "1", "RetryBackOffRepeatTimes": "0"}
    box = await station(settings=settings)
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    ids = set()
    for _ in range(3):
        ids.add((await csms.expect("StartTransaction")).unique_id)
        await csms.cut()
        await until(box, lambda state: not state["connected"])
        await pass_until(box, lambda state: state["connected"], 1)
    session = await started(csms)
    assert ids == {session.start.unique_id}
    assert session.transaction_id == 1
    await connector_is(box, status="Charging")


async def test_meanwhile_the_backends_requests_are_served(csms, station):
    csms.answer("StartTransaction", InternalError("later"))
    box = await station(settings={**CALM, "TransactionMessageRetryInterval": "1000"})
    await online(csms, box)
    await box.plug()
    assert await swipe(box) == "granted"
    await logged(box, "again in 1000 s")
    assert await configuration(csms, "TransactionMessageRetryInterval") == "1000"
    assert int(await configuration(csms, "JournalDepth")) == 1
    oldest = moment(await configuration(csms, "JournalOldest"))
    assert abs((moment(csms.now()) - oldest).total_seconds()) <= 30
    # statuses do not wait for transactions
    await csms.status(1, "Charging")
    await box.unplug()
    await csms.status(1, "Available")
