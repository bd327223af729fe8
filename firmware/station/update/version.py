"""Versions as SUIT writes them (draft-ietf-suit-update-management, suit-parameter-version): tuples of integers.

1.2.3 is (1, 2, 3); a release candidate 1.2.0-rc.1 is (1, 2, 0, -1, 1), beta -2, alpha -3. A number that is missing is
0, so that 1.2 is 1.2.0, and 1.2.0-rc.1 is older than it.
"""

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.update.cbor import Reader

GREATER, GREATER_EQUAL, EQUAL, LESSER_EQUAL, LESSER = const(1), const(2), const(3), const(4), const(5)
NUMBERS = const(5)  # of a version, at most
_MOST = const(0x3FFFFFFF)  # of one number: a small int on every board
_SIGNS = (">", ">=", "=", "<=", "<")
_STAGES = ("rc", "beta", "alpha")


def read(reader: "Reader") -> "tuple[int, ...]":
    """A version, an array of integers. Raises CborError."""
    count = reader.array()
    if not 1 <= count <= NUMBERS:
        raise reader.error("a version of %d numbers, allowed 1 to %d" % (count, NUMBERS))
    found = tuple([reader.integer() for _ in range(count)])
    for number in found:
        if not -len(_STAGES) <= number <= _MOST:
            raise reader.error("%d in a version, allowed %d to %d" % (number, -len(_STAGES), _MOST))
    return found


def parse(text: str) -> "tuple[int, ...]":
    """1.2.0-rc.1 is (1, 2, 0, -1, 1); what is no such text is (0,), older than any release."""
    numbers, _, stage = text.partition("-")
    found = []
    for word in numbers.split("."):
        found.append(_number(word))
    if stage:
        name, _, count = stage.partition(".")
        found.append(-1 - _STAGES.index(name) if name in _STAGES else None)
        if count:
            found.append(_number(count))
    return (0,) if None in found or len(found) > NUMBERS else tuple(found)


def _number(word):
    return int(word) if word.isdigit() and len(word) < 10 else None


def compare(mine: "tuple[int, ...]", other: "tuple[int, ...]") -> int:
    """-1, 0 or 1: `mine` is older, the same, newer, as far as `other` says numbers; 1.9.2 is the same as (1,)."""
    for i in range(len(other)):
        number = mine[i] if i < len(mine) else 0
        if number != other[i]:
            return 1 if number > other[i] else -1
    return 0


def fits(mine: "tuple[int, ...]", comparison: int, other: "tuple[int, ...]") -> bool:
    """Is `mine` GREATER, … than `other`?"""
    order = compare(mine, other)
    if order > 0:
        return comparison in (GREATER, GREATER_EQUAL)
    if order < 0:
        return comparison in (LESSER, LESSER_EQUAL)
    return comparison in (GREATER_EQUAL, EQUAL, LESSER_EQUAL)


def text(version: "tuple[int, ...]", comparison: int = 0) -> str:
    """For people: "1.2.0-rc.1", ">= 1.2"."""
    out = _SIGNS[comparison - 1] + " " if comparison else ""
    between = ""
    for number in version:
        if number < 0:
            out += "-" + _STAGES[-1 - number]
        else:
            out += between + str(number)
        between = "."
    return out
