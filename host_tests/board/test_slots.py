"""New applications in the emulated board's slots: their bytecode runs in place, in the processor's address space."""

import pytest
from applications import WRONG, package, stage
from sessions import begin, configuration, finish, logged, online

from tools import provisioning

BOARD = "qemu_mps2"
FACTORY = provisioning.BASE["identity"]["firmware_version"]
CALM = {"WebSocketPingInterval": "0", "MeterValueSampleInterval": "0"}
STARTS_S = 60


async def test_a_new_application_proves_itself_and_stays(csms, station, tmp_path):
    box = await station(csms, settings=CALM)
    await online(csms, box)
    await stage(box, package(tmp_path, "2.0.0", board=BOARD), board=BOARD)
    await box.start()
    await csms.expect("BootNotification", firmwareVersion="2.0.0")
    await online(csms, box)
    await logged(box, "slot_a is confirmed, version 2.0.0", within=STARTS_S)
    await finish(csms, box, await begin(csms, box))
    await box.kill()
    await box.start()
    await csms.expect("BootNotification", firmwareVersion="2.0.0")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("crash", "slot_a: it crashed: ImportError: no module named 'a_module_that_is_missing'"),
        ("hang", "slot_a: the watchdog reset it"),
        ("hang at import", "slot_a: the watchdog reset it"),
    ],
)
async def test_one_that_fails_gives_way_by_itself(csms, station, tmp_path, wrong, reason):
    box = await station(csms, settings=CALM)
    await online(csms, box)
    await stage(box, package(tmp_path, "2.0.0", WRONG[wrong], board=BOARD), board=BOARD)
    await box.start()
    await logged(box, "slot_a did not stay", within=STARTS_S)
    # asked over OCPP: a reset by the watchdog does not bring the control port back
    await csms.expect("BootNotification", firmwareVersion=FACTORY)
    await csms.status(1, "Available")
    told = [await configuration(csms, key) for key in ("ApplicationSlot", "ApplicationFallback")]
    assert told == ["factory", reason]
