"""BootNotification (OCPP 1.6 §4.2): its three answers or the lack of one, the clock it sets, and Heartbeat (§4.6)."""

import asyncio
import datetime

import pytest
from ocpp.exceptions import GenericError, InternalError
from sessions import (
    CALM,
    back,
    begin,
    configuration,
    connector_is,
    leap,
    logged,
    moment,
    offline,
    online,
    quiet,
    stopped,
    swipe,
    told,
    until,
)

from tools.frames import CSMS
from tools.peer import SILENCE, CallFailed, Unchecked

FREE = {**CALM, "AllowOfflineTxForUnknownId": "true"}  # cards work without a backend


def verdict(csms, status, interval):
    return lambda _frame: {"status": status, "interval": interval, "currentTime": csms.now()}


async def round_trip(csms, box):
    """Whatever the station had to do at once is done, and on the wire."""
    await box.control("ping")
    await csms.call("GetConfiguration", key=["HeartbeatInterval"])


async def boots(csms, count):
    """Waits until BootNotification has been sent so often, and no more."""

    def enough():
        return len(csms.transcript.calls("BootNotification")) >= count or None

    await csms.transcript.wait_for(enough, what=f"BootNotification number {count}")
    assert len(csms.transcript.calls("BootNotification")) == count


def seconds_apart(one, other):
    return abs((moment(one) - moment(other)).total_seconds())


# --- Accepted


async def test_accepted_it_says_who_it_is_then_its_statuses(csms, station):
    box = await station(connectors={"count": 2}, identity={"vendor": "Acme", "serial": "S-77"})
    await until(box, lambda state: state["online"])
    calls = csms.transcript.calls()
    assert calls[0].action == "BootNotification"
    assert calls[0].payload == {
        "chargePointVendor": "Acme",
        "chargePointModel": "Unix",
        "chargePointSerialNumber": "S-77",
        "firmwareVersion": "0.1.0",
    }
    assert [(call.action, call.payload["connectorId"], call.payload["status"]) for call in calls[1:4]] == [
        ("StatusNotification", 0, "Available"),
        ("StatusNotification", 1, "Available"),
        ("StatusNotification", 2, "Available"),
    ]
    assert all(call.payload["errorCode"] == "NoError" for call in calls[1:4])
    assert (await box.state())["registration"] == "Accepted"


async def test_nothing_is_sent_before_the_boot_is_answered(csms, station):
    go = asyncio.Event()

    async def late(frame):
        await go.wait()

    csms.answer("BootNotification", late)
    box = await station(settings=FREE)
    await csms.expect("BootNotification")
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    assert [call.action for call in csms.transcript.calls()] == ["BootNotification"]
    go.set()
    await told(csms, box)
    assert len(csms.transcript.calls("BootNotification")) == 1
    assert len(csms.transcript.calls("StartTransaction")) == 1


async def test_the_interval_becomes_the_heartbeat_interval(csms, station):
    csms.interval = 77
    box = await station()
    await online(csms, box, heartbeats=True)
    assert await configuration(csms, "HeartbeatInterval") == "77"


async def test_an_interval_of_zero_leaves_the_heartbeat_interval_as_it_is(csms, station):
    csms.interval = 0
    box = await station(settings={"HeartbeatInterval": "55"})
    await online(csms, box, heartbeats=True)
    assert await configuration(csms, "HeartbeatInterval") == "55"


async def test_an_interval_beyond_all_reason_is_a_day(csms, station):
    csms.interval = 2_000_000_000
    box = await station(settings={"HeartbeatInterval": "55"})
    await online(csms, box, heartbeats=True)
    assert await configuration(csms, "HeartbeatInterval") == "86400"


async def test_a_reconnection_is_no_boot(csms, station):
    box = await station()
    await online(csms, box)
    await csms.drop()
    await csms.connected(number=2)
    await until(box, lambda state: state["online"])
    await csms.cut()
    await csms.connected(number=3)
    await until(box, lambda state: state["online"])
    assert len(csms.transcript.calls("BootNotification")) == 1


async def test_a_restart_is_a_boot(csms, station):
    box = await station()
    await online(csms, box)
    await box.kill()
    await box.start()
    await csms.expect("BootNotification")
    await until(box, lambda state: state["online"])
    assert len(csms.transcript.calls("BootNotification")) == 2


# --- Pending


async def test_pending_it_answers_the_backend_and_asks_again_after_the_interval(csms, station):
    csms.answer("BootNotification", verdict(csms, "Pending", 600), None)
    box = await station(settings=CALM)
    await until(box, lambda state: state["registration"] == "Pending")
    assert (await csms.call("ChangeConfiguration", key="MeterValueSampleInterval", value="9"))["status"] == "Accepted"
    assert await configuration(csms, "MeterValueSampleInterval") == "9"
    assert (await csms.call("ChangeAvailability", connectorId=1, type="Inoperative"))["status"] == "Accepted"
    assert (await csms.call("ClearCache"))["status"] == "Accepted"
    await leap(csms, box, 590)
    await round_trip(csms, box)
    assert [call.action for call in csms.transcript.calls()] == ["BootNotification"]
    await leap(csms, box, 10)
    await boots(csms, 2)
    # what was changed meanwhile is told now
    await csms.status(1, "Unavailable")
    await until(box, lambda state: state["online"])
    assert await configuration(csms, "MeterValueSampleInterval") == "9"


async def test_pending_it_takes_no_remote_start_or_stop(csms, station):
    csms.answer("BootNotification", verdict(csms, "Pending", 600))
    box = await station(settings=FREE)
    await until(box, lambda state: state["registration"] == "Pending")
    await box.plug()
    await connector_is(box, status="Preparing")
    assert (await csms.call("RemoteStartTransaction", idTag="CARD", connectorId=1))["status"] == "Rejected"
    assert (await csms.call("RemoteStopTransaction", transactionId=1))["status"] == "Rejected"
    assert [call.action for call in csms.transcript.calls()] == ["BootNotification"]


async def test_pending_its_interval_outlives_the_connection(csms, station):
    csms.answer("BootNotification", verdict(csms, "Pending", 600), None)
    box = await station(settings=CALM)
    await until(box, lambda state: state["registration"] == "Pending")
    await csms.cut()
    await csms.connected(number=2)
    await round_trip(csms, box)
    await leap(csms, box, 590)
    await round_trip(csms, box)
    assert len(csms.transcript.calls("BootNotification")) == 1
    await leap(csms, box, 10)
    await boots(csms, 2)


async def test_pending_it_charges_as_if_offline_and_tells_later(csms, station):
    csms.answer("BootNotification", verdict(csms, "Pending", 600), None)
    box = await station(settings=FREE)
    await until(box, lambda state: state["registration"] == "Pending")
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    await round_trip(csms, box)
    assert [call.action for call in csms.transcript.calls()] == ["BootNotification"]
    await leap(csms, box, 600)
    await told(csms, box)
    assert len(csms.transcript.calls("StartTransaction")) == 1


# --- Rejected


async def test_rejected_it_is_silent_for_the_interval(csms, station):
    """§4.2: no message at all, answers included."""
    csms.answer("BootNotification", verdict(csms, "Rejected", 600), None)
    box = await station(settings=FREE)
    await until(box, lambda state: state["registration"] == "Rejected")
    await csms.send_text([2, "q1", "GetConfiguration", {}])
    await csms.send_text([2, "q2", "NoSuchAction", {}])
    await csms.send_text('[2,"q3","GetConfiguration",')
    await logged(box, "not answered")
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    await leap(csms, box, 590)
    await box.control("ping")
    sent = [frame for frame in csms.transcript.frames if frame.sender != CSMS]
    assert [frame.action for frame in sent] == ["BootNotification"]
    await leap(csms, box, 10)
    await boots(csms, 2)
    # accepted at last, it answers and tells
    await told(csms, box)
    assert len(csms.transcript.calls("StartTransaction")) == 1
    assert await configuration(csms, "HeartbeatInterval") == "300"


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_an_interval_of_zero_is_the_stations_choice(csms, station, status):
    """§4.2: it chooses one that does not flood the backend."""
    csms.answer("BootNotification", verdict(csms, status, 0), None)
    box = await station(settings=CALM)
    await until(box, lambda state: state["registration"] == status)
    await leap(csms, box, 9)
    await box.control("ping")
    assert len(csms.transcript.calls("BootNotification")) == 1
    await box.glide(60)
    await boots(csms, 2)


async def test_rejected_for_years_it_waits(csms, station):
    csms.answer("BootNotification", verdict(csms, "Rejected", 2_000_000_000), None)
    box = await station(settings=CALM)
    await until(box, lambda state: state["registration"] == "Rejected")
    await leap(csms, box, 86400 * 30)
    state = await box.state()
    assert state["restarts"] == {}
    assert len(csms.transcript.calls("BootNotification")) == 1


# --- no usable answer


async def test_an_error_is_asked_again(csms, station):
    csms.answer("BootNotification", InternalError("not today"), GenericError("nor now"), None)
    box = await station(settings=CALM)
    await logged(box, "BootNotification: InternalError")
    await box.glide(12)
    await logged(box, "BootNotification: GenericError")
    await box.glide(12)
    await boots(csms, 3)
    await until(box, lambda state: state["online"])


async def test_no_answer_is_asked_again(csms, station):
    csms.answer("BootNotification", SILENCE, None)
    box = await station(settings={**CALM, "MessageTimeout": "1"})
    await csms.expect("BootNotification")
    await csms.expect("BootNotification")
    await until(box, lambda state: state["online"])


async def test_no_answer_from_a_backend_that_talks_is_asked_again_on_the_same_connection(csms, station):
    csms.answer("BootNotification", SILENCE, None)
    box = await station(settings={**CALM, "MessageTimeout": "1"})
    await csms.expect("BootNotification")
    await csms.send_text([2, "hello", "GetConfiguration", {"key": ["HeartbeatInterval"]}])
    await logged(box, "BootNotification: no answer within 1 s")
    await box.advance(11)
    await csms.expect("BootNotification")
    await until(box, lambda state: state["online"])
    assert len(csms.connections) == 1


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"status": "Maybe", "interval": 1, "currentTime": "2026-11-22T11:00:00Z"},
        {"status": "Accepted", "interval": "soon", "currentTime": "2026-11-22T11:00:00Z"},
        {"status": "Accepted", "interval": 1, "currentTime": "tomorrow"},
        {"status": "Accepted", "interval": 1},
    ],
    ids=["empty", "unknown-status", "interval-text", "no-time", "time-missing"],
)
async def test_an_unusable_answer_is_asked_again(csms, station, payload):
    csms.answer("BootNotification", Unchecked(payload), None)
    box = await station(settings=CALM)
    await logged(box, "the answer to BootNotification is of no use")
    assert len(csms.transcript.calls()) == 1
    await box.glide(12)
    await boots(csms, 2)
    await until(box, lambda state: state["online"])


async def test_what_the_answer_has_too_much_does_not_matter(csms, station):
    answer = {"status": "Accepted", "interval": 90, "currentTime": csms.now(), "vendorSpecific": {"a": [1]}}
    csms.answer("BootNotification", Unchecked(answer))
    box = await station()
    await online(csms, box, heartbeats=True)
    assert await configuration(csms, "HeartbeatInterval") == "90"


# --- the clock


async def test_the_clock_is_set_and_kept_by_heartbeats(csms, station):
    csms.shift_clock(-86400 * 365)
    box = await station(settings=CALM)
    await online(csms, box, heartbeats=True)
    assert seconds_apart((await box.state())["clock"], csms.now()) <= 2
    csms.shift_clock(3600)
    await leap_alone(csms, box, 300)
    await csms.expect("Heartbeat")
    await logged(box, r"the clock was \d+ s off")
    assert seconds_apart((await box.state())["clock"], csms.now()) <= 2


async def leap_alone(csms, box, seconds):
    """The station's clock runs on, the backend's does not."""
    await quiet(csms, box)
    await box.control("advance", s=seconds)


async def test_heartbeats_come_in_their_interval(csms, station):
    csms.interval = 300
    box = await station(settings=CALM)
    await online(csms, box, heartbeats=True)
    await leap(csms, box, 290)
    await round_trip(csms, box)
    assert csms.transcript.calls("Heartbeat") == []
    await leap(csms, box, 11)
    assert (await csms.expect("Heartbeat")).payload == {}
    # a new interval counts at once
    assert (await csms.call("ChangeConfiguration", key="HeartbeatInterval", value="20"))["status"] == "Accepted"
    await leap(csms, box, 21)
    await csms.expect("Heartbeat")


async def test_a_refused_heartbeat_changes_nothing(csms, station):
    csms.answer("Heartbeat", InternalError("no"), Unchecked({"currentTime": "never"}), None)
    box = await station(settings={**CALM, "HeartbeatInterval": "60"})
    csms.interval = 0
    await online(csms, box, heartbeats=True)
    for _ in range(3):
        await leap(csms, box, 61)
        await csms.expect("Heartbeat")
    await quiet(csms, box)
    state = await box.state()
    assert state["online"] and state["restarts"] == {}
    assert len(csms.connections) == 1


async def test_a_time_with_an_offset_is_understood(csms, station):
    def answer(_frame):
        east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        now = moment(csms.now()).astimezone(east)
        return {"status": "Accepted", "interval": 300, "currentTime": now.strftime("%Y-%m-%dT%H:%M:%S.123+05:30")}

    csms.answer("BootNotification", answer)
    box = await station()
    await online(csms, box)
    assert seconds_apart((await box.state())["clock"], csms.now()) <= 2


async def test_times_before_the_clock_was_set_are_repaired(csms, station):
    """A whole session while the backend is down at boot: told later, with the times at which it was."""
    csms.refuse(503)
    box = await station(settings=FREE)
    before = csms.now()
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    assert (await box.state())["clock"] is None
    await box.advance(3600)
    assert await swipe(box) == "stopped"
    await connector_is(box, transaction=None)
    await box.advance(1800)
    csms.refuse(None)
    await box.ws(True)
    stop = await stopped(csms)
    start = csms.transcript.calls("StartTransaction")[0].payload
    assert seconds_apart(start["timestamp"], before) <= 5
    assert 3600 <= seconds_apart(start["timestamp"], stop["timestamp"]) <= 3605
    assert 1800 <= seconds_apart(stop["timestamp"], csms.now()) <= 1810
    finishing = csms.transcript.calls("StatusNotification", connectorId=1)[0].payload
    assert seconds_apart(finishing["timestamp"], stop["timestamp"]) <= 2


async def test_times_of_an_earlier_boot_without_clock_are_repaired(csms, station):
    """The power is cut before the time was ever heard: the times stay in order, and before those of this boot."""
    csms.refuse(503)
    box = await station(settings=FREE)
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    await box.advance(600)
    assert await swipe(box) == "stopped"
    await connector_is(box, transaction=None)
    await box.unplug()
    await connector_is(box, status="Available")
    await box.kill()
    await box.start()
    restarted = csms.now()
    await box.plug()
    assert await swipe(box, "SECOND") == "granted"
    await connector_is(box, status="Charging")
    csms.refuse(None)
    await box.ws(True)
    await told(csms, box)
    first, second = [call.payload for call in csms.transcript.calls("StartTransaction")]
    (stop,) = [call.payload for call in csms.transcript.calls("StopTransaction")]
    assert 600 <= seconds_apart(first["timestamp"], stop["timestamp"]) <= 605
    assert moment(stop["timestamp"]) <= moment(second["timestamp"])
    assert seconds_apart(stop["timestamp"], restarted) <= 15
    assert seconds_apart(second["timestamp"], restarted) <= 15


async def test_times_of_an_earlier_boot_are_repaired_by_what_it_learned(csms, station):
    """Begun without clock, the clock set, then a power cut before the backend was told."""
    csms.answer("StartTransaction", SILENCE)
    csms.refuse(503)
    box = await station(settings=FREE)
    await box.plug()
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging")
    begun = csms.now()
    await box.advance(3600)
    csms.refuse(None)
    await box.ws(True)
    await csms.expect("StartTransaction")
    await box.kill()
    csms.shift_clock(86400)
    csms.answer("StartTransaction")
    await box.start()
    start = (await csms.expect("StartTransaction")).payload
    assert seconds_apart(start["timestamp"], begun) <= 5
    assert (await stopped(csms))["reason"] == "PowerLoss"


async def test_a_session_across_an_offline_time_keeps_its_times(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await offline(csms, box)
    await box.advance(7200)
    assert await swipe(box) == "stopped"
    await connector_is(box, transaction=None)
    ended = csms.now()
    await box.advance(7200)
    await back(csms, box)
    stop = await stopped(csms, session)
    assert seconds_apart(stop["timestamp"], ended) <= 5


async def test_while_not_accepted_a_question_gets_no_other_answer_than_its_own(csms, station):
    """Pending: what is wrong is answered as wrong, as at any other time."""
    csms.answer("BootNotification", verdict(csms, "Pending", 600))
    box = await station(settings=CALM)
    await until(box, lambda state: state["registration"] == "Pending")
    with pytest.raises(CallFailed, match="NotSupported"):
        await csms.call("TriggerMessage", requestedMessage="Heartbeat")
