"""The stock image: an ordinary MicroPython, as far as mpremote can tell."""

import asyncio
import re
import sys

import pytest

from tools import emulator


@pytest.fixture
def board(stock, tmp_path):
    def start(stdio="pty"):
        return emulator.Emulator(stock, {"flash": tmp_path / "flash.bin"}, stdio=stdio)

    return start


async def terminal(board):
    """The path of the console's pseudo-terminal, which QEMU prints."""
    return re.search(r"/dev/pts/\d+", await board.printed("redirected to"))[0]


async def mpremote(port, *words, check=True):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mpremote",
        "connect",
        port,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0 or not check, output.decode()
    return output.decode().replace("\r\n", "\n")


async def test_files_survive_a_power_cut(board, tmp_path):
    content = bytes(range(256)) * 40
    (tmp_path / "in.bin").write_bytes(content)
    async with board() as first:
        port = await terminal(first)
        await mpremote(port, "cp", str(tmp_path / "in.bin"), ":kept.bin", "+", "mkdir", ":folder")
    async with board() as second:
        port = await terminal(second)
        assert "kept.bin" in await mpremote(port, "ls")
        await mpremote(port, "cp", ":kept.bin", str(tmp_path / "out.bin"))
    assert (tmp_path / "out.bin").read_bytes() == content


async def test_boot_py_runs_after_a_soft_reset(board):
    async with board() as it:
        port = await terminal(it)
        await mpremote(port, "exec", "open('boot.py', 'w').write('mark = 41 + 1')", "+", "soft-reset")
        assert await mpremote(port, "resume", "exec", "print(mark)") == "42\n"


async def test_main_py_runs_at_start(board):
    async with board() as it:
        await mpremote(await terminal(it), "exec", "with open('main.py', 'w') as file: file.write('print(41 + 1)')")
    async with board(stdio="stdio") as it:
        assert await it.printed("42") == "42"
        await it.printed("MicroPython v1.26.1")


async def test_nothing_of_the_firmware_is_in_it(board):
    async with board() as it:
        port = await terminal(it)
        said = await mpremote(port, "exec", "try:\n    import station\nexcept ImportError as error:\n    print(error)")
        assert said == "no module named 'station'\n"


async def test_reset_ends_the_emulator(board):
    async with board() as it:
        # mpremote may find the terminal gone before it has closed it
        await mpremote(await terminal(it), "exec", "--no-follow", "import machine; machine.reset()", check=False)
        assert await it.ended() == emulator.RESET_STATUS
