"""How a CALL begins: `action_of` its first bytes, so that its receiver knows early what to do with the rest."""

from micropython import const

from station.ocpp import framer

HEAD_LIMIT = const(512)  # bytes in which id and action must show; 36 characters take 432 if each is escaped twice


def action_of(begin: "bytes | bytearray | memoryview") -> "str | None":
    """The action of the CALL that begins so; None: that takes more bytes.

    "": it is no CALL, or none whose action shows within HEAD_LIMIT bytes.
    """
    if begin[:2] == b"[3":  # the usual answer to our own calls
        return ""
    head = bytes(begin[:HEAD_LIMIT])
    undecided = None if len(head) < HEAD_LIMIT else ""
    id_start = head.find(b'"')
    if id_start < 0:
        return undecided if b"[2,".startswith(_without_blanks(head)) else ""
    if _without_blanks(head[:id_start]) != b"[2,":
        return ""
    id_end = framer.string_end(head, id_start)
    if id_end < 0:
        return undecided
    start = head.find(b'"', id_end + 1)
    if start < 0:
        return undecided if b",".startswith(_without_blanks(head[id_end + 1 :])) else ""
    if _without_blanks(head[id_end + 1 : start]) != b",":
        return ""
    end = framer.string_end(head, start)
    if end < 0:
        return undecided
    try:
        return framer.load(head[start : end + 1])
    except framer.FrameError:
        return ""


def _without_blanks(text):
    return b"".join(text.split())
