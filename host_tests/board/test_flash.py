"""The NOR flash in a file of the host: what a chip does, and a littlefs on it that outlives restarts and kills."""

import asyncio

from tools import emulator

OPEN = """
import os, qemu, vfs
from errno import EINVAL
path = qemu.argument("flash")
"""


async def test_bits_are_programmed_from_1_to_0_only(guest, tmp_path):
    lines = await guest(
        OPEN
        + """
flash = qemu.Flash(path, 4, 4096)
def program(block, data, offset):
    try:
        flash.writeblocks(block, data, offset)
    except OSError as error:
        print("EINVAL" if error.errno == EINVAL else error)
def read(block, offset, n):
    buf = bytearray(n)
    flash.readblocks(block, buf, offset)
    return bytes(buf)
print(flash.ioctl(4, 0), flash.ioctl(5, 0), read(3, 0, 2))
program(1, b"\\xf0\\x0f", 10)
program(1, b"\\x30\\x0f", 10)
program(1, b"\\x31", 10)
print(read(1, 9, 4))
print(flash.ioctl(6, 1), read(1, 9, 4))
program(4, b"x", 0)
program(3, b"xy", 4095)
flash.writeblocks(0, b"a" * 4096)
flash.writeblocks(0, b"b" * 4096)
print(read(0, 0, 3), flash.programs, flash.erases, flash.bytes_programmed)
""",
        {"flash": tmp_path / "flash.bin"},
    )
    assert lines == [
        "4 4096 b'\\xff\\xff'",
        "EINVAL",
        "b'\\xff0\\x0f\\xff'",
        "0 b'\\xff\\xff\\xff\\xff'",
        "EINVAL",
        "EINVAL",
        "b'bbb' 4 3 8196",
    ]
    assert (tmp_path / "flash.bin").read_bytes() == b"b" * 4096 + b"\xff" * 4096


async def test_strict_flash_programs_a_word_once(guest, tmp_path):
    lines = await guest(
        OPEN
        + """
flash = qemu.Flash(path, 4, 4096, strict=True, word=32)
for byte, count, offset in ((1, 32, 0), (1, 32, 0), (0, 32, 0), (1, 16, 32), (1, 32, 40), (1, 64, 32)):
    try:
        flash.writeblocks(0, bytes((byte,)) * count, offset)
        print("done")
    except OSError as error:
        print("EINVAL" if error.errno == EINVAL else error)
""",
        {"flash": tmp_path / "flash.bin"},
    )
    assert lines == ["done", "EINVAL", "EINVAL", "EINVAL", "EINVAL", "done"]


async def test_erased_gap_is_not_read_as_zeros(guest, tmp_path):
    await guest(
        OPEN + "qemu.Flash(path, 64, 4096).writeblocks(20, b'end', 100)\n",
        {"flash": tmp_path / "flash.bin"},
    )
    assert (tmp_path / "flash.bin").read_bytes() == b"\xff" * (20 * 4096 + 100) + b"end"


MOUNT = (
    OPEN
    + """
flash = qemu.Flash(path, 64)
try:
    vfs.mount(vfs.VfsLfs2(flash), "/")
except OSError:
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/")
"""
)


async def test_littlefs_survives_a_restart(guest, tmp_path):
    flash = {"flash": tmp_path / "flash.bin"}
    await guest(MOUNT + "with open('/a', 'w') as file:\n    file.write('kept' * 500)\n", flash)
    lines = await guest(MOUNT + "print('a' in os.listdir('/'), open('/a').read() == 'kept' * 500)\n", flash)
    assert lines == ["True True"]


async def test_littlefs_survives_a_power_cut(firmware, script, tmp_path):
    """Killed in the middle of rewriting a file: the next start finds a whole one."""
    flash = {"flash": tmp_path / "flash.bin"}
    text = (
        MOUNT
        + """
if "a" in os.listdir("/"):
    content = open("/a").read()
    print("found", len(content), content == content[:5] * 400)
n = 0
while True:
    n += 1
    with open("/b", "w") as file:
        file.write("%05d" % n * 400)
    os.rename("/b", "/a")
    if n == 20:
        print("written")
"""
    )
    for _ in range(3):
        async with emulator.Emulator(firmware, {**script(text), **flash}) as board:
            await board.printed("written")
            await asyncio.sleep(0)
    async with emulator.Emulator(firmware, {**script(text), **flash}) as board:
        assert await board.printed("found") == "found 2000 True"
