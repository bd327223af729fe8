"""New applications in the station's slots: those that prove themselves stay, else the former one comes back."""

import functools

import pytest
from applications import OTHER_KEY, WRONG, offer, package, stage
from sessions import CALM, begin, configuration, connector_is, finish, leap, logged, online, told, until

STARTS_S = 40  # three starts on a busy machine


@pytest.fixture
def make_package(tmp_path):
    """`make_package(version, *changes, …)`: the path of a signed package, see applications.py."""
    return functools.partial(package, tmp_path)


async def roll_back(csms):
    return await csms.call("DataTransfer", vendorId="ladepunkt", messageId="RollBackApplication")


async def slot(csms, key="ApplicationSlot"):
    return await configuration(csms, key)


async def gave_way(csms, box, reason):
    """The factory's application is back, and says why."""
    await logged(box, "slot_a did not stay", within=STARTS_S)
    await until(box, lambda state: state["online"])
    assert (await slot(csms), await slot(csms, "ApplicationFallback")) == ("factory", reason)


async def test_a_new_application_proves_itself_and_stays(csms, station, make_package):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await slot(csms) == "factory"
    await stage(box, make_package("2.0.0"))
    await box.start()
    await csms.expect("BootNotification", firmwareVersion="2.0.0")
    await online(csms, box)
    await logged(box, "slot_a is confirmed, version 2.0.0")
    assert await slot(csms) == "slot_a"
    session = await begin(csms, box)  # and it charges
    await finish(csms, box, session)
    await box.kill()
    await box.start()
    await csms.expect("BootNotification", firmwareVersion="2.0.0")
    await online(csms, box)
    assert await slot(csms) == "slot_a"
    # the next goes into the other slot, and a person may go back to the one before
    await stage(box, make_package("3.0.0"))
    await box.start()
    await online(csms, box)
    await logged(box, "slot_b is confirmed, version 3.0.0")
    assert await roll_back(csms) == {"status": "Accepted", "data": "slot_a"}
    await csms.expect("BootNotification", firmwareVersion="2.0.0")
    await online(csms, box)
    assert await slot(csms, "ApplicationFallback") == "slot_b: rolled back by hand"


async def test_no_connector_is_in_service_on_trial(csms, station, make_package):
    box = await station(settings=CALM)
    await online(csms, box)
    csms.refuse(503)  # the old one was connected, so the new one waits for that
    await stage(box, make_package("2.0.0"))
    await box.start()
    await connector_is(box, status="Unavailable")
    await box.plug()
    await box.swipe("CARD-1")
    await logged(box, "CARD-1")
    await connector_is(box, status="Unavailable")
    csms.refuse(None)
    await leap(csms, box, 60)  # past its back-off
    await logged(box, "slot_a is confirmed", since=0)
    await connector_is(box, status="Preparing")


async def test_without_a_network_before_none_is_asked_for(csms, station, make_package):
    csms.refuse(503)
    box = await station(settings=CALM)
    await stage(box, make_package("2.0.0"), was_online=False)
    await box.start()
    await logged(box, "slot_a is confirmed, version 2.0.0")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("crash", "slot_a: it crashed: ImportError: no module named 'a_module_that_is_missing'"),
        ("broken build", "slot_a: it crashed: RuntimeError: built wrongly"),
        ("hang", "slot_a: the watchdog reset it"),
    ],
)
async def test_one_that_fails_gives_way_by_itself(csms, station, make_package, wrong, reason):
    box = await station(settings=CALM)
    await online(csms, box)
    await stage(box, make_package("2.0.0", WRONG[wrong]))
    await box.start()
    await gave_way(csms, box, reason)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("deaf", "slot_a: it was not healthy in time: no backend, there was one"),
        ("dying", "slot_a: it was not healthy in time: task cache died"),
    ],
)
async def test_one_that_is_not_healthy_in_time_gives_way(csms, station, make_package, wrong, reason):
    box = await station(settings=CALM)
    await online(csms, box)
    await stage(box, make_package("2.0.0", WRONG[wrong]))
    await box.start()
    await logged(box, "is on trial")
    if wrong == "dying":
        await logged(box, "task cache died")
    await leap(csms, box, 301)
    await gave_way(csms, box, reason)


async def test_the_power_goes_again_and_again_on_trial(csms, station, make_package):
    """A cut is no fault of the application: it has more than one start. But not for ever."""
    box = await station(settings=CALM)
    await online(csms, box)
    csms.refuse(503)
    await stage(box, make_package("2.0.0"))
    for _ in range(3):
        await box.start()
        await connector_is(box, status="Unavailable")
        await box.kill()
    csms.refuse(None)
    await box.start()
    await online(csms, box)
    assert await slot(csms, "ApplicationFallback") == "slot_a: it never reported healthy"


async def test_an_image_that_the_flash_lost_is_not_run(csms, station, make_package):
    box = await station(settings=CALM)
    await online(csms, box)
    await stage(box, make_package("2.0.0"))
    flash = bytearray((box.state_dir / "flash.bin").read_bytes())
    flash[2592 * 4096 + 100_000] ^= 0x10
    (box.state_dir / "flash.bin").write_bytes(flash)
    await box.start()
    await online(csms, box)
    assert await slot(csms, "ApplicationFallback") == "slot_a: its image is not what was written"


async def test_a_rollback_waits_for_nobody_and_ends_no_transaction(csms, station, make_package):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await roll_back(csms) == {"status": "Rejected", "data": "there is no former application"}
    session = await begin(csms, box)
    assert await roll_back(csms) == {"status": "Rejected", "data": "a transaction runs"}
    await finish(csms, box, session)
    await told(csms, box)


REFUSED = {
    "wrong key": ({"key": OTHER_KEY}, "Signature"),
    "unknown component": ({"name": "toaster"}, "Component"),
    "other class": ({"kind": "another board"}, "Class"),
    "older": ({"sequence": 0}, "Sequence"),
}


async def keeps_what_it_has(csms, box):
    """After a refusal: the confirmed application runs, and the former one is still there."""
    await box.start()
    await online(csms, box)
    assert (await slot(csms), await slot(csms, "ApplicationFallback")) == ("slot_b", "")
    assert await roll_back(csms) == {"status": "Accepted", "data": "slot_a"}
    await csms.expect("BootNotification", firmwareVersion="2.0.0")


async def with_two(csms, station, make_package):
    """A station with a confirmed application in each slot."""
    box = await station(settings=CALM)
    for version, name in (("2.0.0", "slot_a"), ("3.0.0", "slot_b")):
        await stage(box, make_package(version), was_online=False)
        await box.start()
        await logged(box, f"{name} is confirmed")
    return box


async def test_a_refused_package_changes_nothing(csms, station, make_package):
    """What can be judged before the payload leaves even the slot that it would have gone to."""
    box = await with_two(csms, station, make_package)
    for number, (options, reason) in enumerate(REFUSED.values()):
        answer = await offer(box, make_package(f"4.0.{number}", **options))
        assert answer["refused"] == reason, answer
    page = box.state_dir / "page.html"
    page.write_text("<!DOCTYPE html><title>Not found</title>")
    assert (await offer(box, page))["refused"] == "Format"
    whole = make_package("5.0.0").read_bytes()
    signed = box.state_dir / "changed.suit"
    signed.write_bytes(whole[:200] + bytes((whole[200] ^ 1,)) + whole[201:])
    assert (await offer(box, signed))["refused"] in ("Digest", "Signature", "Format")
    await keeps_what_it_has(csms, box)


@pytest.mark.parametrize("how", ["changed", "cut short", "too long"])
async def test_a_payload_that_is_not_what_was_signed_is_never_run(csms, station, make_package, how):
    box = await station(settings=CALM)
    path = make_package("2.0.0")
    data = path.read_bytes()
    middle = len(data) // 2
    data = {
        "changed": data[:middle] + bytes((data[middle] ^ 4,)) + data[middle + 1 :],
        "cut short": data[:-1],
        "too long": data + b"\0",
    }[how]
    path.write_bytes(data)
    answer = await offer(box, path)
    assert answer["refused"] == {"changed": "Digest", "cut short": "Truncated", "too long": "Trailing"}[how]
    await box.start()
    await online(csms, box)
    assert (await slot(csms), await slot(csms, "ApplicationFallback")) == ("factory", "")
