"""What stands beside the application board of a simulated station: router and PLC over HTTPS, a charge controller over
Modbus. `Plant` starts and stops them and says what the station has to know of them."""

import uuid

from tools.components.device import Device, image_of
from tools.components.https import HttpsDevice
from tools.components.modbus import ModbusDevice

ROUTER, PLC, CONTROLLER = "router", "plc", "charge_controller"
NAMES = (ROUTER, PLC, CONTROLLER)


def uuids(vendor, kind):
    """(vendor, class) of a kind of device by its vendor's domain, 16 bytes each, as packages name them."""
    vendor = uuid.uuid5(uuid.NAMESPACE_DNS, vendor)
    return vendor.bytes, uuid.uuid5(vendor, kind).bytes


class Plant:
    """`vendor`: a domain; each component's kind of device is called as it is. `plant[name]` is its Device."""

    def __init__(self, vendor, version="1.0.0"):
        self.ends = {}
        for name in NAMES:
            device = Device(*uuids(vendor, name), image_of(version))
            self.ends[name] = ModbusDevice(device) if name == CONTROLLER else HttpsDevice(device)

    def __getitem__(self, name):
        return self.ends[name].device

    async def start(self):
        for end in self.ends.values():
            await end.start()

    async def stop(self):
        for end in self.ends.values():
            await end.stop()
        self.ends[CONTROLLER].close()

    def provisioning(self):
        """The section "components" of the station's provisioning file."""
        rows = {}
        for name in (ROUTER, PLC):
            rows[name] = {"url": self.ends[name].url, "certificate": self.ends[name].certificate}
        rows[CONTROLLER] = {"address": self.ends[CONTROLLER].address}
        return rows

    def options(self):
        """Words of `tools.station`."""
        return ("--line", self.ends[CONTROLLER].path)

    def versions(self):
        return {name: self[name].version for name in NAMES}
