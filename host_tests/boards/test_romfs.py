"""The firmware as a ROMFS image, onto both kinds of partition that ports have; the board's side runs in MicroPython."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import flash
from tools.board_link import LinkError
from tools.boards import BOARDS

HERE = Path(__file__).parent
MAIN = b"print('main')\n"
FILES = {"station/app.mpy": bytes(range(256)) * 20, "board.mpy": b"b" * 300}


class UnixLink:
    """What flash wants of a Link, answered by rom_script.py."""

    def __init__(self, kind):
        words = [Path(sys.executable).with_name("micropython"), HERE / "rom_script.py", kind]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, code, within=60):
        print(json.dumps(code), file=self._process.stdin, flush=True)
        said, failed = json.loads(self._process.stdout.readline())
        if failed:
            raise LinkError(failed)
        return said

    def value(self, expression):
        return ast.literal_eval(self.run(f"print(repr({expression}))"))

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture
def link(request):
    link = UnixLink(request.param)
    yield link
    link.close()


def put(link, files):
    said = []
    flasher = flash.Flasher(link, BOARDS["nucleo_h743zi"], files, said.append)
    flasher._as_files = lambda root, wanted: said.append((root, wanted)) or False
    return flasher._as_image(), said


@pytest.mark.parametrize("link", ["memory", "object"], indirect=True)
def test_the_image_is_written_once_and_verified(link):
    image = flash.romfs_image(FILES)
    changed, said = put(link, {**FILES, "main.py": MAIN})
    assert changed and "verified: the SHA-256 of the image" in said
    assert bytes.fromhex(link.run(f"print(bytes(flash[:{len(image)}]).hex(), end='')")) == image
    assert link.value("Vfs.mounted") is False
    assert said[-1] == ("", {"/main.py": MAIN})
    changed, said = put(link, {**FILES, "main.py": MAIN})
    assert not changed and any("right already" in str(line) for line in said)


@pytest.mark.parametrize("link", ["memory", "object"], indirect=True)
def test_another_image_replaces_it(link):
    put(link, {**FILES, "station/old.mpy": b"o" * 9000})
    assert put(link, FILES)[0]
    image = flash.romfs_image(FILES)
    assert bytes.fromhex(link.run(f"print(bytes(flash[:{len(image)}]).hex(), end='')")) == image


@pytest.mark.parametrize("link", ["memory"], indirect=True)
def test_the_port_is_told_that_it_is_complete(link):
    put(link, FILES)
    assert link.value("Vfs.complete") is True


@pytest.mark.parametrize("link", ["memory", "object"], indirect=True)
def test_an_image_that_is_too_large_is_refused_before_anything_is_erased(link):
    with pytest.raises(flash.FlashError, match="no room: the image has"):
        put(link, {"big.mpy": bytes(40_000)})
    assert link.value("Vfs.mounted") is True
    assert link.value("set(flash) == {0}") is True


@pytest.mark.parametrize(("link", "size"), [("none", 0), ("memory", 32768), ("object", 32768)], indirect=["link"])
def test_the_partition_is_found(link, size):
    assert flash.Flasher(link, BOARDS["nucleo_h743zi"], FILES, print)._rom_bytes() == size


@pytest.mark.parametrize("link", ["memory"], indirect=True)
def test_flash_that_takes_no_write_is_found(link):
    link.run("old = Vfs.rom_ioctl\nVfs.rom_ioctl = lambda self, op, *words: 0 if op == 4 else old(self, op, *words)")
    with pytest.raises(flash.FlashError, match="not as it was sent"):
        put(link, FILES)
