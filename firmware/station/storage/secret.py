"""The board's own secret, of which the names of cards in flash are made: `load` it, else `make` and `store` one.

A secret that is lost (`storage.atomic` says so in the log) takes with it whatever was named by it. The caller clears
that before he stores the new one: then a power cut in between leaves no secret, and the next boot does it again.

Cards are few enough for all of them to be tried by whoever has read this file, too: a board that can keep it where
nobody reads it from outside should.
"""

import os

from micropython import const

from station.storage import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.log import Log

_SIZE = const(32)


def load(path: str, log: "Log") -> "bytes | None":
    """The secret; None if there is none yet, or it is lost."""
    secret = atomic.load(path, log)
    if secret is not None and len(secret) != _SIZE:
        log.error("storage", "%s holds no secret, but %d bytes: another one is made", path, len(secret))
        return None
    return secret


def make() -> bytes:
    """A new one, at random."""
    return os.urandom(_SIZE)


def store(path: str, secret: bytes, log: "Log") -> None:
    """Keep it for the next start. If flash refuses, it serves until then only, which is logged."""
    try:
        atomic.replace(path, secret)
    except OSError as error:
        log.error("storage", "%s cannot be stored, all cards will be forgotten at the next start: %s", path, error)
