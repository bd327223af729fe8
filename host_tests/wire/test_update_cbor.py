"""The board's CBOR reader, inside MicroPython, against `cbor2` on generated and mutated items."""

import struct

import cbor2
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from update_peer import Board

check = settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
KNOWN_TAGS = {*range(6), *range(21, 44), 100, 256, 258, 260, 261, 1004, 43000, 55799}  # cbor2 acts on them
DEPTH = 16  # of items in items, firmware/station/update/cbor.py


@pytest.fixture(scope="module")
def board():
    found = Board()
    yield found
    found.close()


class Map(list):
    """A map as a list of pairs: keys may be of any kind."""


TAGS = st.sampled_from([18, 107, 65535, 2**32, 2**64 - 1])  # none that cbor2 makes something of
ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
ITEMS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**64), 2**64 - 1),
        st.sampled_from([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, -1, -24, -25, -256, -257]),
        st.binary(max_size=40),
        st.text(ASCII, max_size=30),
        st.binary(min_size=250, max_size=260),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(st.tuples(inner, inner), max_size=5).map(Map),
        st.tuples(TAGS, inner).map(lambda pair: cbor2.CBORTag(*pair)),
    ),
    max_leaves=12,
)


def encode(item):
    """RFC 8949 §4.2.1; cbor2 writes the leaves, and cannot write maps in this order."""
    if isinstance(item, Map):
        pairs = {encode(key): encode(value) for key, value in item}
        return begin(5, len(pairs)) + b"".join(key + pairs[key] for key in sorted(pairs))
    if isinstance(item, list):
        return begin(4, len(item)) + b"".join(map(encode, item))
    if isinstance(item, cbor2.CBORTag):
        return begin(6, item.tag) + encode(item.value)
    return cbor2.dumps(item)


def begin(kind, count):
    """A head: cbor2's of the number, with another kind."""
    number = cbor2.dumps(count)
    return bytes([number[0] | kind << 5]) + number[1:]


def shown(data):
    """The item as cbor2 reads it, as the script tells it; None if it is no item in deterministic encoding."""
    try:
        item = cbor2.loads(data)
        again = encode(tree(item))
    except (cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValueError, TypeError, OverflowError, RecursionError):
        return None
    return plain(tree(item)) if again == data and depth(tree(item)) <= DEPTH else None


def tree(item):
    if hasattr(item, "items"):
        return Map((tree(key), tree(value)) for key, value in item.items())
    if isinstance(item, (list, tuple)):
        return [tree(inner) for inner in item]
    if isinstance(item, cbor2.CBORTag):
        return cbor2.CBORTag(item.tag, tree(item.value))
    if isinstance(item, str) and not (item.isascii() and item.isprintable()):
        raise ValueError(f"{item!r} is beyond what we take")
    if item is None or isinstance(item, (bool, int, bytes, str)):
        return item
    raise ValueError(f"{item!r} is none of ours")


def depth(item):
    if isinstance(item, cbor2.CBORTag):
        return 1 + depth(item.value)
    if isinstance(item, Map):
        return 1 + max((depth(inner) for pair in item for inner in pair), default=0)
    return 1 + max(map(depth, item), default=0) if isinstance(item, list) else 1


def plain(item):
    if isinstance(item, bytes):
        return {"hex": item.hex()}
    if isinstance(item, Map):
        pairs = {encode(key): (key, value) for key, value in item}
        return {"map": [[plain(inner) for inner in pairs[key]] for key in sorted(pairs)]}
    if isinstance(item, cbor2.CBORTag):
        return {"tag": item.tag, "of": plain(item.value)}
    return [plain(inner) for inner in item] if isinstance(item, list) else item


@check
@given(ITEMS)
@example(Map([(24, 1), (-1, 2), (b"", 3), ("", 4), ([], 5), (None, 6)]))
@example([[[[[[[[[[[[[[[1]]]]]]]]]]]]]]])
def test_what_is_right_is_read(board, item):
    assume(depth(item) <= DEPTH)
    assert board.ask("cbor", encode(item).hex()) == plain(item)


@check
@given(
    ITEMS, st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=3), st.integers(0, 9)
)
def test_what_is_changed_is_read_as_cbor2_reads_it_or_refused(board, item, changes, kind):
    data = bytearray(encode(item))
    for at, byte in changes:
        data[at % len(data)] = byte
    data = bytes(data[: len(data) - (kind == 0)] + b"\x00" * (kind == 1))
    assume(not has_known_tags(data))
    answer, expected = board.ask("cbor", data.hex()), shown(data)
    if expected is None:
        assert isinstance(answer, dict) and "refused" in answer, cbor_text(data)
    else:
        assert answer == expected


def has_known_tags(data):
    """May cbor2 make a date, a fraction, … of a tag in it? Then it says nothing about how that was encoded."""
    return any(byte >> 5 == 6 and _tag(data, at) in KNOWN_TAGS for at, byte in enumerate(data))


def _tag(data, at):
    low = data[at] & 31
    if not 24 <= low < 28:
        return low
    return int.from_bytes(data[at + 1 : at + 1 + (1 << low - 24)], "big")


def cbor_text(data):
    try:
        return repr(cbor2.loads(data))
    except cbor2.CBORDecodeError as error:
        return str(error)


REFUSED = {
    "1817": "not in its shortest form",
    "190017": "not in its shortest form",
    "1a0000ffff": "not in its shortest form",
    "1b00000000ffffffff": "not in its shortest form",
    "5f": "no definite length",
    "9fff": "no definite length",
    "fb" + struct.pack(">d", 1.5).hex(): "float or simple value",
    "f7": "float or simple value",
    "f820": "float or simple value",
    "a2020103": "2 items in 3 bytes",
    "82820101": "ends where an item",
    "a203000200": "not in order",
    "a202000200": "twice",
    "43ffff": "3 bytes where 2 are left",
    "9affffffff": "items in 0 bytes",
    "bbffffffffffffffff": "items in 0 bytes",
    "5bffffffffffffffff": "bytes where 0 are left",
    "19ff": "within the head",
    "": "it ends",
    "0000": "1 bytes more",
    "81" * 16 + "00": "nested deeper",
    "81" * 15 + "00": None,
    "62c3a4": "printable ASCII",
}


@pytest.mark.parametrize("data", REFUSED)
def test_each_refusal_says_why(board, data):
    answer = board.ask("cbor", data)
    if REFUSED[data] is None:
        assert "refused" not in answer
    else:
        assert REFUSED[data] in answer["refused"]
