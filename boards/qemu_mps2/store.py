"""The host behind the emulator, as `boards/unix/store.py`: files that outlive a run, and the time."""

import time

import qemu
import utime


def now_ms() -> int:
    """Since 1970, moved by what `time.advance` skipped. The host counts seconds; the board's own clock may be unset."""
    return qemu.host_time() * 1000 + (time.time_ns() - utime.time_ns()) // 1_000_000


def read(path: str) -> bytes:
    return qemu.read_host_file(path)


def replace(path: str, content: "bytes | str") -> None:
    """The file holds the old content or the new one, whenever the emulator is killed."""
    qemu.write_host_file(path + ".new", content)
    qemu.rename_host_file(path + ".new", path)


def folder(path: str) -> None:
    """It must be there: semihosting makes none."""
    qemu.host_size(path)
