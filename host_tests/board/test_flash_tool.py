"""The tools that put the firmware onto a board, against the stock image: an ordinary MicroPython at a terminal."""

import asyncio
import contextlib
import json
import os
import pty
import re
import sys

import pytest

from tools import emulator, flash
from tools.board_link import Link, LinkError
from tools.boards import BOARDS, ROOT
from tools.flash_plan import LIST
from tools.provisioning import provisioning

BOARD = BOARDS["qemu_mps2"]
WITHIN_S = 100
FILES = {"main.py": b"mark = 1\n", "station/a.mpy": b"a" * 3000, "station/ocpp/b.mpy": b"b" * 10}


@pytest.fixture
async def start(stock, tmp_path):
    """Starts the board; returns (the emulator, the path of its terminal)."""
    async with contextlib.AsyncExitStack() as stack:

        async def go(**arguments):
            arguments = {"flash": tmp_path / "flash.bin", **arguments}
            board = await stack.enter_async_context(emulator.Emulator(stock, arguments, stdio="pty"))
            return board, re.search(r"/dev/pts/\d+", await board.printed("redirected to"))[0]

        yield go


async def tool(module, *words, check=True):
    """Runs a tool to its end; returns (its exit status, what it printed)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tools.{module}",
        *map(str, words),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0 or not check, output.decode()
    return process.returncode, output.decode()


async def on_board(port, work, fresh=False):
    """`work(link)` in a thread: the emulator's output is read meanwhile."""

    def run():
        with Link(port, fresh) as link:
            return work(link)

    return await asyncio.to_thread(run)


def put(files, said=None, progress=lambda done, total: None):
    def work(link):
        return flash.Flasher(link, BOARD, files, (said if said is not None else []).append, progress).run()

    return work


@pytest.mark.timeout(300)
async def test_the_whole_firmware_goes_onto_a_board_and_runs_there(start):
    _, port = await start(blocks=1024)
    _, said = await tool("flash", "qemu_mps2", port, "--soft", "--log", "0.5")
    files = flash.firmware(BOARD)
    assert f"{len(files)} files to write" in said and f"verified: the SHA-256 of {len(files)} files" in said
    code = "from station.charging import interlock\nfrom station.ocpp import websocket\nprint(interlock.__file__)"
    _, printed = await tool("shell", port, "--run", code)
    assert printed.strip().endswith("interlock.mpy")
    _, said = await tool("flash", "qemu_mps2", port, "--soft", "--log", "0.5")
    assert f"0 files to write (0 bytes), 0 to remove, {len(files)} are right" in said


async def test_only_what_differs_is_written_and_what_is_stale_removed(start):
    _, port = await start()
    assert await on_board(port, put(FILES))
    assert not await on_board(port, put(FILES))
    await on_board(port, lambda link: link.write("/settings.json", b"{}"))
    newer = {"main.py": b"mark = 2\n", "station/a.mpy": FILES["station/a.mpy"]}
    said, sent = [], []
    assert await on_board(port, put(newer, said, lambda done, total: sent.append((done, total))))
    assert "1 files to write (9 bytes), 1 to remove, 1 are right" in said
    assert sent == [(9, 9)]
    listing = "print(sorted(__import__('os').listdir('/')), __import__('os').listdir('/station'))"
    found = await on_board(port, lambda link: link.run(listing))
    assert found == f"{sorted([LIST[1:], 'main.py', 'settings.json', 'station'])} ['a.mpy']\n"


async def test_a_file_that_went_bad_is_found_and_mended(start):
    _, port = await start()
    await on_board(port, put(FILES))
    await on_board(port, lambda link: link.write("/station/a.mpy", b"a" * 2999 + b"b"))
    said = []
    await on_board(port, put(FILES, said))
    assert "1 files to write (3000 bytes), 0 to remove, 2 are right" in said


async def test_what_was_interrupted_is_finished_the_next_time(start):
    board, port = await start()

    class Cut(Exception):
        pass

    def cut(done, total):
        if done >= 2000:
            raise Cut

    with pytest.raises(Cut):
        await on_board(port, put(FILES, progress=cut))
    await board.kill()
    _, port = await start()
    await on_board(port, put({"main.py": b"mark = 3\n"}))
    found = await on_board(port, lambda link: link.run("print(sorted(__import__('os').listdir('/')))"))
    assert found == f"{[LIST[1:], 'main.py']}\n"  # what came before the cut was ours to remove


async def test_no_room_is_told_before_anything_is_written(start):
    _, port = await start(blocks=16)
    with pytest.raises(flash.FlashError, match=r"no room: \d+ bytes are needed in blocks of 4096, \d+ are free"):
        await on_board(port, put({"station/big.mpy": bytes(80_000)}))
    assert await on_board(port, lambda link: link.run("print(__import__('os').listdir('/'))")) == "[]\n"


async def test_the_wrong_board_is_refused(start):
    _, port = await start()
    status, said = await tool("flash", "esp32_eth", port, check=False)
    assert status == 1
    assert "its processor is armv7em, the firmware of this board is for xtensawin: wrong BOARD?" in said


async def test_the_boot_is_shown(start):
    _, port = await start()
    await on_board(port, put({"main.py": b"print('the boot log')\n"}))
    shown = []

    def work(link):
        link.soft_reset()
        link.follow(2, shown.append)

    await on_board(port, work)
    assert "the boot log" in shown


async def test_a_program_that_runs_is_interrupted(start):
    _, port = await start()
    await on_board(port, put({"main.py": b"import time\nwhile True:\n    time.sleep(1)\n"}))
    await on_board(port, lambda link: link.soft_reset())
    assert not await on_board(port, put({"main.py": b"import time\nwhile True:\n    time.sleep(1)\n"}))


@pytest.mark.parametrize("fresh", [False, True])
async def test_the_watchdog_of_a_station_is_fed_while_the_tools_work(start, fresh):
    board, port = await start()
    watchdog = b"import machine\n\nwdt = machine.WDT(timeout=8000)\n"
    main = b"import station.drivers.watchdog\nwhile True:\n    pass\n"
    await on_board(port, put({"station/drivers/watchdog.py": watchdog, "main.py": main}))
    await on_board(port, lambda link: link.soft_reset())

    def work(link):
        link.run("mark = 7")
        link.run("import time\ntime.sleep(12)", within=30)
        return link.value("(mark, __import__('machine').reset_cause() == __import__('machine').WDT_RESET)")

    assert await on_board(port, work, fresh) == (7, False)
    assert board.status is None


async def test_nothing_of_the_program_that_ran_is_left_when_files_are_written(start):
    _, port = await start()
    main = b"import machine, sys\nticks = [0]\n\ndef tick(t):\n    ticks[0] += 1\n\n"
    main += b"timer = machine.Timer(-1, period=5, callback=tick)\n"
    await on_board(port, put({"main.py": main}))
    await on_board(port, lambda link: link.soft_reset())
    ran = "ticks[0] > 0 if 'ticks' in globals() else None"
    assert await on_board(port, lambda link: link.value(f"__import__('time').sleep_ms(100) or {ran}")) is True
    assert await on_board(port, lambda link: link.value(ran), fresh=True) is None


async def test_provisioning_replaces_the_file_as_a_whole(start, tmp_path):
    file, ca = tmp_path / "station.json", tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    for number in ("A", "B"):  # a reset of the emulated board ends it
        board, port = await start()
        words = provisioning("wss://csms.example/ocpp", identity={"serial": number})
        file.write_text(json.dumps(words))
        _, said = await tool("provision", "qemu_mps2", port, file, "--ca", ca)
        assert "/provision.json: " in said and "verified" in said
        assert await board.ended() == emulator.RESET_STATUS
    _, port = await start()
    read = "import os\nprint(os.listdir('/'))\nwith open('/provision.json') as f: print(f.read())"
    files, text = (await on_board(port, lambda link: link.run(read))).split("\n", 1)
    assert files == "['provision.json']"
    words["backend"]["ca"] = ca.read_text()
    assert json.loads(text) == words


async def test_the_log_is_shown_without_interrupting(start):
    _, port = await start()
    count = b"import time\nn = 0\nwhile True:\n    n += 1\n    print('line', n)\n    time.sleep_ms(100)\n"
    await on_board(port, put({"main.py": count}))
    await on_board(port, lambda link: link.soft_reset())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.shell", port, "--log", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        lines = [await asyncio.wait_for(process.stdout.readline(), 20) for _ in range(6)]
    finally:
        process.terminate()
        await process.wait()
    numbers = [int(line.split()[1]) for line in lines[1:] if line.startswith(b"line")]
    assert len(numbers) == 5 and numbers == list(range(numbers[0], numbers[0] + 5))


async def test_make_shell_is_mpremotes_prompt(start):
    _, port = await start()
    await on_board(port, lambda link: link.run("started = True"))  # what is typed before is lost
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        "make", "--silent", "shell", f"PORT={port}", cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""

    async def until(text):
        nonlocal seen
        while text not in seen:
            try:
                seen += await asyncio.wait_for(asyncio.to_thread(os.read, ours, 1024), 20)
            except asyncio.TimeoutError:
                pytest.fail(f"no {text} in {seen}")

    try:
        await until(b"to exit this shell\r\n")
        os.write(ours, b"print(6 * 7)\r")
        await until(b"42\r\n")
        os.write(ours, b"\x1d")  # Ctrl-]
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
        os.close(ours)


async def test_an_error_on_the_board_comes_with_its_traceback(start):
    _, port = await start()
    with pytest.raises(LinkError, match="ZeroDivisionError"):
        await on_board(port, lambda link: link.run("1 / 0"))
    status, said = await tool("shell", port, "--run", "1 / 0", check=False)
    assert status == 1 and "ZeroDivisionError" in said and "tools/" not in said
