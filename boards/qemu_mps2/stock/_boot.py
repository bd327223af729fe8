"""Mounts the file of the argument `flash=` as "/"; formats it when it holds no file system yet."""

import qemu
import vfs

_path = qemu.argument("flash")
if _path:
    _flash = qemu.Flash(_path, int(qemu.argument("blocks") or 512))
    try:
        vfs.mount(vfs.VfsLfs2(_flash, progsize=32), "/")
    except OSError:
        vfs.VfsLfs2.mkfs(_flash, progsize=32)
        vfs.mount(vfs.VfsLfs2(_flash, progsize=32), "/")
