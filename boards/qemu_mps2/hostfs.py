"""`Host`: the host's files under a mount point, for reading; import finds modules there too.

The host tells by semihosting what a path holds, but not what a folder contains: there is no listing.
"""

import errno
import io

import qemu
from micropython import const

_FOLDER = const(0x4000)
_FILE = const(0x8000)


class Host:
    """A file system for `vfs.mount`. `root` is the host's folder, "" for all of the host."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._here = "/"

    def mount(self, readonly: bool, mkfs: bool) -> None:
        pass

    def umount(self) -> None:
        pass

    def open(self, path: str, mode: str):
        if "w" in mode or "a" in mode or "+" in mode:
            raise OSError(errno.EROFS)
        content = qemu.read_host_file(self._path(path))
        return io.BytesIO(content) if "b" in mode else io.StringIO(content.decode())

    def stat(self, path: str) -> tuple:
        size = qemu.host_size(self._path(path))
        return (_FOLDER if size < 0 else _FILE, 0, 0, 0, 0, 0, max(size, 0), 0, 0, 0)

    def chdir(self, path: str) -> None:
        self._here = path if path.startswith("/") else self._here.rstrip("/") + "/" + path

    def getcwd(self) -> str:
        return self._here

    def _path(self, path: str) -> str:
        if not path.startswith("/"):
            path = self._here.rstrip("/") + "/" + path
        return self._root + path
