"""Builds the images of boards/qemu_mps2: the firmware, and a stock one with nothing of ours in it.

Out of tree: MicroPython's ports/qemu with the board's C joined to it, no file of the sources is changed.
"""

import fcntl
import os
import re
import shutil
import subprocess

from tools import sources
from tools.sources import ROOT

BOARD = ROOT / "boards" / "qemu_mps2"
BUILD = ROOT / "build" / "boards" / "qemu_mps2"
MANIFESTS = {"firmware": BOARD / "manifest.py", "stock": BOARD / "stock" / "manifest.py"}
MANIFESTS["code"] = BOARD / "code" / "manifest.py"  # to be measured, not run
IMAGES = ("firmware", "stock")
EPOCH = "1767225600"  # of files' times in the image, unless SOURCE_DATE_EPOCH says another
VERSION = {"MICROPY_GIT_TAG": "v1.26.1", "MICROPY_GIT_HASH": "v1.26.1"}
LOG_LINES = 30


class BuildError(Exception):
    """The build failed; the text is the end of its log."""


def image(name="firmware"):
    """Builds the image `name`, a key of MANIFESTS, if anything of it has changed; returns its path."""
    sources.programs("arm-none-eabi-gcc", "make")
    tree, cross = sources.micropython(), sources.mpy_cross()
    library = BUILD / "micropython-lib"  # the manifests name no package of it, but the tool wants the folder
    library.mkdir(parents=True, exist_ok=True)
    (library / "README.md").touch()
    folder = BUILD / name
    folder.mkdir(exist_ok=True)
    path = BUILD / f"{name}.elf"
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _discard_if_stale(folder)
        _make(tree, cross, library, folder, MANIFESTS[name])
        built = folder / "firmware.elf"
        if not path.exists() or path.read_bytes() != built.read_bytes():
            fresh = path.with_suffix(".new")
            shutil.copyfile(built, fresh)
            fresh.replace(path)  # an emulator may be reading the old one
    return path


def sizes(name="firmware"):
    """{"text", "data", "bss", "frozen"} of a built image in bytes; `frozen` is the share of our own Python."""
    folder = BUILD / name
    text, data, bss = _size(folder / "firmware.elf")
    return {"text": text, "data": data, "bss": bss, "frozen": sum(_size(folder / "frozen_content.o")[:2])}


def _discard_if_stale(folder):
    """make does not see a changed flag: what was built with others is thrown away."""
    flags = (BOARD / "mpconfigboard.mk").read_text()
    stamp = folder / "flags"
    if stamp.exists() and stamp.read_text() == flags:
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix in (".o", ".d", ".c", ".elf"):
            path.unlink()
    stamp.write_text(flags)


def _make(tree, cross, library, folder, manifest):
    words = [
        "make",
        f"-j{os.cpu_count()}",
        f"--directory={tree / 'ports' / 'qemu'}",
        "BOARD=qemu_mps2",
        f"BOARD_DIR={BOARD}",
        f"BUILD={folder}",
        f"FROZEN_MANIFEST={manifest}",
        f"MPY_LIB_DIR={library}",
        f"MICROPY_MPYCROSS={cross}",
        "MICROPY_MPYCROSS_DEPENDENCY=",
        f"{folder}/firmware.elf",
    ]
    # Neither the day nor our own repository's state goes into the image.
    environment = {"SOURCE_DATE_EPOCH": EPOCH, **os.environ, **VERSION}
    environment.pop("MAKEFLAGS", None)  # of the make that may have started us
    done = subprocess.run(
        words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    (folder / "build.log").write_text(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-LOG_LINES:])
        raise BuildError(f"{manifest.relative_to(ROOT)}: the build failed\n{tail}")


def _size(path):
    done = subprocess.run(["arm-none-eabi-size", str(path)], text=True, stdout=subprocess.PIPE, check=True)
    return [int(word) for word in re.findall(r"\d+", done.stdout.splitlines()[1])[:3]]


def build(_):
    """Builds both images and yields a line on each."""
    for name in IMAGES:
        path = image(name)
        size = sizes(name)
        yield f"{path.relative_to(ROOT)}: text {size['text']} B, of it our Python {size['frozen']} B"
