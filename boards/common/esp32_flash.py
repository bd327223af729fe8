"""Raw regions of an ESP32's flash: each is a partition of its own, found by its label.

esp_partition_write programs any bytes, and only from 1 to 0; erased are blocks of 4 KiB. While either runs no code
is read from flash: the whole of MicroPython waits, for some 45 ms an erase, 400 ms on a worn chip.
"""

from esp32 import Partition
from micropython import const

_BLOCK_COUNT = const(4)
# the port looks for a partition of the one name, so it is that of the first slot
_LABELS = {"slot_a": "romfs", "slot_b": "romfs_b"}


def region(name: str) -> tuple:
    """(device, first block, blocks) of the partition with this label, or of the slot with this name.

    Raises OSError if the board's partition table has none: it is that of the stock firmware, or of another board.
    """
    label = _LABELS.get(name, name)
    found = Partition.find(Partition.TYPE_DATA, label=label)
    if not found:
        raise OSError("flash: no partition '%s': write the board's partition table, see its README.md" % label)
    device = found[0]
    return device, 0, device.ioctl(_BLOCK_COUNT, 0)


def mapped(slot: str):
    """The partition of a slot as the processor reads it, a buffer. Raises OSError if that cannot be had."""
    try:
        import flashmap
    except ImportError:
        raise OSError("flash: this MicroPython has no flashmap: make firmware builds one that has")
    return flashmap.map(_LABELS[slot])  # type: ignore[attr-defined]  # boards/common/flashmap, in C
