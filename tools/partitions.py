"""The partition table of an ESP32 board: read from its CSV, checked, and made into the binary that lies at 0x8000.

`python -m tools.partitions BOARD [--stock]` writes build/boards/BOARD/partition-table.bin and says how it gets onto the
board. The format: 32 bytes a partition, little-endian, then an entry with the MD5 of all before it, 0xFF to 3 KiB.
"""

import argparse
import csv
import dataclasses
import hashlib
import struct
import sys

from tools.boards import BOARDS, BUILD, STOCK_TABLE

TABLE_AT = 0x8000
TABLE_BYTES = 0xC00
FIRST = 0x9000  # the bootloader and the table are before it
DATA_ALIGN = 0x1000  # an erase block
APP_ALIGN = 0x10000
NAME_BYTES = 16
TYPES = {"app": 0, "data": 1}
SUBTYPES = {
    0: {"factory": 0x00, "ota_0": 0x10, "ota_1": 0x11},
    1: {"ota": 0x00, "phy": 0x01, "nvs": 0x02, "fat": 0x81, "spiffs": 0x82},
}


class TableError(Exception):
    """The table is wrong; the text names partition and reason."""


@dataclasses.dataclass(frozen=True)
class Partition:
    name: str
    type: int
    subtype: int
    offset: int
    size: int

    @property
    def end(self):
        return self.offset + self.size


def read(path):
    """The partitions of a CSV file; raises TableError."""
    found = []
    with open(path, newline="") as file:
        for row in csv.reader(line for line in file if line.strip() and not line.startswith("#")):
            name, kind, subtype, offset, size = [field.strip() for field in row[:5]]
            if kind not in TYPES:
                raise TableError(f"{name}: unknown type {kind!r}")
            number = SUBTYPES[TYPES[kind]].get(subtype)
            try:
                found.append(
                    Partition(
                        name,
                        TYPES[kind],
                        int(subtype, 0) if number is None else number,
                        int(offset, 0),
                        int(size, 0),
                    )
                )
            except ValueError as error:
                raise TableError(f"{name}: {error}") from None
    return found


def check(partitions, flash_bytes):
    """Raises TableError for a table that does not fit, overlaps or is not aligned."""
    names, end = set(), FIRST
    for part in sorted(partitions, key=lambda part: part.offset):
        align = DATA_ALIGN if part.type else APP_ALIGN
        if len(part.name.encode()) >= NAME_BYTES or part.name in names:
            raise TableError(f"{part.name}: the name is too long, or there twice")
        if part.offset % align or part.size % DATA_ALIGN or not part.size:
            raise TableError(f"{part.name}: offset {part.offset:#x} or size {part.size:#x} is not aligned")
        if part.offset < end:
            raise TableError(f"{part.name}: begins at {part.offset:#x}, before {end:#x}")
        names.add(part.name)
        end = part.end
    if end > flash_bytes:
        raise TableError(f"the table ends at {end:#x}, the flash at {flash_bytes:#x}")


def binary(partitions):
    """The table as it lies in flash, TABLE_BYTES long."""
    table = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", part.type, part.subtype, part.offset, part.size, part.name.encode(), 0)
        for part in partitions
    )
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    if len(table) > TABLE_BYTES:
        raise TableError(f"{len(partitions)} partitions are too many")
    return table.ljust(TABLE_BYTES, b"\xff")


def made(board, stock):
    """Writes the binary of a board's table; returns its path. `stock`: the table for MicroPython's own image."""
    source = board.folder / STOCK_TABLE if stock else board.table
    partitions = read(source)
    check(partitions, board.flash_bytes)
    path = BUILD / board.name / ("partition-table-stock.bin" if stock else "partition-table.bin")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(binary(partitions))
    return path


def how_to_write(board, path):
    """The command that writes a table, as text; all that lay in partitions that move is lost."""
    return (
        f"python -m esptool --chip {board.chip} --port PORT write_flash {TABLE_AT:#x} {path}\n"
        "(esptool is on PyPI; what lies in partitions that move is lost, so write it before anything else)"
    )


def main():
    with_table = sorted(name for name, board in BOARDS.items() if board.table)
    parser = argparse.ArgumentParser(prog="python -m tools.partitions", description=__doc__.splitlines()[0])
    parser.add_argument("board", choices=with_table, metavar="BOARD", help=", ".join(with_table))
    parser.add_argument("--stock", action="store_true", help="for a board that runs MicroPython's own image")
    words = parser.parse_args()
    try:
        path = made(BOARDS[words.board], words.stock)
    except TableError as error:
        sys.exit(str(error))
    print(how_to_write(BOARDS[words.board], path))


if __name__ == "__main__":
    main()
