"""The host of the simulation: files that outlive the process, and the time. What touches files raises OSError."""

import os
import time


def now_ms() -> int:
    """Since 1970, moved by what `time.advance` skipped."""
    return time.time_ns() // 1_000_000


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def replace(path: str, content: "bytes | str") -> None:
    """The file holds the old content or the new one, whenever the process is killed."""
    with open(path + ".new", "w") as file:
        file.write(content)
    os.rename(path + ".new", path)


def folder(path: str) -> None:
    """Make it, if it is not there."""
    try:
        os.stat(path)
    except OSError:
        os.mkdir(path)
