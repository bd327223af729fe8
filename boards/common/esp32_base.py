"""The two places for the base image of an ESP32, `ota_0` and `ota_1`, for `station.update.base`.

The boot loader goes back to the former image if the one that was chosen is reset before `hold()`
(CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE). Version and identity are those of the image's description, esp_app_desc_t.
"""

import struct

from esp32 import Partition
from micropython import const
from station.storage.region import Region

_BLOCK_COUNT = const(4)
_BLOCK_SIZE = const(5)
_HEAD = const(208)  # bytes up to the end of app_elf_sha256
_MAGIC = const(0xE9)  # of an image
_DESCRIPTION = const(32)  # offset of esp_app_desc_t
_DESCRIBED = b"\x32\x54\xcd\xab"
_VERSION = const(48)
_SHA256 = const(176)


class Places:
    """Raises OSError where the partition table has no second place."""

    def __init__(self) -> None:
        self._running = Partition(Partition.RUNNING)  # type: ignore[arg-type]  # the stub knows names only
        self._other = self._running.get_next_update()

    def running(self) -> "tuple[str, bytes]":
        """(version, SHA-256 of its ELF file) of the image that runs."""
        return _described(self._running)

    def staged(self) -> "tuple[str, bytes]":
        """The same of the image in the other place. Raises ValueError if there is none."""
        return _described(self._other)

    def region(self) -> Region:
        """The other place."""
        return Region(self._other, 0, self._other.ioctl(_BLOCK_COUNT, 0))

    def choose_other(self) -> None:
        """The image in the other place runs from the next start on. Raises OSError if the boot loader refuses it."""
        self._other.set_boot()

    def hold(self) -> None:
        """The image that runs stays."""
        Partition.mark_app_valid_cancel_rollback()


def _described(partition) -> "tuple[str, bytes]":
    head = bytearray(_HEAD)
    partition.readblocks(0, head, 0)
    if head[0] != _MAGIC or head[_DESCRIPTION : _DESCRIPTION + 4] != _DESCRIBED:
        raise ValueError("it is no image for this chip")
    text = struct.unpack_from("32s", head, _VERSION)[0].split(b"\x00")[0]
    return text.decode(), bytes(head[_SHA256 : _SHA256 + 32])
