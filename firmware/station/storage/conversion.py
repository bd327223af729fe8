"""The version of what the small files hold, and the way to it from an older one: `convert(log)`.

An application on trial leaves the files as it finds them, for the one before may come back: it reads the older format
as well. They are converted at its first start after it was confirmed. Should a person go back to the former one all
the same, it starts on what it finds: what it does not know in a file it takes for absent, and says so.

A step is a function of (folder, log) that brings the files one version further. A power cut may have it done twice.
The raw regions have versions of their own: in the first word of a block of the journal and of a state of the card
table, in the records of boot_choice.py and of update/transaction.py.
"""

from station.storage import atomic, filesystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log

STEPS: "tuple[Callable[[str, Log], None], ...]" = ()  # from version 1 to 2, from 2 to 3, …
_NAME = "/format.json"


def convert(log: "Log", root: str = filesystem.ROOT, steps: "tuple[Callable[[str, Log], None], ...]" = STEPS) -> None:
    """Bring the files in `root` to the version that these steps lead to.

    Nothing is raised: where the flash does not take it, the files stay in the version that they have.
    """
    path = root + _NAME
    newest = 1 + len(steps)
    found = atomic.load_json(path, log)
    if not isinstance(found, int) or found < 1:
        found = 1  # a new station, on which there is nothing to convert, or one of before there were versions
    if found > newest:
        log.warning("storage", "the files have version %d, %d is known: what is not known is left", found, newest)
        return
    try:
        for version in range(found, newest):
            steps[version - 1](root, log)
            atomic.replace_json(path, version + 1)
            log.info("storage", "the files are converted to version %d", version + 1)
        atomic.replace_json(path, newest)
    except OSError as error:
        log.error("storage", "the files are not converted: %s", error)
