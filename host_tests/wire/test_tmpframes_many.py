"""`framer.parse` on generated and mutated texts, on CPython and inside MicroPython, against CPython's `json`."""

import json
import re

import pytest
from frames_peer import MicroPython
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from station.ocpp import framer, json_syntax

check = settings(deadline=None, max_examples=15000, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def micropython():
    process = MicroPython()
    yield process
    process.close()


# ---- what there is to parse

NUMBERS = st.one_of(st.integers(-(10**12), 10**12), st.integers(-(10**8), 10**8).map(lambda n: n / 100))
STRINGS = st.text(max_size=8)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, STRINGS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(STRINGS, inner, max_size=3)),
    max_leaves=8,
)
PAYLOADS = st.dictionaries(STRINGS, VALUES, max_size=4)
IDS = st.one_of(STRINGS, st.text(min_size=30, max_size=45))
FRAMES = st.one_of(
    st.tuples(st.just(2), IDS, STRINGS, PAYLOADS),
    st.tuples(st.just(3), IDS, PAYLOADS),
    st.tuples(st.just(4), IDS, STRINGS, STRINGS, PAYLOADS),
    st.lists(st.one_of(st.integers(1, 5), VALUES), max_size=6),
    VALUES,
)
ODD = st.sampled_from(
    [
        *'[]{},:"\\ \n\t0123456789-+.eEtrufalsn/\x00\x1f\x7fé😀',
        "NaN",
        "Infinity",
        "01",
        "1.",
        "\\ud83d",
        "\\ude00",
        "\\u00",
        "\\x",
        "'",
    ]
)


@st.composite
def texts(draw):
    """JSON in one of its spellings, and what a few slips make of it."""
    text = json.dumps(
        draw(FRAMES),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")])),
    )
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 3))
        text = text[:at] + draw(st.one_of(st.just(""), ODD)) + text[at + gone :]
    return text.encode("utf-8", "surrogatepass")


# ---- what must come out


def no_constant(name):
    raise ValueError(name)


def is_json(text: bytes) -> bool:
    """What CPython's `json` takes, less NaN and Infinity, which RFC 8259 has not, and less our limits."""
    try:
        json.loads(text.decode(), parse_constant=no_constant, strict=True)
    except (ValueError, RecursionError):
        return False
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text.decode())
    depth = deepest = 0
    for char in outside:
        depth += (char in "[{") - (char in "]}")
        deepest = max(deepest, depth)
    return deepest <= json_syntax.MAX_DEPTH and all(
        len(n) <= json_syntax.MAX_NUMBER for n in re.findall(r"[-+.\w]+", outside)
    )


def has_lone_surrogate(value) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def expected(text: bytes):
    """What `parse` owes for a text that is JSON, in the words of `frames_script.py`; None if that is left open here."""
    frame = json.loads(text.decode())
    if has_lone_surrogate(frame):
        return None
    match frame:
        case [2, str(unique_id), str(), dict()] if len(unique_id) <= framer.MAX_ID:
            return ["frame", *frame]
        case [3, str(unique_id), dict(payload), *_]:
            return ["frame", 3, unique_id, payload]
        case [4, str(unique_id), str(code), *rest]:
            description = rest[0] if rest and isinstance(rest[0], str) else ""
            details = rest[1] if len(rest) > 1 and isinstance(rest[1], dict) else {}
            return ["frame", 4, unique_id, code, description, details]
        case [2, str(unique_id), *_]:
            return ["refused", unique_id, "FormationViolation", None]
        case [2, bool() | float() | None, *_]:
            return ["refused", None, "FormationViolation", None]
        case [2, int(unique_id), *_]:
            return ["refused", str(unique_id), "FormationViolation", None]
        case [3 | 4, str(unique_id), *_]:
            return ["refused", None, "FormationViolation", unique_id]
    return ["refused", None, "FormationViolation", None]


def plain(value):
    """As `plain` of `frames_script.py`."""
    match value:
        case float():
            return "%.9g" % value
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return value


def parsed(text):
    try:
        return ["frame", *plain(framer.parse(text))]
    except framer.FrameError as error:
        return ["refused", error.unique_id, error.code, error.reply_to]


@check
@given(text=texts())
@example(text=b'[2,"1","A",{"a":1e400}]')
@example(text=b'[2,"\\ud83d\\ude00","A",{}]')
@example(text=b'[2,"\\ud83d","A",{}]')
@example(text=b'[2.0,"1","A",{}]')
@example(text=b'[true,"1","A",{}]')
@example(text=b"[" * 30 + b"]" * 30)
@example(text=b"[2," + b"9" * 41 + b',"A",{}]')
def test_frames(micropython, text):
    got = parsed(text)
    assert micropython.parse(text) == got, "MicroPython differs from CPython"
    if is_json(text):
        want = expected(text)
        assert want is None or got == plain(want)
    else:
        assert got[0] == "refused"
        assert got[2] == "FormationViolation"
        assert got[3] is None


@check
@given(data=st.binary(max_size=20), head=st.sampled_from([b"", b'[2,"1","A",{"a":"', b'[2,"', b'[3,"1",']))
def test_bytes_that_are_no_utf_8(micropython, data, head):
    got = parsed(head + data)
    assert micropython.parse(head + data)[0] == got[0] or not is_utf_8(head + data)


def is_utf_8(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@check
@given(text=texts())
def test_a_call_whose_id_can_be_read_gets_an_answer_wherever_the_text_breaks_off(micropython, text):
    call = framer.call("an id", "Reset", {"type": "Hard", "text": text.decode("utf-8", "replace")})
    for end in range(call.index(b",", 3), len(call), 7):
        assert parsed(call[:end]) == ["refused", "an id", "FormationViolation", None]
    assert micropython.parse(call[:-1]) == ["refused", "an id", "FormationViolation", None]


@check
@given(unique_id=st.text(max_size=36), action=STRINGS, payload=PAYLOADS)
def test_what_is_written_is_read(micropython, unique_id, action, payload):
    data = framer.call(unique_id, action, payload)
    assert framer.parse(data) == (2, unique_id, action, payload)
    assert micropython.parse(data) == plain(["frame", 2, unique_id, action, payload])
    assert json.loads(data) == [2, unique_id, action, payload]
