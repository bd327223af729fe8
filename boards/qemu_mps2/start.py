"""The firmware image's beginning: a script of the host, if `script=PATH` is given, else the station.

A script is run as `__main__`, with the board's own `machine` and `time`, or with the simulated devices at its pins if
`devices=simulated` is given. The host's files are under /host meanwhile, for imports and `open`; `path=` names more
folders of the host for `sys.path`, with colons between them.
"""

import sys

import qemu

WRONG_STATUS = 2


def mount_host() -> None:
    import vfs
    from hostfs import Host

    vfs.mount(Host(), "/host")


def run_script(path: str) -> None:
    if qemu.argument("devices") != "simulated":
        import umachine
        import utime

        sys.modules["machine"] = umachine
        sys.modules["time"] = utime
    mount_host()
    for folder in (qemu.argument("path") or "").split(":"):
        if folder:
            sys.path.insert(0, "/host" + folder)
    exec(compile(qemu.read_host_file(path), path, "exec"), {"__name__": "__main__", "__file__": "/host" + path})


def boot() -> None:
    """The station; ends with WRONG_STATUS if it was asked for wrongly."""
    if qemu.argument("control") is None:  # nobody will move the clock
        import utime

        sys.modules["time"] = utime
    import asyncio  # noqa: F401
    import gc

    gc.collect()
    before = gc.mem_alloc()
    import board

    extension = qemu.argument("extension")
    if extension:
        mount_host()
        folder, _, name = extension.rpartition("/")
        sys.path.append("/host" + folder)
        board.EXTENSIONS = (name[: -len(".py")],)
    elif qemu.argument("play") is not None:
        board.EXTENSIONS = ("player",)
    try:
        board.setup()
    except (OSError, ValueError) as error:
        refuse(str(error))
    gc.collect()
    board.models_bytes = gc.mem_alloc() - before
    try:
        import boot  # noqa: F401 - picks the application
        import main  # noqa: F401 - builds the station and runs it
    except Exception as error:
        # by its name: to import it would load the package, before `boot` has said from where
        if type(error).__name__ != "ProvisioningError":
            raise
        refuse(str(error))


def refuse(text: str) -> None:
    print(text, file=sys.stderr)
    qemu.exit(WRONG_STATUS)


_script = qemu.argument("script")
if _script:
    run_script(_script)
else:
    boot()
