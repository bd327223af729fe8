"""OCPP-J frames at the whole station (OCPP-J 1.6 §4): each CALL gets its answer, with the right error code, in order,
and nothing that a backend may say stops the station. The link alone is tested in test_link.py, frames in ../wire."""

import asyncio
import json

import pytest
from sessions import CALM, begin, finish, logged, online, quiet, until

from tools.frames import CALL, ERROR, STATION
from tools.peer import CallFailed, Unchecked

FORMATION, OCCURENCE = "FormationViolation", "OccurenceConstraintViolation"
TYPE, PROPERTY = "TypeConstraintViolation", "PropertyConstraintViolation"

# What is no CALL although it begins as one, and the id under which it is answered.
MALFORMED = {
    "cut-short": ('[2,"a","Reset",{"type":"So', "a"),
    "no-payload": ('[2,"a","ClearCache"]', "a"),
    "five-elements": ('[2,"a","ClearCache",{},{}]', "a"),
    "payload-list": ('[2,"a","ClearCache",[]]', "a"),
    "payload-null": ('[2,"a","ClearCache",null]', "a"),
    "action-number": ('[2,"a",7,{}]', "a"),
    "not-a-number": ('[2,"a","UnlockConnector",{"connectorId":NaN}]', "a"),
    "trailing-comma": ('[2,"a","ClearCache",{},]', "a"),
    "two-values": ('[2,"a","ClearCache",{}] []', "a"),
    "deeply-nested": ('[2,"a","ClearCache",{"x":' + "[" * 400 + "]" * 400 + "}]", "a"),
    "long-id": ('[2,"' + "i" * 37 + '","ClearCache",{}]', "i" * 37),
    "number-id": ('[2,77,"ClearCache",{}]', "77"),
}
# What cannot be answered: nobody could know what to.
UNREADABLE = (
    "",
    " ",
    "hello",
    "null",
    "{}",
    "[]",
    "[2]",
    '[2,null,"ClearCache",{}]',
    '[5,"a",{}]',
    '["2","a","x",{}]',
    "[[]]",
)

# A request of each action, wrong in one way, and what it earns (OCPP-J 1.6 §4.2.3).
WRONG = (
    ("ChangeAvailability", {"connectorId": 1}, OCCURENCE),
    ("ChangeAvailability", {"connectorId": "1", "type": "Operative"}, TYPE),
    ("ChangeAvailability", {"connectorId": 1, "type": "Sometimes"}, PROPERTY),
    ("ChangeAvailability", {"connectorId": 1.5, "type": "Operative"}, TYPE),
    ("ChangeAvailability", {"connectorId": True, "type": "Operative"}, TYPE),
    ("ChangeConfiguration", {"key": "HeartbeatInterval"}, OCCURENCE),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": 60}, TYPE),
    ("ChangeConfiguration", {"key": "k" * 51, "value": "1"}, PROPERTY),
    ("ClearCache", {"all": True}, FORMATION),
    ("DataTransfer", {"messageId": "m"}, OCCURENCE),
    ("GetConfiguration", {"key": "HeartbeatInterval"}, TYPE),
    ("GetConfiguration", {"key": [1]}, TYPE),
    ("GetConfiguration", {"keys": []}, FORMATION),
    ("RemoteStartTransaction", {"connectorId": 1}, OCCURENCE),
    ("RemoteStartTransaction", {"idTag": "t" * 21}, PROPERTY),
    ("RemoteStartTransaction", {"idTag": "t", "connectorId": 0}, PROPERTY),
    ("RemoteStartTransaction", {"idTag": "t", "chargingProfile": {}}, OCCURENCE),
    ("RemoteStartTransaction", {"idTag": None}, TYPE),
    ("RemoteStopTransaction", {"transactionId": "1"}, TYPE),
    ("RemoteStopTransaction", {}, OCCURENCE),
    ("Reset", {"type": "soft"}, PROPERTY),
    ("Reset", {"type": ["Soft"]}, TYPE),
    ("UnlockConnector", {"connectorId": 0}, PROPERTY),
    ("UnlockConnector", {"connectorId": {}}, TYPE),
)
KNOWN = (
    *("CancelReservation", "ReserveNow", "TriggerMessage"),
    *("ClearChargingProfile", "GetCompositeSchedule", "SetChargingProfile"),
    *("ExtendedTriggerMessage", "GetLog", "SignedUpdateFirmware", "CertificateSigned", "InstallCertificate"),
    *("DeleteCertificate", "GetInstalledCertificateIds"),
    *("Authorize", "BootNotification", "Heartbeat", "MeterValues", "StartTransaction", "StopTransaction"),
)
UNKNOWN = ("", "clearcache", "GetVariables", "ClearCache ", "Ünknown", "x" * 300)


async def works(csms):
    """The station answers as ever, on the connection that it had."""
    assert (await csms.call("ClearCache"))["status"] == "Accepted"
    assert len(csms.connections) == 1


# --- CALLs of the backend


async def test_a_malformed_call_is_answered_under_its_id(csms, station):
    box = await station()
    await online(csms, box)
    wrong = []
    for name, (text, unique_id) in MALFORMED.items():
        count = len(csms.transcript.frames)
        await csms.send_text(text)

        def answered(count=count, unique_id=unique_id):
            frames = list(csms.transcript.frames)[count:]
            return next((f for f in frames if f.sender == STATION and f.unique_id == unique_id), None)

        answer = await csms.transcript.wait_for(answered, what=f"answer to {name}")
        if answer.kind != ERROR or answer.payload["code"] != FORMATION or not answer.payload["description"]:
            wrong.append((name, answer.text))
    assert wrong == []
    await works(csms)


async def test_what_cannot_be_answered_is_logged_and_dropped(csms, station):
    box = await station()
    await online(csms, box)
    count = len(csms.transcript.frames)
    for text in UNREADABLE:
        await csms.send_text(text)
    await works(csms)
    sent = [f for f in list(csms.transcript.frames)[count:] if f.sender == STATION]
    assert [f.action for f in sent] == ["ClearCache"]
    assert sum("dropped" in line or "bad frame" in line for line in box.log) == len(UNREADABLE)


async def test_each_violation_earns_its_code(csms, station):
    box = await station()
    await online(csms, box)
    wrong = []
    for number, (action, payload, code) in enumerate(WRONG):
        await csms.send_text([2, f"w{number}", action, payload])
        answer = await csms.answer_to(f"w{number}")
        if answer.kind != ERROR or answer.payload["code"] != code:
            wrong.append((action, payload, code, answer.text))
    assert wrong == []
    await works(csms)


async def test_the_error_names_the_property(csms, station):
    box = await station()
    await online(csms, box)
    profile = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile"}
    profile |= {"chargingProfileKind": "Relative"}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0}]}
    payload = {"idTag": "t", "chargingProfile": {**profile, "chargingSchedule": schedule}}
    await csms.send_text([2, "deep", "RemoteStartTransaction", payload])
    error = (await csms.answer_to("deep")).payload
    assert error["code"] == OCCURENCE
    assert "chargingProfile.chargingSchedule.chargingSchedulePeriod" in error["description"]
    assert "limit" in error["description"]


async def test_known_actions_that_are_switched_off_are_not_supported(csms, station):
    """Whatever their payload is: it is not looked at."""
    box = await station()
    await online(csms, box)
    for action in KNOWN:
        await csms.send_text([2, f"k{action}", action, {"any": "thing"}])
        assert (await csms.answer_to(f"k{action}")).payload["code"] == "NotSupported", action
    await works(csms)


async def test_unknown_actions_are_not_implemented(csms, station):
    box = await station()
    await online(csms, box)
    for number, action in enumerate(UNKNOWN):
        await csms.send_text([2, f"u{number}", action, {}])
        assert (await csms.answer_to(f"u{number}")).payload["code"] == "NotImplemented", action
    await works(csms)


async def test_a_burst_of_50_is_answered_in_order(csms, station):
    box = await station()
    await online(csms, box)
    actions = ("GetConfiguration", "ClearCache", "NoSuchAction", "SendLocalList", "DataTransfer")
    for number in range(50):
        await csms.send_text([2, f"burst{number}", actions[number % 5], {"vendorId": "v"} if number % 5 == 4 else {}])
    await csms.answer_to("burst49")
    answers = [f.unique_id for f in csms.transcript.frames if f.sender == STATION and "burst" in f.unique_id]
    assert answers == [f"burst{number}" for number in range(50)]
    assert (await box.state())["restarts"] == {}


async def test_a_burst_while_our_own_call_waits(csms, station):
    """OCPP-J §4.1.1: the backend need not answer ours first."""
    go = asyncio.Event()

    async def late(_frame):
        await go.wait()

    csms.answer("Heartbeat", late)
    box = await station(settings=CALM)
    await online(csms, box, heartbeats=True)
    await box.advance(301)
    await csms.expect("Heartbeat")
    for number in range(20):
        await csms.send_text([2, f"b{number}", "ClearCache", {}])
    await csms.answer_to("b19")
    go.set()
    await quiet(csms, box)


async def test_an_id_is_given_back_as_it_came(csms, station):
    box = await station()
    await online(csms, box)
    for unique_id in ("", "ä", "\"'\\/\n", "🚗" * 36, "null", " "):
        await csms.send_text([2, unique_id, "ClearCache", {}])
        assert (await csms.answer_to(unique_id)).payload == {"status": "Accepted"}
    # written in another way, it is the same
    await csms.send_text('[2,"\\u00fc\\ud83d\\ude97","ClearCache",{}]')
    assert (await csms.answer_to("ü🚗")).payload == {"status": "Accepted"}


# --- answers of the backend


async def test_answers_to_nothing_do_not_disturb_the_call_in_flight(csms, station):
    async def with_others_first(frame):
        for text in ([3, "foreign", {}], [4, "foreign", "GenericError", "", {}], [3, frame.unique_id + "x", {}]):
            await csms.send_text(text)
        await csms.send_text('[3,"half')
        await csms.send_text([3])
        await csms.send_text([3, 7, {"idTagInfo": {"status": "Blocked"}}])

    csms.answer("Authorize", with_others_first)
    box = await station(settings=CALM)
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    await logged(box, "dropped an answer to nothing that was asked, id 'foreign'")
    await works(csms)


async def test_an_answer_that_comes_twice_counts_once(csms, station):
    async def twice(frame):
        await csms.send_text([3, frame.unique_id, {"idTagInfo": {"status": "Accepted"}}])
        await csms.send_text([3, frame.unique_id, {"idTagInfo": {"status": "Blocked"}}])
        return Unchecked({"idTagInfo": {"status": "Invalid"}})

    csms.answer("Authorize", twice)
    box = await station(settings=CALM)
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    await works(csms)


# --- sizes


async def test_a_message_of_the_largest_size_is_served_and_a_larger_one_refused(csms, station):
    box = await station(settings={"WebSocketMaxMessageSize": "20000"})
    await online(csms, box)
    frame = [2, "full", "DataTransfer", {"vendorId": "v", "data": ""}]
    room = 20000 - len(json.dumps(frame, separators=(",", ":")))
    frame[3]["data"] = "x" * room
    await csms.send_text(frame)
    assert (await csms.answer_to("full")).payload == {"status": "UnknownVendorId"}
    frame[3]["data"] += "x"
    await csms.send_text(frame)
    connection = await csms.disconnected()
    assert connection.code == 1009
    await csms.connected(number=2)
    await until(box, lambda state: state["online"])
    assert (await box.state())["restarts"] == {}


async def test_megabytes_do_not_fill_the_heap(csms, station):
    box = await station()
    await online(csms, box)
    await csms.send_text([2, "huge", "DataTransfer", {"vendorId": "v", "data": "x" * 8_000_000}])
    connection = await csms.disconnected()
    assert connection.code == 1009
    await csms.connected(number=2)
    await until(box, lambda state: state["online"])
    assert (await box.state())["restarts"] == {}


async def test_large_messages_while_two_sessions_need_the_heap(csms, station):
    """In the heap of 1 MiB: one after the other is answered; where memory does not suffice, that is said."""
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1, "CARD-1")
    await begin(csms, box, 2, "CARD-2")
    for number in range(5):
        await csms.send_text([2, f"m{number}", "DataTransfer", {"vendorId": "v", "data": "x" * 20000}])
    for number in range(5):
        assert (await csms.answer_to(f"m{number}")).payload.get("status") == "UnknownVendorId"
    many = [2, "many", "GetConfiguration", {"key": [f"key{number}" for number in range(50)]}]
    await csms.send_text(many)
    assert len((await csms.answer_to("many")).payload["unknownKey"]) == 50
    # all at once, as large as WebSocketMaxMessageSize allows: answered, turned away, or the connection closed
    for number in range(5):
        await csms.send_text([2, f"l{number}", "DataTransfer", {"vendorId": "v", "data": "x" * 65000}])

    def outcome():
        frames = [f for f in csms.transcript.frames if f.sender == STATION]
        answered = {f.unique_id for f in frames if f.kind != CALL} >= {f"l{number}" for number in range(5)}
        return True if answered or csms.connections[0].code == 1009 else None

    await csms.transcript.wait_for(outcome, what="outcome of too large messages")
    await csms.connected()
    state = await until(box, lambda state: state["online"])
    assert state["restarts"] == {}
    assert [row["status"] for row in state["connectors"]] == ["Charging", "Charging"]
    assert (await csms.call("ClearCache"))["status"] == "Accepted"


async def test_a_binary_message_is_refused(csms, station):
    box = await station()
    await online(csms, box)
    await csms.send_text(b'[2,"a","ClearCache",{}]')
    connection = await csms.disconnected()
    assert connection.code == 1003
    await csms.connected(number=2)
    await until(box, lambda state: state["online"])


async def test_the_library_sees_the_same_errors(csms, station):
    """The code and the description come through the `ocpp` library."""
    box = await station()
    await online(csms, box)
    with pytest.raises(CallFailed, match="NotSupported") as failure:
        await csms.call("TriggerMessage", requestedMessage="Heartbeat")
    assert "TriggerMessage" in failure.value.description
