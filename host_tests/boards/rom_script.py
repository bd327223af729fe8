"""The board's side of test_romfs.py, in MicroPython: runs code line by line, with a ROMFS partition in RAM.

`micropython rom_script.py KIND`: "memory" as on an STM32 (rom_ioctl erases and writes), "object" as on an ESP32 (a
partition with readblocks and writeblocks), "none". A line in is JSON of code, a line out [what it printed, error].
"""

import io
import json
import sys

import vfs as port

KIND = sys.argv[1]
BLOCKS, BLOCK = 8, 4096
WRITES = 16  # bytes that "memory" programs at once


class Partition(bytearray):
    def ioctl(self, op, arg):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            self[arg * BLOCK : (arg + 1) * BLOCK] = b"\xff" * BLOCK
        return 0

    def writeblocks(self, block, buf, offset):
        program(self, block * BLOCK + offset, buf)


class Vfs:
    """`vfs` as on the board: the port's, with our rom_ioctl."""

    mounted = True
    complete = False

    def __getattr__(self, name):
        return getattr(port, name)

    def umount(self, path):
        Vfs.mounted = False

    def rom_ioctl(self, op, *words):
        if op == 1:
            return 0 if KIND == "none" else 1
        if op == 2:
            return flash if KIND == "object" else memoryview(flash)
        if KIND == "object":
            return -22
        if op == 3:
            whole = -(-words[1] // BLOCK) * BLOCK
            flash[:whole] = b"\xff" * whole
            return WRITES
        if op == 4:
            assert words[1] % WRITES == 0 and len(words[2]) % WRITES == 0
            program(flash, words[1], words[2])
            return 0
        Vfs.complete = True
        return 0


def program(cells, at, data):
    """As flash does: bits only become 0."""
    for byte in data:
        assert cells[at] == 0xFF, "not erased"
        cells[at] = byte
        at += 1


flash = Partition(bytes(BLOCKS * BLOCK)) if KIND == "object" else bytearray(BLOCKS * BLOCK)
sys.modules["vfs"] = Vfs()
names = {"flash": flash, "Vfs": Vfs}
for line in sys.stdin:
    printed = []

    def note(*words, sep=" ", end="\n", printed=printed):
        printed.append(sep.join([str(word) for word in words]) + end)

    names["print"] = note
    try:
        exec(json.loads(line), names)
        answer = ["".join(printed), None]
    except Exception as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        answer = ["", text.getvalue()]
    print(json.dumps(answer))
