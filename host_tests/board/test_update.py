"""UpdateFirmware on the emulated board, over HTTPS: download, restart, trial, outcome; a router is updated with us."""

import functools
import ssl

import pytest
import pytest_asyncio
import trustme
from applications import VENDOR, WRONG, identity, package
from offers import Shelf, update
from sessions import begin, configuration, finish, notified, online

from tools import emulator
from tools.components.device import Device, image_of
from tools.components.https import HttpsDevice
from tools.components.plant import ROUTER, uuids
from tools.web import serving

BOARD = "qemu_mps2"
CALM = {"WebSocketPingInterval": "0", "MeterValueSampleInterval": "0"}
NOTIFIED_S = 120
statuses = functools.partial(notified, "FirmwareStatusNotification", within=NOTIFIED_S)


@pytest_asyncio.fixture
async def server():
    """The web server with the packages, over HTTPS; `ca` is whom to trust for it."""
    it, authority = Shelf(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(emulator.HOST).configure_cert(context)
    it.ca = authority.cert_pem.bytes().decode()
    async with serving(it.handlers, context) as url:
        it.url = url.replace("127.0.0.1", emulator.HOST) + "/"
        yield it


@pytest_asyncio.fixture
async def router():
    end = HttpsDevice(Device(*uuids(VENDOR, ROUTER), image_of("1.0.0")), emulator.HOST)
    await end.start()
    yield end
    await end.stop()


async def prepared(csms, station, server, router):
    keys = identity(BOARD)
    words = {"keys": keys["key"], "vendor": keys["vendor"], "class": keys["class"], "ca": server.ca}
    components = {ROUTER: {"url": router.url, "certificate": router.certificate}}
    box = await station(csms, settings=CALM, update=words, components=components)
    await online(csms, box)
    return box


async def test_a_whole_update(csms, station, server, router, tmp_path):
    box = await prepared(csms, station, server, router)
    order = (ROUTER, "application")
    path = package(tmp_path, "2.0.0", board=BOARD, beside={ROUTER: image_of("2.0.0", 3000)}, order=order)
    server.files["/p.suit"] = path
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "Installed")
    assert router.device.version == "2.0.0"
    assert await configuration(csms, "ApplicationSlot") == "slot_a"
    assert await configuration(csms, "ApplicationVersion") == "2.0.0"
    await csms.status(1, "Available")
    await finish(csms, box, await begin(csms, box))


@pytest.mark.parametrize("wrong", ["crash", "hang"])
async def test_one_that_is_rolled_back(csms, station, server, router, tmp_path, wrong):
    await prepared(csms, station, server, router)
    order = (ROUTER, "application")
    beside = {ROUTER: image_of("2.0.0", 3000)}
    server.files["/p.suit"] = package(tmp_path, "2.0.0", WRONG[wrong], board=BOARD, beside=beside, order=order)
    await update(csms, server.url + "p.suit")
    await statuses(csms, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert router.device.version == "1.0.0"
    assert await configuration(csms, "ApplicationSlot") == "factory"
    await csms.status(1, "Available")
