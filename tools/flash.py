"""Puts the firmware, compiled, onto a board that runs MicroPython: `python -m tools.flash BOARD PORT`.

Only what differs is sent; then every file's checksum is compared, files of an earlier firmware that are no longer in it
are removed, the board is reset and its log shown. Where the board has a ROMFS partition the firmware goes there as one
image, else it is files. Nothing that we did not put there is touched.
"""

import argparse
import contextlib
import io
import json
import sys

from mpremote.romfs import VfsRomWriter

from tools import flash_plan, manifest, mpy, partitions
from tools.board_link import Link, LinkError
from tools.boards import BOARDS, ROOT, STOCK_TABLE
from tools.flash_plan import LIST

LOG_S = 8  # that the log is shown after the reset
REGIONS = ("journal", "cards", "cache")

_LOOK = """
import os, hashlib, binascii, sys
def _sha(path):
    h = hashlib.sha256()
    buf = bytearray(1024)
    with open(path, 'rb') as f:
        while True:
            n = f.readinto(buf)
            if not n:
                break
            h.update(memoryview(buf)[:n])
    return binascii.hexlify(h.digest()).decode()
def _look(paths):
    for path in paths:
        try:
            size = os.stat(path)[6]
        except OSError:
            continue
        print('"%s": [%d, "%s"],' % (path, size, _sha(path)))
"""

_ROM_HASH = """
import hashlib, binascii, vfs
def _rom(n):
    dev = vfs.rom_ioctl(2, 0)
    h = hashlib.sha256()
    view = memoryview(dev)
    for at in range(0, n, 4096):
        h.update(view[at:min(at + 4096, n)])
    return binascii.hexlify(h.digest()).decode()
"""


class FlashError(Exception):
    """The board cannot take the firmware; the text says why and what to do."""


def firmware(board):
    """{path on the board: bytes} of all that a board's manifest names, compiled.

    But boot.py: it picks one of two slots, and a board that runs MicroPython's own image has but this firmware.
    """
    files = dict(manifest.resolve(board.folder / "manifest.py").files)
    files.pop("boot.py", None)
    return mpy.compiled(files, board.arch)


def romfs_image(files):
    """A ROMFS image of {path: bytes}; MicroPython's format, by mpremote's writer."""
    writer = VfsRomWriter()

    def folder(tree):
        for name, entry in sorted(tree.items()):
            if isinstance(entry, dict):
                writer.opendir(name)
                folder(entry)
                writer.closedir()
            else:
                writer.mkfile(name, entry)

    tree = {}
    for path, data in files.items():
        at = tree
        *above, name = path.split("/")
        for part in above:
            at = at.setdefault(part, {})
        at[name] = data
    folder(tree)
    return writer.finalise()


class Flasher:
    """Brings one board up to date. `say(text)` tells what is done; `progress(done, total)` while bytes are sent."""

    def __init__(self, link, board, files, say, progress=lambda done, total: None):
        self._link = link
        self._board = board
        self._files = files
        self._say = say
        self._progress = progress

    def run(self):
        """Does it all but the reset; returns whether anything was changed. Raises FlashError, LinkError."""
        link = self._link
        machine, version, code = link.value(
            "(lambda s: (getattr(s.implementation, '_machine', s.platform), s.version, "
            "getattr(s.implementation, '_mpy', 0)))(__import__('sys'))"
        )
        self._say(f"{machine}: {version}")
        if reason := mpy.mismatch(code, self._board.arch):
            raise FlashError(f"{self._board.name}: {reason}")
        self._require_partitions()
        if self._rom_bytes():
            return self._as_image()
        root = self._root()
        return self._as_files(root, {f"{root}/{path}": data for path, data in self._files.items()})

    def _require_partitions(self):
        """Raises FlashError if the flash of an ESP32 has not the partitions that the station keeps its data in."""
        if not self._board.table:
            return
        has = self._link.value(
            "[p.info()[4] for p in __import__('esp32').Partition.find(__import__('esp32').Partition.TYPE_DATA)]"
        )
        missing = [name for name in REGIONS if name not in has]
        if missing:
            path = partitions.made(self._board, stock=True)
            raise FlashError(
                f"{self._board.name}: its partition table has no {', '.join(missing)}. Write ours, {STOCK_TABLE}:\n"
                + partitions.how_to_write(self._board, path.relative_to(ROOT))
            )

    def _root(self):
        """Where the port has its writable file system: "" for "/", or "/flash"."""
        return self._link.value("(lambda os: '/flash' if os.getcwd() == '/flash' else '')(__import__('os'))")

    # --- as files

    def _as_files(self, root, wanted):
        link, list_path = self._link, root + LIST
        owned = self._owned(list_path)
        shadows = [path.removesuffix(".mpy") + ".py" for path in wanted if path.endswith(".mpy")]
        found = self._look([*wanted, *owned, *shadows])
        plan = flash_plan.plan(wanted, {path: digest for path, (_, digest) in found.items()}, owned)
        total = sum(len(wanted[path]) for path in plan.write)
        self._say(
            f"{len(plan.write)} files to write ({total} bytes), "
            f"{len(plan.remove)} to remove, {len(plan.keep)} are right"
        )
        if not plan.is_empty:
            self._require_room(root, wanted, plan, {path: size for path, (size, _) in found.items()})
            # from here on all of them are ours, whatever happens
            self._put_list(list_path, {*owned, *wanted})
            self._remove(plan.remove)
            self._make_folders(root, plan.write)
            self._write(wanted, plan.write, total)
            self._verify(wanted)
        if set(owned) != set(wanted):
            self._put_list(list_path, wanted)
            self._remove_empty_folders(root, set(owned) - set(wanted))
        link.run("import os\nif hasattr(os, 'sync'): os.sync()")
        return not plan.is_empty

    def _owned(self, list_path):
        try:
            text = self._link.run(f"with open({list_path!r}) as f: print(f.read(), end='')")
        except LinkError as error:
            if "ENOENT" not in str(error):
                raise
            return []
        return text.split()

    def _look(self, paths):
        """{path: (bytes, digest)} of those that are there, asked for in one go."""
        said = self._link.run(f"{_LOOK}\n_look({sorted(set(paths))!r})")
        return {path: tuple(row) for path, row in json.loads("{" + said.strip().rstrip(",") + "}").items()}

    def _require_room(self, root, wanted, plan, sizes):
        block, _, _, free = self._link.value(f"__import__('os').statvfs({root or '/'!r})[:4]")
        needed = flash_plan.room_needed(wanted, plan, sizes, block)
        if needed > block * free:
            raise FlashError(
                f"{self._board.name}: no room: {needed} bytes are needed in blocks of {block}, {block * free} are free"
            )

    def _put_list(self, list_path, paths):
        self._link.write(list_path, "".join(f"{path}\n" for path in sorted(paths)).encode())

    def _remove(self, paths):
        if paths:
            self._link.run(f"import os\nfor path in {paths!r}: os.remove(path)")

    def _make_folders(self, root, paths):
        wanted = [path for path in flash_plan.folders(paths) if path != root]
        self._link.run(f"import os\nfor path in {wanted!r}:\n try: os.stat(path)\n except OSError: os.mkdir(path)\n")

    def _write(self, wanted, paths, total):
        before = 0
        for path in paths:
            self._link.write(path, wanted[path], lambda done, before=before: self._progress(before + done, total))
            before += len(wanted[path])

    def _verify(self, wanted):
        found = self._look(wanted)
        wrong = [path for path, data in wanted.items() if found.get(path, (0, ""))[1] != flash_plan.digest(data)]
        if wrong:
            raise FlashError(f"{', '.join(wrong)}: not as it was sent. Is the flash worn, or the line bad?")
        self._say(f"verified: the SHA-256 of {len(wanted)} files")

    def _remove_empty_folders(self, root, gone):
        """Those in which only was what is `gone`."""
        paths = [path for path in reversed(flash_plan.folders(gone)) if path != root]
        self._link.run(
            f"import os\nfor path in {paths!r}:\n"
            " try:\n  if not os.listdir(path): os.rmdir(path)\n except OSError: pass\n"
        )

    # --- as a ROMFS image

    def _rom_bytes(self):
        """The size of the ROMFS partition, 0 if the board has none."""
        return self._link.value(
            "(lambda v: len(memoryview(v.rom_ioctl(2, 0))) if hasattr(v, 'rom_ioctl') and v.rom_ioctl(1) > 0 else 0)"
            "(__import__('vfs'))"
        )

    def _as_image(self):
        """main.py stays a file: MicroPython starts only that."""
        start = {path: data for path, data in self._files.items() if path == "main.py"}
        image = romfs_image({path: data for path, data in self._files.items() if path not in start})
        room = self._rom_bytes()
        if len(image) > room:
            raise FlashError(f"{self._board.name}: no room: the image has {len(image)} bytes, the partition {room}")
        self._link.run(_ROM_HASH)
        changed = self._link.value(f"_rom({len(image)})") != flash_plan.digest(image)
        self._say(f"ROMFS: {len(image)} of {room} bytes, " + ("to be written" if changed else "right already"))
        if changed:
            self._write_image(image)
            if self._link.value(f"_rom({len(image)})") != flash_plan.digest(image):
                raise FlashError("the ROMFS image is not as it was sent. Is the flash worn, or the line bad?")
            self._say("verified: the SHA-256 of the image")
        root = self._root()
        return self._as_files(root, {f"{root}/{path}": data for path, data in start.items()}) or changed

    def _write_image(self, image):
        link = self._link
        link.run("import vfs\ntry: vfs.umount('/rom')\nexcept OSError: pass\ndev = vfs.rom_ioctl(2, 0)")
        if link.value("hasattr(dev, 'ioctl')"):
            block = link.value("dev.ioctl(5, 0)")
            for number in range(-(-len(image) // block)):
                link.run(f"dev.ioctl(6, {number})")
                data = image[number * block : (number + 1) * block]
                link.run(f"dev.writeblocks({number}, {data!r}, 0)")
                self._progress(min(len(image), (number + 1) * block), len(image))
            return
        least = link.value(f"vfs.rom_ioctl(3, 0, {len(image)})")
        if least < 0:
            raise FlashError(f"the ROMFS partition cannot be erased: error {-least}")
        chunk = max(4096, least)
        for at in range(0, len(image), chunk):
            data = image[at : at + chunk].ljust(chunk, b"\0")
            link.run(f"vfs.rom_ioctl(4, 0, {at}, {data!r})")
            self._progress(min(len(image), at + chunk), len(image))
        link.run("vfs.rom_ioctl(5, 0)")


def bar(done, total, out=sys.stderr):
    """A line of progress that the next one overwrites."""
    out.write(f"\r{done * 100 // total:3} %  {done} of {total} bytes")
    if done >= total:
        out.write("\n")
    out.flush()


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.flash", description=__doc__.splitlines()[0])
    parser.add_argument("board", choices=sorted(BOARDS), metavar="BOARD", help=", ".join(sorted(BOARDS)))
    parser.add_argument("port", nargs="?", help="serial port; without it the ports are listed")
    parser.add_argument("--soft", action="store_true", help="start MicroPython anew instead of resetting the board")
    parser.add_argument("--log", type=float, default=LOG_S, metavar="S", help=f"show the log so long ({LOG_S})")
    words = parser.parse_args()
    board = BOARDS[words.board]
    try:
        files = firmware(board)
        with Link(words.port, fresh=True) as link:
            Flasher(link, board, files, print, bar if sys.stderr.isatty() else lambda done, total: None).run()
            link.soft_reset() if words.soft else link.reset()
            with contextlib.suppress(KeyboardInterrupt):
                link.follow(words.log, print)
    except (FlashError, LinkError, mpy.CompileError, manifest.ManifestError, partitions.TableError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace", line_buffering=True)
    main()
