"""A littlefs on a flash in RAM, for tests of parts that keep a small file: `mount`, `unmount`."""

import os

from flashes import CuttableFlash

MOUNT = "/ramdisk"


def mount() -> CuttableFlash:
    """A fresh one at `MOUNT`; gives its flash, which counts programs and can be told to fail."""
    flash = CuttableFlash(16, quiet=True)
    os.VfsLfs2.mkfs(flash, progsize=flash.word)
    os.mount(os.VfsLfs2(flash, progsize=flash.word), MOUNT)
    return flash


def unmount() -> None:
    os.umount(MOUNT)
