"""An application for one of a board's slots: `python -m tools.application BOARD VERSION OUT.romfs [--source FOLDER]`.

A ROMFS image of the package `station`, compiled for the board's processor, and of its version. What belongs to the base
image, boot.py, boot_choice.py, main.py and board.py, is not in it.
"""

import argparse
import platform
import sys
from pathlib import Path

from tools import mpy
from tools.boards import BOARDS, ROOT
from tools.flash import romfs_image

PACKAGE = "station"
VERSION_FILE = "version.txt"  # firmware/station/update/slots.py reads it
UNIX = "unix"
_UNIX_ARCHS = {"x86_64": "x64", "AMD64": "x64", "i686": "x86", "armv7l": "armv7m"}


class ApplicationError(Exception):
    """No image can be made; the text says why."""


def arch_of(board):
    """mpy-cross's name for the processor of a board, or of this machine for "unix"."""
    if board in BOARDS:
        return BOARDS[board].arch
    if board != UNIX:
        raise ApplicationError(f"{board}: no such board, there are {', '.join(sorted([*BOARDS, UNIX]))}")
    if platform.machine() not in _UNIX_ARCHS:
        raise ApplicationError(f"{platform.machine()}: MicroPython has no native code for this processor")
    return _UNIX_ARCHS[platform.machine()]


def image(board, version, source=ROOT / "firmware"):
    """The bytes of the ROMFS image of the package in the folder `source`. Raises ApplicationError, CompileError."""
    files = {path.relative_to(source).as_posix(): path for path in sorted((source / PACKAGE).rglob("*.py"))}
    if not files:
        raise ApplicationError(f"{source}: there is no {PACKAGE}/ in it")
    compiled = mpy.compiled(files, arch_of(board))
    return romfs_image({**compiled, VERSION_FILE: version.encode() + b"\n"})


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.application", description=__doc__.splitlines()[0])
    parser.add_argument("board", metavar="BOARD", help=", ".join(sorted([*BOARDS, UNIX])))
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("out", metavar="OUT.romfs", type=Path)
    parser.add_argument("--source", metavar="FOLDER", type=Path, default=ROOT / "firmware")
    words = parser.parse_args()
    try:
        data = image(words.board, words.version, words.source)
    except (ApplicationError, mpy.CompileError) as error:
        sys.exit(f"application: {error}")
    words.out.write_bytes(data)
    print(f"written: {words.out}, {len(data):,} bytes")


if __name__ == "__main__":
    main()
