"""The firmware image's beginning: a script of the host, if `script=PATH` is given, else the station.

A script is run as `__main__`. The host's files are under /host meanwhile, for imports and `open`; `path=` names more
folders of the host for `sys.path`, with colons between them.
"""

import sys

import qemu


def run_script(path: str) -> None:
    import vfs
    from hostfs import Host

    vfs.mount(Host(), "/host")
    for folder in (qemu.argument("path") or "").split(":"):
        if folder:
            sys.path.insert(0, "/host" + folder)
    exec(compile(qemu.read_host_file(path), path, "exec"), {"__name__": "__main__", "__file__": "/host" + path})


_script = qemu.argument("script")
if _script:
    run_script(_script)
else:
    import main  # noqa: F401 - builds the station and runs it
