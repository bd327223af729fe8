"""Builds a real board's image with MicroPython's own build, where what that needs is at hand: `build(name)`.

Needed: MicroPython's sources with their submodules (MICROPY_DIR); for an ESP32 the ESP-IDF, its environment set up
(IDF_PATH, idf.py); for an STM32 arm-none-eabi-gcc. What is missing is named, all of it, with where to get it.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tools.boards import BOARDS, BUILD, ROOT

IMAGES = {"esp32": "firmware.bin", "stm32": "firmware.hex"}


class BuildError(Exception):
    """Something is missing, or the build failed; the text says what."""


def missing(board, environment):
    """What is not at hand, a line each."""
    found = []
    tree = environment.get("MICROPY_DIR")
    if not tree:
        found.append(
            "MICROPY_DIR: MicroPython's sources, 1.27 or newer: git clone https://github.com/micropython/micropython"
        )
    elif not (Path(tree) / "ports" / board.port / "Makefile").exists():
        found.append(f"{tree}/ports/{board.port}: MICROPY_DIR is not MicroPython's sources")
    path = environment.get("PATH", "")
    if board.port == "esp32":
        if not environment.get("IDF_PATH"):
            found.append("IDF_PATH: the ESP-IDF 5.4.2 or newer: install it, then `. export.sh`")
        if not shutil.which("idf.py", path=path):
            found.append("idf.py: not on PATH: `. $IDF_PATH/export.sh`")
    else:
        if not shutil.which("arm-none-eabi-gcc", path=path):
            found.append("arm-none-eabi-gcc: not on PATH: Debian's gcc-arm-none-eabi and libnewlib-arm-none-eabi")
        if tree and not (Path(tree) / "lib" / "stm32lib" / "STM32H7xx_HAL_Driver").exists():
            found.append(f"{tree}/lib/stm32lib: ST's drivers: make -C {tree}/ports/stm32 submodules")
    if not shutil.which("make", path=path):
        found.append("make: not on PATH")
    return found


def words(board, environment):
    """The command that builds it."""
    tree = Path(environment["MICROPY_DIR"])
    return [
        "make",
        f"-j{os.cpu_count()}",
        f"--directory={tree / 'ports' / board.port}",
        f"BOARD={board.name}",
        f"BOARD_DIR={board.folder}",
        f"BUILD={BUILD / board.name}",
    ]


def build(name):
    """Builds the image and yields a line on it; raises BuildError."""
    board = BOARDS[name]
    lacks = missing(board, os.environ)
    if lacks:
        raise BuildError(
            f"{name}: its image cannot be built here, missing:\n  " + "\n  ".join(lacks) + "\nA board that runs "
            f"MicroPython's own image takes the firmware without that: make flash BOARD={name} PORT=…"
        )
    environment = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
    if subprocess.run(words(board, environment), check=False, env=environment).returncode:
        raise BuildError(f"{name}: the build failed, see above")
    path = BUILD / name / IMAGES[board.port]
    yield f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes"
