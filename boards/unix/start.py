"""Boots the firmware on the unix board: `micropython start.py PROVISION.json --state DIR [--control PORT] …`.

Exit statuses: 75 the firmware asks to be started again, 2 wrong arguments or provisioning, 1 the firmware failed.
"""

import os
import sys

_here = __file__.rpartition("/")[0] or "."
sys.path.insert(0, _here)
sys.path.insert(1, _here + "/../../firmware")

import board  # noqa: E402

USAGE = """usage: start.py PROVISION.json --state DIR [--control PORT] [--extension FILE.py] [--poles N] [--pilot KIND]
                [--line TTY]"""
WRONG_STATUS = 2


class UsageError(Exception):
    pass


def arguments(words: "list[str]") -> "tuple[str, str, int | None, str | None, int, str, str | None]":
    """(provisioning, state directory, control port or None, extension or None, poles, pilot, tty or None).

    Raises UsageError.
    """
    files, options = [], {}
    words = list(words)
    while words:
        word = words.pop(0)
        if word not in ("--state", "--control", "--extension", "--poles", "--pilot", "--line"):
            files.append(word)
        elif not words:
            raise UsageError(word + " takes a value")
        else:
            options[word] = words.pop(0)
    if len(files) != 1 or files[0].startswith("-") or "--state" not in options:
        raise UsageError("one provisioning file and --state DIR are needed")
    port = options.get("--control")
    if port is not None:
        if not port.isdigit() or int(port) > 65535:
            raise UsageError("--control must be a port from 0 to 65535, got %r" % port)
        port = int(port)
    poles = options.get("--poles", "1")
    if poles not in ("1", "2"):
        raise UsageError("--poles must be 1 or 2, got %r" % poles)
    pilot = options.get("--pilot", board.PILOTS[0])
    if pilot not in board.PILOTS:
        raise UsageError("--pilot must be one of %s, got %r" % (", ".join(board.PILOTS), pilot))
    return files[0], options["--state"], port, options.get("--extension"), int(poles), pilot, options.get("--line")


def extension(path: str) -> str:
    """The name under which the module in the file `path` can be imported from now on; raises UsageError."""
    directory, _, name = path.rpartition("/")
    try:
        os.stat(path)
    except OSError:
        raise UsageError("--extension: there is no file %s" % path)
    if not name.endswith(".py"):
        raise UsageError("--extension must be a Python file, got %r" % path)
    sys.path.append(directory or ".")
    return name[:-3]


def boot(words: "list[str]") -> None:
    try:
        provision, state, port, file, poles, pilot, line = arguments(words)
        board.setup(provision, state, port, poles, pilot, line)
        if file:
            board.EXTENSIONS = (extension(file),)
    except UsageError as error:
        refuse("%s\n%s" % (error, USAGE))
    except (OSError, ValueError) as error:
        refuse(str(error))
    try:
        import boot  # noqa: F401 - picks the application
        import main  # noqa: F401 - builds the station and runs it
    except Exception as error:
        # by its name: to import it would load the package, before `boot` has said from where
        if type(error).__name__ != "ProvisioningError":
            raise
        refuse("%s: %s" % (provision, error))


def refuse(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(WRONG_STATUS)


boot(sys.argv[1:])
