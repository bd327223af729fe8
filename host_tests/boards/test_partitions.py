"""The partition tables of the ESP32 boards fit, and become the binary that the bootloader reads."""

import dataclasses
import hashlib
import struct

import pytest

from tools import flash, partitions
from tools.boards import BOARDS, STOCK_TABLE

WITH_TABLE = sorted(name for name, board in BOARDS.items() if board.table)
# the least that is asked for: what is frozen into an image of MicroPython 1.26 without Bluetooth takes some 1.5 MB
LEAST_IMAGE = 0x1C0000
FAT, DATA = 0x81, 1


def tables(name):
    return [partitions.read(BOARDS[name].folder / file) for file in ("partitions.csv", STOCK_TABLE)]


@pytest.mark.parametrize("name", WITH_TABLE)
def test_the_tables_fit_the_flash(name):
    for table in tables(name):
        partitions.check(table, BOARDS[name].flash_bytes)
        assert sorted(table, key=lambda part: part.offset)[-1].end == BOARDS[name].flash_bytes


@pytest.mark.parametrize("name", WITH_TABLE)
def test_everything_has_its_room(name):
    own, stock = ({part.name: part for part in table} for table in tables(name))
    assert own["romfs"].size == own["romfs_b"].size
    assert own["romfs"].size >= 1.5 * len(flash.romfs_image(flash.firmware(BOARDS[name])))
    for table in (own, stock):
        assert all(part.size >= LEAST_IMAGE for part in table.values() if part.type == 0)
        assert {"vfs", "journal", "cards", "cache"} <= set(table)
        assert table["journal"].size >= 3 * 4096
    # as files, each of them whole blocks
    assert stock["vfs"].size >= 2 * sum(-(-len(data) // 4096) * 4096 for data in flash.firmware(BOARDS[name]).values())


@pytest.mark.parametrize("name", WITH_TABLE)
def test_the_sdk_is_told_the_size_of_the_flash(name):
    settings = (BOARDS[name].folder / "sdkconfig.board").read_text()
    assert f"CONFIG_ESPTOOLPY_FLASHSIZE_{BOARDS[name].flash_bytes >> 20}MB=y" in settings.splitlines()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"offset": 0x2F1800}, "not aligned"),
        ({"size": 0x1234}, "not aligned"),
        ({"offset": 0x2C0000}, "begins at"),
        ({"size": 0x200000}, "begins at"),
        ({"name": "journal"}, "there twice"),
        ({"name": "a name that is too long"}, "too long"),
    ],
)
def test_a_wrong_table_is_refused(change, says):
    table = [dataclasses.replace(part, **change) if part.name == "cards" else part for part in tables("esp32_eth")[0]]
    with pytest.raises(partitions.TableError, match=says):
        partitions.check(table, 4 << 20)


def test_an_image_needs_64_kib(tmp_path):
    table = [partitions.Partition("factory", 0, 0, 0x11000, 0x10000)]
    with pytest.raises(partitions.TableError, match="aligned"):
        partitions.check(table, 4 << 20)


def test_a_flash_that_is_too_small_is_told():
    with pytest.raises(partitions.TableError, match="ends at 0x800000"):
        partitions.check(tables("esp32_s3_eth")[0], 4 << 20)


def test_a_csv_with_rubbish_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x, data, nvs, here, 0x1000\n")
    with pytest.raises(partitions.TableError, match="x: "):
        partitions.read(path)
    path.write_text("x, code, nvs, 0x9000, 0x1000\n")
    with pytest.raises(partitions.TableError, match="unknown type"):
        partitions.read(path)


@pytest.mark.parametrize("name", WITH_TABLE)
def test_the_binary_says_the_same(name):
    """By the format's description: ESP-IDF Programming Guide, Partition Tables."""
    table = tables(name)[0]
    data = partitions.binary(table)
    assert len(data) == 0xC00
    for number, part in enumerate(table):
        magic, kind, subtype, offset, size = struct.unpack_from("<HBBII", data, 32 * number)
        label = data[32 * number + 12 : 32 * number + 28].rstrip(b"\0").decode()
        assert (magic, kind, subtype, offset, size, label) == (0x50AA, *dataclasses.astuple(part)[1:], part.name)
    end = 32 * len(table)
    assert data[end : end + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert data[end + 16 : end + 32] == hashlib.md5(data[:end]).digest()
    assert set(data[end + 32 :]) == {0xFF}
