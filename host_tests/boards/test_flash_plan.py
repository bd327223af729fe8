"""What `make flash` decides without a board: what changes, what fits, what the image holds."""

import pytest

from tools import flash
from tools.boards import BOARDS
from tools.flash_plan import digest, folders, plan, room_needed

A, B = b"a" * 100, b"b" * 5000


def test_a_new_board_gets_everything():
    found = plan({"/main.py": A, "/station/app.mpy": B}, {}, [])
    assert found.write == ["/main.py", "/station/app.mpy"]
    assert not found.remove and not found.keep


def test_only_what_differs_is_written():
    found = plan({"/a": A, "/b": B}, {"/a": digest(A), "/b": digest(A)}, ["/a", "/b"])
    assert (found.write, found.keep) == (["/b"], ["/a"])
    assert plan({"/a": A}, {"/a": digest(A)}, ["/a"]).is_empty


def test_what_we_put_there_once_is_removed_and_nothing_else():
    found = plan({"/a": A}, {"/a": digest(A), "/old.mpy": "1", "/settings.json": "2"}, ["/a", "/old.mpy"])
    assert found.remove == ["/old.mpy"]


def test_a_source_that_would_be_imported_in_place_of_ours_goes():
    found = plan({"/board.mpy": A}, {"/board.py": "1"}, [])
    assert found.remove == ["/board.py"]


def test_the_room_is_whole_blocks_less_what_is_replaced():
    found = plan({"/a": A, "/b": B}, {"/a": "1"}, [])
    # a is replaced by as many blocks; b has two of 4096; two for the list
    assert room_needed({"/a": A, "/b": B}, found, {"/a": 100}, 4096) == (2 + 2) * 4096
    found = plan({"/x/a": A}, {"/old": "1"}, ["/old"])
    assert room_needed({"/x/a": A}, found, {"/old": 9000}, 4096) == (1 + 2 + 2 - 3) * 4096


def test_folders_come_before_what_is_in_them():
    assert folders(["/flash/station/ocpp/link.mpy", "/main.py"]) == ["/flash", "/flash/station", "/flash/station/ocpp"]


def test_the_image_holds_what_goes_in():
    """Read back by the format's description, MicroPython's docs, "romfs": nested records of kind, length, payload."""
    files = {"main.py": A, "station/ocpp/link.mpy": B, "station/app.mpy": b""}
    image = flash.romfs_image(files)
    assert image[:3] == b"\xd2\xcd\x31"
    size, at = number(image, 3)
    assert at + size == len(image)
    assert dict(records(image[at:], "")) == files


def number(data, at):
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def records(data, above):
    at = 0
    while at < len(data):
        kind, at = number(data, at)
        size, at = number(data, at)
        payload, at = data[at : at + size], at + size
        if kind in (4, 5):
            length, start = number(payload, 0)
            name, rest = payload[start : start + length].decode(), payload[start + length :]
            if kind == 4:
                yield from records(rest, f"{above}{name}/")
            else:
                ((kind, content),) = [(kind, content) for kind, content in pieces(rest)]
                assert kind == 2
                yield above + name, content


def pieces(data):
    at = 0
    while at < len(data):
        kind, at = number(data, at)
        size, at = number(data, at)
        yield kind, data[at : at + size]
        at += size


class Board:
    """A link to no board: answers what flash asks before it writes."""

    def __init__(self, **answers):
        self.answers = answers
        self.ran = []

    def value(self, expression):
        for key, answer in self.answers.items():
            if key in expression:
                return answer
        raise AssertionError(expression)

    def run(self, code, within=60):
        self.ran.append(code)
        return ""


def flasher(link, board="esp32_eth", files=None):
    said = []
    return flash.Flasher(link, BOARDS[board], files or {"main.py": A}, said.append), said


def test_wrong_processor():
    link = Board(implementation=("Nucleo", "3.4.0", 6 | 3 << 8 | 8 << 10))
    with pytest.raises(flash.FlashError, match="esp32_eth: its processor is armv7emdp"):
        flasher(link)[0].run()
    assert not link.ran


def test_partitions_that_are_missing_and_how_to_write_them():
    link = Board(implementation=("ESP32", "3.4.0", 6 | 3 << 8 | 10 << 10), Partition=["nvs", "vfs", "cards"])
    with pytest.raises(flash.FlashError) as caught:
        flasher(link)[0].run()
    text = str(caught.value)
    assert "has no journal, cache" in text
    assert "--chip esp32 " in text and "write_flash 0x8000 build/boards/esp32_eth/partition-table-stock.bin" in text
    assert not link.ran


def test_no_room_in_the_rom_partition():
    link = Board(
        implementation=("ESP32", "3.4.0", 6 | 3 << 8 | 10 << 10),
        Partition=["journal", "cards", "cache"],
        rom_ioctl=4096,
    )
    with pytest.raises(flash.FlashError, match="no room: the image has 5"):
        flasher(link, files={"station/app.mpy": B})[0].run()
    assert not link.ran
