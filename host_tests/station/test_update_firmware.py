"""UpdateFirmware (OCPP 1.6 §5.19): a package from a web server becomes the application, or nothing changes."""

import asyncio

import pytest
from applications import KEY, OTHER_KEY, WRONG, package
from offers import UPDATE, statuses, update
from sessions import (
    CALM,
    begin,
    configuration,
    connector_is,
    finish,
    leap,
    logged,
    online,
    quiet,
    told,
    until,
)


async def prepared(csms, station, **more):
    box = await station(settings={**CALM, **more.pop("settings", {})}, update=UPDATE, **more)
    await online(csms, box)
    return box


async def test_an_update_from_wish_to_outcome(csms, station, server, tmp_path):
    box = await prepared(csms, station)
    server.files["/p.suit"] = package(tmp_path, "2.0.0", sequence=7)
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    await until(box, lambda state: state["online"])
    assert await configuration(csms, "ApplicationVersion") == "2.0.0"
    await connector_is(box, status="Available")
    await finish(csms, box, await begin(csms, box))
    # and no older one afterwards
    server.files["/old.suit"] = package(tmp_path, "1.0.0", sequence=6)
    await update(csms, server.url + "old.suit")
    await statuses(csms, "Downloading", "InstallationFailed")
    await logged(box, "refused: Sequence")


async def test_a_running_transaction_is_waited_for(csms, station, server, tmp_path):
    box = await prepared(csms, station, connectors={"count": 2})
    server.files["/p.suit"] = package(tmp_path, "2.0.0")
    session = await begin(csms, box)
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded")
    await connector_is(box, 2, status="Unavailable")
    await connector_is(box, 1, status="Charging")
    stop = await finish_unavailable(csms, box, session)
    assert stop["reason"] == "Local"
    await statuses(csms, "Installing", "Installed")
    await until(box, lambda state: all(row["status"] == "Available" for row in state["connectors"]))


async def finish_unavailable(csms, box, session):
    """Ends a session on a connector that goes out of service with it."""
    await box.swipe(session.start.payload["idTag"])
    stop = await csms.expect("StopTransaction", transactionId=session.transaction_id)
    await box.unplug(session.connector)
    return stop.payload


async def test_it_does_not_wait_for_ever(csms, station, server, tmp_path):
    box = await prepared(csms, station, connectors={"count": 2}, settings={"FirmwareInstallWait": "2"})
    server.files["/p.suit"] = package(tmp_path, "2.0.0")
    session = await begin(csms, box)
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "InstallationFailed")
    await connector_is(box, 2, status="Available")
    await finish(csms, box, session)
    await told(csms, box)
    assert await configuration(csms, "ApplicationSlot") == "factory"


async def test_one_that_fails_its_trial_is_told_after_the_way_back(csms, station, server, tmp_path):
    box = await prepared(csms, station)
    server.files["/p.suit"] = package(tmp_path, "2.0.0", WRONG["crash"])
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert (await configuration(csms, "ApplicationFallback")).startswith("slot_a: it crashed: ImportError")
    await connector_is(box, status="Available")


async def test_it_is_tried_again_as_often_as_asked(csms, station, server, tmp_path):
    box = await prepared(csms, station)
    server.files["/p.suit"] = package(tmp_path, "2.0.0")
    server.broken = 2
    await update(csms, server.url + "p.suit", retries=2, retryInterval=1)
    await statuses(csms, "Downloading", "Downloading", "Downloading", "Downloaded", "Installing", "Installed")
    await until(box, lambda state: state["online"])
    server.broken = 2
    await update(csms, server.url + "p.suit", retries=1, retryInterval=1)
    await statuses(csms, "Downloading", "Downloading", "DownloadFailed")


@pytest.mark.parametrize("location", ["{}nothing.suit", "gopher://example.com/p.suit"])
async def test_what_cannot_be_had_is_not_asked_for_again(csms, station, server, location):
    await prepared(csms, station)
    await update(csms, location.format(server.url), retries=5, retryInterval=1)
    await statuses(csms, "Downloading", "DownloadFailed")


async def test_the_retrieve_date_is_waited_for(csms, station, server, tmp_path):
    box = await prepared(csms, station)
    server.files["/p.suit"] = package(tmp_path, "2.0.0")
    await update(csms, server.url + "p.suit", seconds=3600)
    await quiet(csms, box)
    assert server.asked == 0
    await leap(csms, box, 3601)
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")


async def test_a_later_wish_replaces_one_that_is_being_downloaded(csms, station, server, tmp_path):
    await prepared(csms, station)
    server.files["/p.suit"] = package(tmp_path, "2.0.0")
    server.hold.clear()
    await update(csms, server.url + "old.suit")
    await statuses(csms, "Downloading")
    while not server.asked:
        await asyncio.sleep(0.01)
    await update(csms, server.url + "p.suit")
    server.hold.set()
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")


async def test_a_power_cut_does_not_lose_the_wish(csms, station, server, tmp_path):
    box = await prepared(csms, station)
    server.files["/p.suit"] = package(tmp_path, "2.0.0")
    server.hold.clear()
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading")
    await box.kill()
    server.hold.set()
    await box.start()
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")


@pytest.mark.parametrize("what", ["wrong key", "page", "cut short"])
async def test_what_is_no_package_of_ours_changes_nothing(csms, station, server, tmp_path, what):
    box = await prepared(csms, station)
    path = package(tmp_path, "2.0.0", key=OTHER_KEY if what == "wrong key" else KEY)
    if what == "page":
        path.write_text("<html>not a package</html>")
    elif what == "cut short":
        path.write_bytes(path.read_bytes()[:-100])
    server.files["/p.suit"] = path
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "InstallationFailed")
    reason = {"wrong key": "Signature", "page": "Format", "cut short": "Truncated"}[what]
    await logged(box, f"refused: {reason}")
    assert await configuration(csms, "ApplicationSlot") == "factory"
    await connector_is(box, status="Available")


async def test_a_station_that_trusts_no_key_takes_none(csms, station, server, tmp_path):
    box = await station(settings=CALM)
    await online(csms, box)
    await update(csms, server.url + "p.suit")
    await statuses(csms, "InstallationFailed")
    await logged(box, "no update.keys in the provisioning")


NEW_ACTION = (
    "station/ocpp/profiles/data_transfer.py",
    'return {"DataTransfer": self.serve}',
    'return {"DataTransfer": self.serve, "TriggerMessage": lambda payload: {"status": "Accepted"}}',
)
NEW_SHAPE = (
    "station/ocpp/messages.py",
    '    "UnlockConnector": (',
    '    "TriggerMessage": ("RemoteTrigger", _BACKEND, ("object", 1, ("requestedMessage", _STRING)), _EMPTY),\n'
    '    "UnlockConnector": (',
)
NEW_SETTING = (
    "station/settings.py",
    '    ("LogLevel",',
    '    ("LampColour", _CHOICE, "Red", ("Red", "Blue"), None, _WRITE),\n    ("LogLevel",',
)
NEW_EXTENSION = (
    "station/app.py",
    "        if slots.fallen_back:\n",
    '        self.data_transfer.register("com.example", "Hello", lambda data: ("Accepted", "hello " + data))\n'
    "        if slots.fallen_back:\n",
)


NEW_FORMAT = (
    "station/storage/conversion.py",
    'STEPS: "tuple[Callable[[str, Log], None], ...]" = ()',
    """
def _name_them(root, log):
    kept = atomic.load_json(root + "/availability.json", log)
    if isinstance(kept, list):
        atomic.replace_json(root + "/availability.json", {"inoperative": kept})


STEPS = (_name_them,)""",
)
READS_BOTH = (
    "station/charging/charge_point.py",
    "        if isinstance(stored, list):\n",
    '        if isinstance(stored, dict):\n            stored = stored["inoperative"]\n'
    "        if isinstance(stored, list):\n",
)


async def test_stored_data_is_converted_once_it_is_confirmed_and_the_former_one_starts_on_it(
    csms, station, server, tmp_path
):
    box = await prepared(csms, station, settings={"FirmwareProbation": "10"})
    answer = await csms.call("ChangeAvailability", connectorId=1, type="Inoperative")
    assert answer == {"status": "Accepted"}
    server.files["/deaf.suit"] = package(tmp_path, "1.5.0", NEW_FORMAT, READS_BOTH, WRONG["dying"])
    server.files["/p.suit"] = package(tmp_path, "2.0.0", NEW_FORMAT, READS_BOTH)
    # one that does not stay leaves the files as they were
    await update(csms, server.url + "deaf.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing")
    await csms.expect("BootNotification", firmwareVersion="1.5.0")
    await leap_until_back(csms, box)
    await statuses(csms, "InstallationFailed")
    await connector_is(box, status="Unavailable")
    # one that stays reads them, and converts them at its next start
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    await connector_is(box, status="Unavailable")
    assert not any("converted" in line for line in box.log)
    await box.kill()
    await box.start()
    await logged(box, "the files are converted to version 2")
    await online(csms, box)
    await connector_is(box, status="Unavailable")
    # the former one starts on what it finds
    answer = await csms.call("DataTransfer", vendorId="ladepunkt", messageId="RollBackApplication")
    assert answer == {"status": "Accepted", "data": "factory"}
    await logged(box, "the files have version 2, 1 is known")
    await connector_is(box, status="Available")
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))


async def leap_until_back(csms, box):
    """Lets the time of a trial pass at once."""
    await until(box, lambda state: state["online"])
    await box.advance(11)


async def test_an_update_brings_an_action_a_setting_and_an_extension(csms, station, server, tmp_path):
    """Other functions may be added with updates, to a running station, without reflashing it."""
    box = await prepared(csms, station)

    async def hello():
        return await csms.call("DataTransfer", vendorId="com.example", messageId="Hello", data="world")

    assert await hello() == {"status": "UnknownVendorId"}
    answer = await csms.call("ChangeConfiguration", key="LampColour", value="Blue")
    assert answer == {"status": "NotSupported"}
    changes = (NEW_ACTION, NEW_SHAPE, NEW_SETTING, NEW_EXTENSION)
    server.files["/p.suit"] = package(tmp_path, "2.0.0", *changes)
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    await until(box, lambda state: state["online"])
    assert await hello() == {"status": "Accepted", "data": "hello world"}
    answer = await csms.call("ChangeConfiguration", key="LampColour", value="Blue")
    assert answer == {"status": "Accepted"}
    assert await csms.call("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Accepted"}
