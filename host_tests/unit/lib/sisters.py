"""A simulated component of the station as the board's update sees it, without a wire between: `Sister`."""

import binascii

from device import PHASES, Refusal, Silence
from station.update import version
from station.update.components import Component, Status


class Sister(Component):
    """A Device without a wire between."""

    def __init__(self, name, device):
        super().__init__(name)
        self._device = device

    def _ask(self, action, *arguments):
        try:
            return action(*arguments)
        except (Silence, Refusal) as error:
            raise self.error(error)

    async def status(self):
        row = self._ask(self._device.status)
        image = binascii.unhexlify(row["running"])
        found = version.parse(row["version"])
        vendor, kind = self._device.vendor, self._device.kind
        return Status(vendor, kind, found, row["limit"], PHASES.index(row["phase"]), image, row["fault"])

    async def write(self, offset, piece):
        self._ask(self._device.write, offset, bytes(piece))

    async def _order(self, order, size=0, digest=b""):
        self._ask(getattr(self._device, order), *((size, digest) if digest else ()))
