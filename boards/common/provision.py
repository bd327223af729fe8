"""The provisioning file of a board: `read(path)` it, or raise an error that says how it gets there.

`make provision BOARD=… PORT=… FILE=…` writes it, see tools/provision.py.
"""

NAME = "provision.json"


def read(path: str, filesystem=None) -> bytes:
    """The file's JSON text. `filesystem`: the one it lies in, where that is not mounted yet; `path` is within it then.

    Raises OSError with the path and what to do.
    """
    opener = filesystem.open if filesystem else open
    try:
        with opener(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OSError("%s: the provisioning file cannot be read (%s): make provision writes it" % (path, error))
