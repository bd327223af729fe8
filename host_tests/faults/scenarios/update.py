"""UpdateFirmware of the application and of a router, from the wish to the outcome: all new or all old, and told so.

The package is one that `tools/pack` made and signed, see packages.py; what it holds runs as little as the firmware in
the slots of this flash does: whichever slot is chosen, it is the firmware as it is.
"""

import binascii
import hashlib

import boot_choice
import packages
from device import Device
from flashes import PowerCut
from scenario import Scenario
from sisters import Sister
from station.transfer import download

_OLD = b"router 1.9"
_ENDS = ("Installed", "InstallationFailed")
_ORDER = ("Downloading", "Downloaded", "Installing")


def _version(image):
    return bytes(image[7:10]).decode() if image.startswith(b"router ") else None


class Package:
    """In the place of a Download."""

    size = len(packages.PACKAGE)

    def __init__(self, location, ca):
        self.received = 0

    async def read_into(self, view):
        piece = packages.PACKAGE[self.received : self.received + len(view)]
        view[: len(piece)] = piece
        self.received += len(piece)
        return len(piece)

    def close(self):
        pass


class Reached(Sister):
    """A component that hears the board only while that has power."""

    def __init__(self, name, device, rig):
        super().__init__(name, device)
        self._rig = rig

    def _ask(self, action, *arguments):
        if self._rig.flash.dead:
            raise PowerCut
        return super()._ask(action, *arguments)


class Update(Scenario):
    BLOCKS = {
        "filesystem": 16,
        "journal": 8,
        "cache": 4,
        "cards": 16,
        "slot_a": 1,
        "slot_b": 1,
        "boot": 2,
        "update": 3,
    }
    FLAW = ""

    def __init__(self):
        super().__init__()
        router = Device(packages.VENDOR, packages.ROUTER_CLASS, _OLD, flaw=self.FLAW, version_of=_version)
        plc = Device(packages.VENDOR, bytes(16), b"router 1.2", version_of=_version)
        self.devices = {"router": router, "plc": plc}
        self.asked = False
        download.Download = Package

    def provision(self, words):
        words["update"] = {
            "keys": binascii.hexlify(packages.KEY).decode(),
            "vendor": binascii.hexlify(packages.VENDOR).decode(),
            "class": binascii.hexlify(packages.APPLICATION_CLASS).decode(),
        }
        words["components"] = {name: {"address": at + 1} for at, name in enumerate(sorted(self.devices))}

    def component(self, rig, name):
        return Reached(name, self.devices[name], rig)

    async def story(self, rig):
        await rig.online()
        wish = {"location": "http://127.0.0.1/p.suit", "retrieveDate": "2020-01-01T00:00:00Z"}
        assert await rig.backend.call("UpdateFirmware", wish) == {}
        self.asked = True
        await self.resumed(rig)

    async def resumed(self, rig):
        await rig.until(lambda: self._told(rig)[-1:] and self._told(rig)[-1] in _ENDS, 300)
        await rig.run(2)

    def _told(self, rig):
        return [call["status"] for call in rig.backend.firmware]

    async def check(self, rig):
        if self.asked:  # a wish that was answered is not lost, whenever the power goes
            await self.resumed(rig)
        told = self._told(rig)
        router = self.devices["router"]
        is_new = boot_choice.running != boot_choice.FACTORY
        runs = hashlib.sha256(router.kept["runs"]).digest()
        assert not boot_choice.on_trial(), "on trial for ever"
        assert runs == hashlib.sha256(packages.ROUTER if is_new else _OLD).digest(), "a mixture"
        assert router.kept["phase"] not in (1, 2, 4), "the router is %d" % router.kept["phase"]
        if told and told[-1] in _ENDS:
            assert (told[-1] == "Installed") == is_new, told
        if self.FLAW:
            assert not is_new, "the router has failed"
        elif self.asked:
            assert is_new, told
        self._check_order(told)

    def _check_order(self, told):
        """What a restart makes of them: some may come once more, none comes before its turn."""
        reached = -1
        for status in told:
            at = len(_ORDER) if status in _ENDS else _ORDER.index(status)
            assert at <= reached + 1 or at == len(_ORDER) or at == 0, told
            reached = at


class RolledBack(Update):
    FLAW = "sick"
