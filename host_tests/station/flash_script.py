"""Run by MicroPython on the flash of a station that is switched off: looks at its files and damages them.

    micropython flash_script.py BOARD_FOLDER FIRMWARE_FOLDER PROVISION STATE < STEPS

STEPS is a JSON list: ["write", name, text], ["store", name, text] (with a good checksum), ["flip", name, byte, bit]
(a bit turns over), ["fill"] (until no file can grow), ["list"]. Prints what the last step found, as JSON.
"""

import json
import os
import sys

sys.path[:0] = sys.argv[1:3]

import board  # noqa: E402
import vfs  # noqa: E402
from station.storage import atomic  # noqa: E402

ROOT = "/flash/"


def write(name, text):
    with open(ROOT + name, "wb") as file:
        file.write(text.encode())


def store(name, text):
    atomic.replace(ROOT + name, text.encode())


def flip(name, byte, bit):
    with open(ROOT + name, "rb") as file:
        content = bytearray(file.read())
    content[byte] ^= 1 << bit
    with open(ROOT + name, "wb") as file:
        file.write(content)


def fill():
    """A large file takes nearly all blocks, small ones the rest, of blocks and of the directory."""
    with open(ROOT + "filler", "wb") as file:
        for _ in range(os.statvfs("/flash")[3] - 6):  # free blocks
            file.write(b"x" * 4096)
    for size in (4096, 60):
        count = 0
        try:
            while True:
                with open(ROOT + "filler%d-%d" % (size, count), "wb") as file:
                    file.write(b"x" * size)
                count += 1
        except OSError:
            pass  # full


def list_all():
    found = {}
    for name in os.listdir(ROOT):
        with open(ROOT + name, "rb") as file:
            found[name] = repr(file.read(200))
    return found


STEPS = {"write": write, "store": store, "flip": flip, "fill": fill, "list": list_all}

board.setup(sys.argv[3], sys.argv[4])
vfs.mount(vfs.VfsLfs2(board.filesystem()), "/flash")
result = None
for step in json.load(sys.stdin):
    result = STEPS[step[0]](*step[1:])
vfs.umount("/flash")
print(json.dumps(result))
