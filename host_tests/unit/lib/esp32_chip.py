"""A model of the ESP32's boot loader with its rollback, and `esp32.Partition` before it: `Chip`, `image_of`.

To import it puts the model in the place of the module `esp32`; `Places` is `boards/common/esp32_base.py`'s, before it.
"""

import hashlib
import struct
import sys

from flashes import CuttableFlash

BLOCK, BLOCKS = 4096, 3
VALID, NEW, PENDING, ABORTED = range(4)


class Chip:
    """Two places; `boots()` is a reset: which place runs then, as the boot loader with rollback has it."""

    def __init__(self, image):
        self.flashes = [CuttableFlash(BLOCKS, BLOCK, 16), CuttableFlash(BLOCKS, BLOCK, 16)]
        self.states = [VALID, ABORTED]
        self.chosen = self.running = 0
        self.flashes[0].cells[: len(image)] = image
        Partition.chip = self

    def boots(self):
        if self.states[self.running] == PENDING:  # it was reset before it said that it is well
            self.states[self.running] = ABORTED
        if self.states[self.chosen] == NEW:
            self.states[self.chosen] = PENDING
        elif self.states[self.chosen] == ABORTED:
            self.chosen ^= 1
        self.running = self.chosen


class Partition:
    """`esp32.Partition`, what of it is used."""

    chip = None
    RUNNING = 1

    def __init__(self, which):
        self._place = Partition.chip.running if which == self.RUNNING else which - 10

    def get_next_update(self):
        return Partition(10 + (self._place ^ 1))

    def set_boot(self):
        chip = Partition.chip
        if chip.flashes[self._place].cells[0] != 0xE9:
            raise OSError(-5379)
        chip.chosen = self._place
        if self._place != chip.running or chip.states[self._place] == ABORTED:
            chip.states[self._place] = NEW

    @staticmethod
    def mark_app_valid_cancel_rollback():
        Partition.chip.states[Partition.chip.running] = VALID

    def readblocks(self, block, buf, offset=0):
        return Partition.chip.flashes[self._place].readblocks(block, buf, offset)

    def writeblocks(self, block, buf, offset=None):
        return Partition.chip.flashes[self._place].writeblocks(block, buf, offset)

    def ioctl(self, op, arg):
        return Partition.chip.flashes[self._place].ioctl(op, arg)


class esp32:
    pass


esp32.Partition = Partition
sys.modules["esp32"] = esp32
sys.path.append("boards/common")

from esp32_base import Places  # noqa: E402, F401 - of the board, before this chip


def image_of(version, size=5000):
    """An image with an esp_app_desc_t."""
    head = bytearray(size)
    head[0] = 0xE9
    struct.pack_into("<II8x32s32s", head, 32, 0xABCD5432, 0, version.encode(), b"ladepunkt")
    head[176:208] = hashlib.sha256(version.encode()).digest()
    return bytes(head)
