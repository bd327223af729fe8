"""UpdateFirmware of the whole station: router and PLC over HTTPS, the charge controller over Modbus, ourselves.

All components become new, or all stay as they were, whatever one of them does.
"""

import asyncio

import pytest
import pytest_asyncio
from applications import VENDOR, WRONG, package
from offers import UPDATE, statuses, update
from sessions import CALM, begin, configuration, connector_is, finish, logged, online, quiet, until

from tools.components.device import image_of
from tools.components.https import self_signed
from tools.components.plant import CONTROLLER, NAMES, PLC, ROUTER, Plant

OLD, NEW = "1.0.0", "2.0.0"


@pytest_asyncio.fixture
async def plant():
    it = Plant(VENDOR)
    await it.start()
    yield it
    await it.stop()


async def prepared(csms, station, plant, **more):
    settings = {**CALM, "FirmwareProbation": "10"}
    components = more.pop("components", None) or plant.provisioning()
    box = await station(settings=settings, update=UPDATE, components=components, options=plant.options(), **more)
    await online(csms, box)
    return box


def images(*names, size=3000):
    return {name: image_of(NEW, size) for name in names}


async def offer(csms, server, path):
    server.files["/p.suit"] = path
    await update(csms, server.url + "p.suit")


async def told(csms, application=OLD, **others):
    wanted = ",".join([f"application {application}"] + [f"{name} {others.get(name, OLD)}" for name in sorted(NAMES)])
    deadline = asyncio.get_running_loop().time() + 10
    while (found := await configuration(csms, "ComponentVersions")) != wanted:
        assert asyncio.get_running_loop().time() < deadline, f"{found}, not {wanted}"
        await asyncio.sleep(0.05)


async def test_every_component_becomes_new(csms, station, plant, server, tmp_path):
    box = await prepared(csms, station, plant, identity={"firmware_version": OLD})
    await told(csms)
    order = (ROUTER, "application", PLC, CONTROLLER)
    needs = {"application": {ROUTER: ">= 2", CONTROLLER: "= 2.0.0"}}
    path = package(tmp_path, NEW, beside=images(*NAMES), order=order, needs=needs, sequence=7)
    await offer(csms, server, path)
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    assert plant.versions() == dict.fromkeys(NAMES, NEW)
    assert {plant[name].kept["phase"] for name in NAMES} == {0}, "all are confirmed"
    await until(box, lambda state: state["online"])
    await told(csms, NEW, **dict.fromkeys(NAMES, NEW))
    assert await configuration(csms, "UpdateState") == "installed"
    await connector_is(box, status="Available")
    await finish(csms, box, await begin(csms, box))


@pytest.mark.parametrize("size", [201, 20_450])  # an odd byte; more than a file of Modbus
async def test_components_without_the_application(csms, station, plant, server, tmp_path, size):
    await prepared(csms, station, plant)
    path = package(tmp_path, NEW, name=None, beside=images(CONTROLLER, ROUTER, size=size))
    await offer(csms, server, path)
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    assert plant.versions() == {ROUTER: NEW, CONTROLLER: NEW, PLC: OLD}
    assert await configuration(csms, "ApplicationSlot") == "factory"


async def test_images_that_are_fetched_from_elsewhere(csms, station, plant, server, tmp_path):
    await prepared(csms, station, plant)
    uris = {ROUTER: server.url + "router.img", "application": server.url + "application.img"}
    path = package(tmp_path, NEW, beside=images(ROUTER, PLC), uris=uris)
    server.files["/router.img"] = tmp_path / f"router-{NEW}.img"
    server.files["/application.img"] = tmp_path / f"application-{NEW}.img"
    await offer(csms, server, path)
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    assert plant.versions() == {ROUTER: NEW, PLC: NEW, CONTROLLER: OLD}
    # and one that is not what was signed
    server.files["/router.img"] = tmp_path / f"plc-{NEW}.img"
    (tmp_path / f"plc-{NEW}.img").write_bytes(image_of("6.6.6", 3000))
    await offer(csms, server, path)
    await statuses(csms, "Downloading", "InstallationFailed")
    assert plant.versions() == {ROUTER: NEW, PLC: NEW, CONTROLLER: OLD}


FLAWS = {
    (CONTROLLER, "unsound"): "it is idle and not staged",
    (PLC, "unsound"): "it is idle and not staged",
    (PLC, "forgets"): "plc: ",
    (PLC, "stalls"): "plc: the server (sent|took) nothing for 30 s",
    (CONTROLLER, "forgets"): "charge_controller: ",
    (CONTROLLER, "stalls"): "charge_controller: no reply",
}


@pytest.mark.parametrize(("name", "flaw"), FLAWS)
async def test_one_that_cannot_be_staged_changes_nothing(csms, station, plant, server, tmp_path, name, flaw):
    box = await prepared(csms, station, plant)
    plant[name].flaw = flaw
    await offer(csms, server, package(tmp_path, NEW, name=None, beside=images(*NAMES)))
    await statuses(csms, "Downloading")
    if flaw == "stalls":
        await stalled(csms, box, plant[name])
    await statuses(csms, "InstallationFailed")
    await logged(box, "update: failed: .*" + FLAWS[name, flaw])
    assert plant.versions() == dict.fromkeys(NAMES, OLD)
    assert "activate" not in plant[ROUTER].log
    await connector_is(box, status="Available")
    # and it can be had again, once that is mended
    plant[name].flaw = ""
    await offer(csms, server, tmp_path / f"{NEW}.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    assert plant.versions() == dict.fromkeys(NAMES, NEW)


async def stalled(csms, box, device):
    """Lets the board's patience with a component that stalls pass at once, as often as it is tried."""
    while not device.is_silent:
        await asyncio.sleep(0.02)
    await leap_until_failed(csms, box)


async def leap_until_failed(csms, box):
    while not csms.transcript.calls("FirmwareStatusNotification", status="InstallationFailed"):
        await box.advance(5)
        await asyncio.sleep(0.05)


BROKEN = {
    (CONTROLLER, "falls back"): r"charge_controller: it did not stay|charge_controller: it runs another image",
    (CONTROLLER, "sick"): r"charge_controller: \(fault 1\)",
    (PLC, "lies"): "plc: it runs another image",
    (PLC, "falls back"): "plc: it runs another image its image did not start",
    (ROUTER, "sick"): "router: its self-test failed",
    (ROUTER, "deaf"): "router: it answers 409 not now",
}


@pytest.mark.parametrize(("name", "flaw"), BROKEN)
async def test_one_that_comes_up_broken_takes_all_back(csms, station, plant, server, tmp_path, name, flaw):
    box = await prepared(csms, station, plant)
    plant[name].flaw = flaw
    order = (PLC, ROUTER, CONTROLLER)
    await offer(csms, server, package(tmp_path, NEW, name=None, beside=images(*NAMES), order=order))
    await statuses(csms, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert plant.versions() == dict.fromkeys(NAMES, OLD)
    assert "trial" not in {plant[name].status()["phase"] for name in NAMES}
    await logged(box, "rolled back: (" + BROKEN[name, flaw] + ")")
    await connector_is(box, status="Available")


@pytest.mark.parametrize("name", [PLC, CONTROLLER])
async def test_one_that_comes_up_mute_is_waited_for_until_its_boot_loader_goes_back(
    csms, station, plant, server, tmp_path, name
):
    """And no connector is in service before."""
    box = await prepared(csms, station, plant)
    plant[name].flaw, plant[name].mute_for = "mute", 5
    await offer(csms, server, package(tmp_path, NEW, name=None, beside=images(ROUTER, name), order=(ROUTER, name)))
    await statuses(csms, "Downloading", "Downloaded", "Installing")
    await connector_is(box, status="Unavailable")
    await leap_until_failed(csms, box)
    await statuses(csms, "InstallationFailed")
    assert plant.versions() == dict.fromkeys(NAMES, OLD)
    assert (await configuration(csms, "UpdateState")).startswith("rolled back: " + name)
    await connector_is(box, status="Available")


async def test_one_that_fails_behind_the_application_takes_that_back_too(csms, station, plant, server, tmp_path):
    box = await prepared(csms, station, plant)
    plant[CONTROLLER].flaw = "falls back"
    order = (PLC, "application", CONTROLLER)
    await offer(csms, server, package(tmp_path, NEW, beside=images(PLC, CONTROLLER), order=order))
    await statuses(csms, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert plant.versions() == dict.fromkeys(NAMES, OLD)
    await until(box, lambda state: state["online"])
    assert await configuration(csms, "ApplicationSlot") == "factory"
    wanted = "slot_a: it was not healthy in time: charge_controller: it runs another image"
    assert (await configuration(csms, "ApplicationFallback")).startswith(wanted)


async def test_an_application_that_fails_takes_the_others_back(csms, station, plant, server, tmp_path):
    box = await prepared(csms, station, plant)
    order = (ROUTER, "application", PLC)
    path = package(tmp_path, NEW, WRONG["crash"], beside=images(ROUTER, PLC), order=order)
    await offer(csms, server, path)
    await statuses(csms, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert plant.versions() == dict.fromkeys(NAMES, OLD)
    assert plant[ROUTER].log[-1] == "roll_back"
    await logged(box, "rolled back: application: slot_a did not stay: it crashed")


async def test_a_component_that_does_not_answer(csms, station, plant, server, tmp_path):
    """It is told; packages that have nothing to do with it are taken, those that ask for its version are not."""
    await plant.ends[PLC].stop()
    await prepared(csms, station, plant)
    await told(csms, "0.1.0", **{PLC: "?"})
    server.files["/needs.suit"] = package(
        tmp_path, "3.0.0", name=None, beside=images(ROUTER), needs={ROUTER: {PLC: ">= 1"}}
    )
    await update(csms, server.url + "needs.suit")
    await statuses(csms, "Downloading", "InstallationFailed")
    assert plant.versions() == dict.fromkeys(NAMES, OLD)
    await offer(csms, server, package(tmp_path, NEW, name=None, beside=images(ROUTER)))
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    assert plant[ROUTER].version == NEW


async def test_a_component_that_is_not_compatible_is_no_reason_to_begin(csms, station, plant, server, tmp_path):
    await prepared(csms, station, plant)
    path = package(tmp_path, NEW, name=None, beside=images(ROUTER), needs={ROUTER: {CONTROLLER: ">= 1.1"}})
    await offer(csms, server, path)
    await statuses(csms, "Downloading", "InstallationFailed")
    wanted = "refused: Version: charge_controller must be >= 1.1, and would be 1.0.0"
    assert await configuration(csms, "UpdateState") == wanted
    assert plant[ROUTER].log == []


async def test_only_the_pinned_certificate_is_trusted(csms, station, plant, server, tmp_path):
    rows = plant.provisioning()
    rows[ROUTER]["certificate"] = self_signed("127.0.0.1")[1]
    box = await prepared(csms, station, plant, components=rows)
    await logged(box, "components: router: .*TLS: ")
    await told(csms, "0.1.0", **{ROUTER: "?"})
    assert plant[ROUTER].log == []


@pytest.mark.parametrize("name", [PLC, CONTROLLER])
async def test_a_power_cut_of_the_board_or_of_a_component_while_they_are_activated(
    csms, station, plant, server, tmp_path, name
):
    box = await prepared(csms, station, plant)
    cut = asyncio.Event()

    def activated():
        if plant[name].kept["phase"] == 4:
            cut.set()

    plant[name].on_change = activated
    await offer(
        csms, server, package(tmp_path, NEW, beside=images(*NAMES), order=(ROUTER, PLC, CONTROLLER, "application"))
    )
    await statuses(csms, "Downloading", "Downloaded", "Installing")
    await asyncio.wait_for(cut.wait(), 20)
    await box.kill()
    await plant.ends[name].stop()
    plant[name].power_cycle()
    await plant.ends[name].start()
    await box.start()
    await statuses(csms, "Installed")
    assert plant.versions() == dict.fromkeys(NAMES, NEW)
    assert {plant[name].kept["phase"] for name in NAMES} == {0}


async def test_one_update_after_the_other_leaves_nothing_in_the_heap(csms, station, plant, server, tmp_path):
    """Those that come to nothing among them; the first two take what is kept."""
    box = await prepared(csms, station, plant)
    least = 1 << 20
    for number, flaw in enumerate(("", "sick", "", "sick", ""), start=2):
        version = f"{number}.0.0"
        plant[CONTROLLER].flaw = flaw
        beside = {name: image_of(version) for name in (ROUTER, CONTROLLER)}
        await offer(csms, server, package(tmp_path, version, name=None, beside=beside, sequence=number))
        outcome = "InstallationFailed" if flaw else "Installed"
        await statuses(csms, "Downloading", "Downloaded", "Installing", outcome)
        await quiet(csms, box)
        if number > 3:  # once what is under way for the moment has gone
            await until(box, lambda state, most=least + 3072: state["heap_bytes"] <= most)
        else:
            least = min([(await box.state())["heap_bytes"] for _ in range(200)])
