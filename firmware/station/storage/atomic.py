"""Replace a small file on littlefs, or leave it as it was: `replace`, `load`, and both for JSON.

The file is its data and a trailer, the CRC-32 of the data. What a power cut leaves: the old file or the new
one, whole; perhaps also `path.new`, written in part, which nobody reads and the next `replace` overwrites.
A file whose trailer is wrong all the same (worn flash, a foreign hand) is set aside as `path.bad` and named
in the log; then the caller goes on with its defaults. Data that did not change is not written.
"""

import binascii
import errno
import json
import os
import struct

from micropython import const

_TRAILER = const(4)
_SEED = const(0x4C50)  # so that a file of zeros is not its own checksum
_CHUNK = const(128)


def replace(path: str, data: bytes) -> bool:
    """Make `data` the content of `path`. False if it already was, and nothing was written.

    Raises OSError (no space, worn flash); the old content is then still there.
    """
    trailer = struct.pack("<I", _checksum(data))
    if _is_same(path, data, trailer):
        return False
    new = path + ".new"
    try:
        with open(new, "wb") as file:
            file.write(data)
            file.write(trailer)
            file.flush()
        os.rename(new, path)
    except OSError as error:
        _remove(new)  # a full file system would not even have room for another try
        raise error
    return True


def load(path: str, log) -> "bytes | None":
    """The content of `path`; None if it is absent, or was corrupt and now is `path.bad`."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        _set_aside(path, log, "cannot be read (%s)" % error)
        return None
    data = content[:-_TRAILER]
    if len(content) < _TRAILER or struct.unpack("<I", content[-_TRAILER:])[0] != _checksum(data):
        _set_aside(path, log, "checksum is wrong")
        return None
    return data


def replace_json(path: str, value) -> bool:
    """`replace` with `value` as compact JSON."""
    return replace(path, json.dumps(value, separators=(",", ":")).encode())


def load_json(path: str, log):
    """`load` of what `replace_json` wrote; None as in `load`, and for text that is no JSON."""
    data = load(path, log)
    if data is None:
        return None
    try:
        return json.loads(data)
    except ValueError:
        _set_aside(path, log, "is no JSON")
        return None


def _checksum(data) -> int:
    return binascii.crc32(data, _SEED)


def _is_same(path: str, data: bytes, trailer: bytes) -> bool:
    """Compares piece by piece: the file may be larger than what the heap has in one piece."""
    try:
        if os.stat(path)[6] != len(data) + _TRAILER:
            return False
        buf = bytearray(_CHUNK)
        view, old = memoryview(buf), memoryview(data)
        with open(path, "rb") as file:
            for start in range(0, len(data), _CHUNK):
                piece = old[start : start + _CHUNK]
                if file.readinto(view[: len(piece)]) != len(piece) or view[: len(piece)] != piece:
                    return False
            return file.read() == trailer
    except OSError:
        return False  # absent or unreadable: it must be written


def _set_aside(path: str, log, why: str) -> None:
    try:
        os.rename(path, path + ".bad")
        log.error("storage", "%s %s: set aside as %s.bad", path, why, path)
    except OSError as error:
        log.error("storage", "%s %s, and cannot be set aside (%s)", path, why, error)


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass  # it was never made, or the flash is dead; the caller hears of the error that came first
