"""Local Auth List Management (OCPP 1.6 §5.10, §5.15, §9.2) as the backend sees it, and who may charge by the list."""

import asyncio
import contextlib
import datetime

import pytest
from sessions import (
    CALM,
    CARD,
    back,
    begin,
    configuration,
    configure,
    connector_is,
    finish,
    leap,
    offline,
    online,
    quiet,
    started,
    stopped,
    swipe,
    told,
    until,
)

from tools.frames import ERROR

MANY = 10_000
UPDATE_BYTES = 8_000  # of heap that an update surely takes while it is open
LISTED = {**CALM, "LocalPreAuthorize": "true"}


class Gone(Exception):
    """Whom a message was for is not there any more."""


def entry(id_tag, status="Accepted", **info):
    return {"idTag": id_tag, "idTagInfo": {"status": status, **info}}


def gone(id_tag):
    return {"idTag": id_tag}


def cards(count, **info):
    return [entry(f"CARD-{number:05}", **info) for number in range(count)]


async def send(csms, version, *entries, kind="Differential"):
    """The UpdateStatus of a SendLocalList, checked by the library on its way out and back."""
    answer = await csms.call(
        "SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=list(entries)
    )
    return answer["status"]


async def full(csms, version, *entries):
    return await send(csms, version, *entries, kind="Full")


async def version(csms):
    return (await csms.call("GetLocalListVersion"))["listVersion"]


def text_of(version, entries, unique_id="list"):
    """A Full list as text, in the compact form of many backends."""
    items = ",".join(
        f'{{"idTag":"{item["idTag"]}","idTagInfo":{{"status":"{item["idTagInfo"]["status"]}"}}}}' for item in entries
    )
    payload = f'{{"listVersion":{version},"updateType":"Full","localAuthorizationList":[{items}]}}'
    return f'[2,"{unique_id}","SendLocalList",{payload}]'


@contextlib.asynccontextmanager
async def half_sent(csms, box, text):
    """Inside, the first half of a message has been sent and taken in; then the rest follows, unless Gone is raised."""
    rest = asyncio.Event()

    async def fragments():
        yield text[: len(text) // 2]
        await rest.wait()
        yield text[len(text) // 2 :]

    before = (await box.state())["heap_bytes"]
    sending = asyncio.create_task(csms.connection.socket.send(fragments()))
    try:
        await until(box, lambda state: state["heap_bytes"] > before + UPDATE_BYTES)
        yield
        rest.set()
        await sending
    except Gone:
        sending.cancel()
        await asyncio.wait((sending,))


def answered(csms, unique_id="list"):
    return any(frame.unique_id == unique_id for frame in csms.transcript.frames)


async def knows(csms, box, *tokens):
    """What the station says of cards when it cannot ask; the grant of a good one is taken back."""
    await offline(csms, box)
    words = []
    for token in tokens:
        words.append(await swipe(box, token))
        if words[-1] == "granted":
            assert await swipe(box, token) == "withdrawn"
            await connector_is(box, status="Available")
    await back(csms, box)
    return words


# --- versions and statuses


async def test_versions(csms, station):
    """§5.10, §5.15"""
    box = await station(settings=CALM)
    await online(csms, box)
    assert await version(csms) == 0
    assert await send(csms, 0, entry("A")) == "VersionMismatch"
    assert await full(csms, 0, entry("A")) == "Failed"
    assert await full(csms, -1, entry("A")) == "Failed"
    assert await send(csms, 3, entry("A")) == "Accepted"
    for number in (3, 2, -1):
        assert await send(csms, number, entry("B")) == "VersionMismatch"
    assert await version(csms) == 3
    assert await full(csms, 2, entry("C")) == "Accepted"
    assert await version(csms) == 2
    assert await knows(csms, box, "A", "B", "C") == ["Invalid", "Invalid", "granted"]


async def test_switched_off(csms, station):
    """§5.10: -1; §7.46 NotSupported; and the list that was there has no say until it is switched on again."""
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 5, entry(CARD))
    await configure(csms, LocalAuthListEnabled="false")
    assert await version(csms) == -1
    assert await send(csms, 6, entry("B")) == "NotSupported"
    assert await full(csms, 6, entry("B")) == "NotSupported"
    assert await knows(csms, box, CARD) == ["Invalid"]
    await configure(csms, LocalAuthListEnabled="true")
    assert await version(csms) == 5
    assert await knows(csms, box, CARD, "B") == ["granted", "Invalid"]


async def test_a_full_list_replaces_and_an_empty_one_clears(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await full(csms, 1, entry("A"), entry("B")) == "Accepted"
    assert await full(csms, 2, entry("B"), entry("C")) == "Accepted"
    assert await knows(csms, box, "A", "B", "C") == ["Invalid", "granted", "granted"]
    assert await full(csms, 3) == "Accepted"
    assert await version(csms) == 3
    assert await knows(csms, box, "B", "C") == ["Invalid", "Invalid"]
    answer = await csms.call("SendLocalList", listVersion=4, updateType="Full")  # without the list at all
    assert answer == {"status": "Accepted"}
    assert await version(csms) == 4


async def test_a_full_list_with_a_removal_fails(csms, station):
    """§7.3: without idTagInfo in a Differential only."""
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 1, entry("A"))
    assert await full(csms, 2, entry("B"), gone("A")) == "Failed"
    assert await version(csms) == 1
    assert await knows(csms, box, "A", "B") == ["granted", "Invalid"]


async def test_removals_in_any_order_and_number(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 1, *(entry(f"CARD{number}") for number in range(8)))
    removed = [gone(f"CARD{number}") for number in (6, 1, 2, 1, 0)]
    assert await send(csms, 2, *removed, gone("STRANGER")) == "Accepted"
    words = await knows(csms, box, *(f"CARD{number}" for number in range(8)))
    assert words == ["Invalid", "Invalid", "Invalid", "granted", "granted", "granted", "Invalid", "granted"]


async def test_the_last_word_on_a_card_counts(csms, station):
    """Tags that differ in case only are one card."""
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 1, entry("A"), entry("a", "Blocked"), entry("B", "Blocked"), entry("b"), entry("C"))
    assert await send(csms, 2, gone("C"), entry("c"), entry("D"), gone("d")) == "Accepted"
    assert await knows(csms, box, "A", "B", "C", "D") == ["Blocked", "granted", "granted", "Invalid"]


# --- limits


async def test_the_limits_are_kept_over_a_restart(csms, station):
    """§9.2.2, §9.2.3"""
    box = await station(settings={**CALM, "SendLocalListMaxLength": "5"})
    await online(csms, box)
    most = int(await configuration(csms, "LocalAuthListMaxLength"))
    for start in range(2):
        assert await configuration(csms, "SendLocalListMaxLength") == "5"
        assert int(await configuration(csms, "LocalAuthListMaxLength")) == most
        held = 10 * start + 5
        assert await send(csms, held, *cards(5)) == "Accepted"
        assert await send(csms, held + 1, *cards(6)) == "Failed"
        assert await full(csms, held + 1, *cards(5), entry("CARD-00000")) == "Failed"
        assert await version(csms) == held
        assert await knows(csms, box, "CARD-00004", "CARD-00005") == ["granted", "Invalid"]
        await box.kill()
        await box.start()
        await online(csms, box)


async def test_as_many_may_be_sent_as_is_told_and_the_list_has_room_for_them(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert int(await configuration(csms, "SendLocalListMaxLength")) == 100_000
    assert int(await configuration(csms, "LocalAuthListMaxLength")) >= 100_000
    assert "LocalAuthListManagement" in (await configuration(csms, "SupportedFeatureProfiles")).split(",")
    answer = await csms.call("ChangeConfiguration", key="LocalAuthListMaxLength", value="1")
    assert answer["status"] == "Rejected"


# --- who may charge by the list


async def test_local_pre_authorize_spares_the_question(csms, station):
    """§9.1.13; of a card that the list knows as bad the backend may think better now (§3.5.1)."""
    box = await station(settings=LISTED)
    await online(csms, box)
    await full(csms, 1, entry(CARD), entry("BAD", "Blocked"))
    await finish(csms, box, await begin(csms, box))
    assert not csms.transcript.calls("Authorize")
    await finish(csms, box, await begin(csms, box, token="BAD"), token="BAD")
    assert len(csms.transcript.calls("Authorize", idTag="BAD")) == 1
    await configure(csms, LocalPreAuthorize="false")
    await finish(csms, box, await begin(csms, box))
    assert len(csms.transcript.calls("Authorize", idTag=CARD)) == 1


@pytest.mark.parametrize("allowed", ["true", "false"])
async def test_offline_the_list_decides(csms, station, allowed):
    """§9.1.12 LocalAuthorizeOffline; a card that is known as bad stays refused, whoever else may charge (§3.5.3)."""
    box = await station(settings={**CALM, "LocalAuthorizeOffline": allowed})
    await online(csms, box)
    await full(csms, 1, entry(CARD), entry("BAD", "Blocked"), entry("OLD", "Expired"))
    may = "granted" if allowed == "true" else "Invalid"
    assert await knows(csms, box, CARD, "BAD", "OLD", "STRANGER") == [may, "Blocked", "Expired", "Invalid"]
    await configure(csms, AllowOfflineTxForUnknownId="true")
    assert await knows(csms, box, "BAD", "OLD", "STRANGER") == ["Blocked", "Expired", "granted"]


async def test_a_session_by_the_list_offline(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 1, entry(CARD))
    await offline(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    assert await swipe(box) == "granted"
    await connector_is(box, status="Charging", contactor=True)
    assert await swipe(box) == "stopped"
    await back(csms, box)
    assert (await started(csms)).start.payload["idTag"] == CARD
    assert (await stopped(csms))["reason"] == "Local"


async def test_a_card_expires(csms, station):
    """§7.27 expiryDate"""
    box = await station(settings=CALM)
    await online(csms, box)
    hour = datetime.datetime.fromisoformat(csms.now().replace("Z", "+00:00")) + datetime.timedelta(hours=1)
    soon = hour.astimezone(datetime.timezone(datetime.timedelta(hours=2))).isoformat()
    await full(csms, 1, entry("SOON", expiryDate=soon), entry("NEVER", expiryDate="9999-12-31T23:59:59Z"))
    assert await knows(csms, box, "SOON", "NEVER") == ["granted", "granted"]
    await leap(csms, box, 3700)
    assert await knows(csms, box, "SOON", "NEVER") == ["Expired", "granted"]


@pytest.mark.parametrize("connected", [True, False])
async def test_a_card_of_the_group_ends_a_session(csms, station, connected):
    """§3.6: the list alone knows the group of both."""
    box = await station(settings=LISTED)
    await online(csms, box)
    await full(
        csms,
        1,
        entry(CARD, parentIdTag="Family"),
        entry("SISTER", parentIdTag="FAMILY"),
        entry("STRANGER", parentIdTag="OTHERS"),
    )
    session = await begin(csms, box)
    if not connected:
        await offline(csms, box)
    assert await swipe(box, "STRANGER") != "stopped"
    await connector_is(box, contactor=True)
    assert await swipe(box, "SISTER") == "stopped"
    if not connected:
        await back(csms, box)
    stop = await stopped(csms, session)
    assert (stop["idTag"], stop["reason"]) == ("SISTER", "Local")
    assert not csms.transcript.calls("Authorize")


async def test_the_list_has_precedence_over_the_cache(csms, station):
    """§4.1: whatever the cache has learned, before or after; what it holds against the list is dropped."""
    box = await station(settings=CALM)
    await online(csms, box)
    for token in ("A", "B"):
        assert await swipe(box, token) == "granted"  # asked, and learned
        assert await swipe(box, token) == "withdrawn"
        await connector_is(box, status="Available")
    await quiet(csms, box)
    await full(csms, 1, entry("A", "Blocked"), entry("B"))
    assert await knows(csms, box, "A", "B") == ["Blocked", "granted"]
    assert await swipe(box, "A") == "granted"  # the backend knows better, but the list stays the list
    assert await swipe(box, "A") == "withdrawn"
    assert await knows(csms, box, "A") == ["Blocked"]
    await full(csms, 2)
    assert await knows(csms, box, "A", "B") == ["Invalid", "granted"]


# --- what goes wrong on the way

OPENING = '[2,"x","SendLocalList",{"listVersion":9,"updateType":"Full","localAuthorizationList":['
GOOD = '{"idTag":"NEW","idTagInfo":{"status":"Accepted"}}'
BROKEN = {
    "truncated": (OPENING + GOOD + "," + GOOD, "FormationViolation"),
    "truncated-in-an-item": (OPENING + GOOD + "," + GOOD[:20], "FormationViolation"),
    "no-json": (OPENING + GOOD + ",," + GOOD + "]}]", "FormationViolation"),
    "more-behind": (OPENING + GOOD + "]}] []", "FormationViolation"),
    "long-tag": (OPENING + GOOD + "," + GOOD.replace("NEW", "N" * 21) + "]}]", "PropertyConstraintViolation"),
    "no-status": (OPENING + GOOD + ',{"idTag":"N","idTagInfo":{}}]}]', "OccurenceConstraintViolation"),
    "number": (OPENING + GOOD + ",7]}]", "TypeConstraintViolation"),
    "unknown-name": (OPENING + GOOD + '],"hash":"5"}]', "FormationViolation"),
    "no-update-type": (OPENING.replace('"updateType":"Full",', "") + GOOD + "]}]", "OccurenceConstraintViolation"),
    "update-type": (OPENING.replace("Full", "Half") + GOOD + "]}]", "PropertyConstraintViolation"),
    "list-version": (OPENING.replace("9", '"9"') + GOOD + "]}]", "TypeConstraintViolation"),
    "large-item": (OPENING + GOOD + "," + '{"idTag":"' + "N" * 5000 + '"}]}]', "FormationViolation"),
}


async def test_a_broken_message_earns_its_error_and_leaves_the_list(csms, station):
    """OCPP-J §4.2.3"""
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 5, entry(CARD))
    for number, (name, (text, code)) in enumerate(BROKEN.items()):
        unique_id = f"x{number}"
        await csms.send_text(text.replace('"x"', f'"{unique_id}"', 1))
        answer = await csms.transcript.answer_to(unique_id)
        assert answer.kind == ERROR, name
        assert answer.payload["code"] == code, name
    assert await version(csms) == 5
    assert await knows(csms, box, CARD, "NEW") == ["granted", "Invalid"]
    assert await send(csms, 6, entry("NEW")) == "Accepted"
    assert (await box.state())["restarts"] == {}


async def test_a_connection_lost_in_the_middle_leaves_the_list(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await full(csms, 5, entry(CARD))
    async with half_sent(csms, box, text_of(6, cards(3000))):
        await csms.cut()
        raise Gone
    await csms.connected(number=2)
    await until(box, lambda state: state["online"])
    assert await version(csms) == 5
    assert await knows(csms, box, CARD, "CARD-00001") == ["granted", "Invalid"]
    assert await full(csms, 6, *cards(10)) == "Accepted"
    assert await version(csms) == 6


async def updated(csms, station):
    """A station with a Full list and a Differential, and what it says of cards then."""
    box = await station(settings=CALM)
    await online(csms, box)
    assert await full(csms, 5, *cards(1000)) == "Accepted"
    assert await send(csms, 6, gone("CARD-00007"), entry("CARD-00008", "Blocked")) == "Accepted"
    return box


async def assert_as_updated(csms, box):
    await box.start()
    await online(csms, box)
    assert await version(csms) == 6
    tokens = ("CARD-00000", "CARD-00007", "CARD-00008", "CARD-00999", "NEW")
    assert await knows(csms, box, *tokens) == ["granted", "Invalid", "Blocked", "granted", "Invalid"]


async def test_what_was_accepted_survives_a_power_cut(csms, station):
    box = await updated(csms, station)
    await box.kill()
    await assert_as_updated(csms, box)


async def test_what_was_not_accepted_is_not_there_after_a_power_cut(csms, station):
    box = await updated(csms, station)
    async with half_sent(csms, box, text_of(7, [entry("NEW"), *cards(3000)])):
        await box.kill()
        raise Gone
    await assert_as_updated(csms, box)


async def test_of_two_updates_at_once_one_fails(csms, station):
    """A backend that does not wait for its answer (OCPP-J §4.1.1): the first one is what counts."""
    box = await station(settings=CALM)
    await online(csms, box)
    await csms.send_text(text_of(5, cards(2000), "one"))
    await csms.send_text(text_of(6, cards(1), "two"))
    assert (await csms.transcript.answer_to("one")).payload == {"status": "Accepted"}
    assert (await csms.transcript.answer_to("two")).payload == {"status": "Failed"}
    assert await version(csms) == 5


# --- a station at work


async def test_many_cards_in_one_message_while_a_car_charges(csms, station):
    """In a heap that could not hold the message. The car is pulled off meanwhile, and the contactor opens at once."""
    box = await station(settings=CALM, connectors={"count": 2}, heap="1080K")
    await online(csms, box)
    session = await begin(csms, box)
    text = text_of(1, cards(MANY))
    assert len(text) > 500_000
    csms.transcript.forget()
    sending = asyncio.create_task(csms.connection.socket.send(text))
    await box.unplug()
    await connector_is(box, contactor=False)
    assert not answered(csms)
    await sending
    assert (await csms.transcript.answer_to("list", 30)).payload == {"status": "Accepted"}
    assert (await stopped(csms, session))["reason"] == "EVDisconnected"
    await told(csms, box)
    assert await version(csms) == 1
    first, last = "CARD-00000", f"CARD-{MANY - 1:05}"
    assert await knows(csms, box, first, last, f"CARD-{MANY}") == ["granted", "granted", "Invalid"]
    assert await send(csms, 2, gone(first)) == "Accepted"
    assert await knows(csms, box, first, last) == ["Invalid", "granted"]
    assert (await box.state())["restarts"] == {}


async def test_sessions_go_on_while_a_list_arrives(csms, station):
    """One goes on, one is ended and one begins by the list that is still in force."""
    box = await station(settings=LISTED, connectors={"count": 3})
    await online(csms, box)
    await full(csms, 1, entry("ONE"), entry("TWO"), entry("THREE"))
    one = await begin(csms, box, 1, "ONE")
    two = await begin(csms, box, 2, "TWO")
    async with half_sent(csms, box, text_of(2, cards(2000))):
        assert await swipe(box, "TWO") == "stopped"
        await connector_is(box, 2, contactor=False)
        await box.plug(3)
        await connector_is(box, 3, status="Preparing")
        assert await swipe(box, "THREE") == "granted"
        await connector_is(box, 3, contactor=True, status="Charging")
        await connector_is(box, 1, contactor=True, status="Charging")
        assert not answered(csms)
    assert (await csms.transcript.answer_to("list")).payload == {"status": "Accepted"}
    assert (await stopped(csms, two))["reason"] == "Local"
    three = await started(csms, connectorId=3, idTag="THREE")
    await finish(csms, box, one, "ONE")
    await finish(csms, box, three, "THREE")
