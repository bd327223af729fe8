"""What the tools say where there is no board, no MicroPython on it, or no SDK."""

import os
import pty
import subprocess
import sys
import threading

import pytest

from tools import board_link, build_ports
from tools.boards import BOARDS, ROOT


def run(*words, **environment):
    environment = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", *words], check=False, capture_output=True, text=True, cwd=ROOT, env=environment
    )


def test_no_port_lists_the_ports():
    with pytest.raises(board_link.LinkError, match="PORT=… is missing; the serial ports here:"):
        board_link.opened(None)


def test_a_port_that_is_not_there(tmp_path):
    done = run("tools.shell", str(tmp_path / "ttyX"), "--run", "1")
    assert done.returncode == 1
    assert "cannot be opened" in done.stderr and "the serial ports here:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def deaf():
    """A terminal at which nobody is; what is sent there is read and thrown away."""
    ours, theirs = pty.openpty()

    def swallow():
        try:
            while os.read(ours, 1024):
                pass
        except OSError:
            pass

    thread = threading.Thread(target=swallow, daemon=True)
    thread.start()
    yield os.ttyname(theirs)
    os.close(theirs)
    thread.join()
    os.close(ours)


def test_something_else_than_micropython(deaf, monkeypatch):
    monkeypatch.setattr(board_link, "ENTER_S", 0.5)
    with pytest.raises(board_link.LinkError, match="no MicroPython answers there"), board_link.Link(deaf):
        pass


def test_make_firmware_names_all_that_is_missing():
    for board in ("esp32_eth", "nucleo_h743zi"):
        done = run("tools.firmware", board, MICROPY_DIR="", IDF_PATH="", PATH="/nowhere")
        assert done.returncode == 1
        assert "cannot be built here, missing:" in done.stderr and "MICROPY_DIR:" in done.stderr
        assert f"make flash BOARD={board}" in done.stderr
        assert ("idf.py" if board == "esp32_eth" else "arm-none-eabi-gcc") in done.stderr


def test_what_is_missing_is_found_out(tmp_path):
    tree, tools = tmp_path / "micropython", tmp_path / "bin"
    (tree / "ports" / "stm32").mkdir(parents=True)
    (tree / "ports" / "stm32" / "Makefile").touch()
    tools.mkdir()
    for name in ("make", "arm-none-eabi-gcc"):
        (tools / name).touch(mode=0o755)
    board, environment = BOARDS["nucleo_h743zi"], {"MICROPY_DIR": str(tree), "PATH": str(tools)}
    (line,) = build_ports.missing(board, environment)
    assert "stm32lib" in line
    (tree / "lib" / "stm32lib" / "STM32H7xx_HAL_Driver").mkdir(parents=True)
    assert not build_ports.missing(board, environment)
    assert f"BOARD_DIR={board.folder}" in build_ports.words(board, environment)
    assert len(build_ports.missing(BOARDS["esp32_eth"], environment)) == 3


def test_an_unknown_board_is_refused_with_those_there_are():
    done = run("tools.flash", "esp8266")
    assert done.returncode == 2
    assert "nucleo_h743zi" in done.stderr
