"""The littlefs for small files: `mount` it at `ROOT`, formatting a flash that holds none.

littlefs itself survives a power cut at any write. A flash that cannot be mounted is formatted: the station then
starts with its defaults, which is better than a station that does not start; the log says so.
"""

import os

import vfs

ROOT = "/flash"


def mount(device, log) -> None:
    """Mount the littlefs of a block device at ROOT. Raises OSError only if the flash takes no format either.

    `device` None: the port has mounted a file system at "/" itself, and ROOT is a folder of it.
    """
    if device is None:
        try:
            os.stat(ROOT)
        except OSError:
            os.mkdir(ROOT)
        return
    try:
        filesystem = vfs.VfsLfs2(device)  # type: ignore[abstract]  # the stub takes it for an interface
    except OSError as error:
        log.warning("storage", "no file system on the flash (%s): formatting", error)
        vfs.VfsLfs2.mkfs(device)
        filesystem = vfs.VfsLfs2(device)  # type: ignore[abstract]  # the stub takes it for an interface
    vfs.mount(filesystem, ROOT)
