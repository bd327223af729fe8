"""`JsonStream` against CPython's `json` and the framer that reads a message whole, cut at every position.

A message that fits into the memory can be judged both ways: they must agree on frame, items and faults.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from station.ocpp import framer, json_syntax, messages, schema
from station.ocpp.json_head import HEAD_LIMIT, action_of
from station.ocpp.json_stream import ITEM_LIMIT, OUTLINE_LIMIT, JsonStream

ROOT = Path(__file__).parent.parent.parent
ACTION = "SendLocalList"
LIST = "localAuthorizationList"
NAMES = ["listVersion", "updateType", LIST, LIST, "x", 'x"' + LIST, "[", ""]

check = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))

# ---- what there is to take apart

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 10**6), st.text('aä😀"\\[]{},:\t\x7f', max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)),
    max_leaves=4,
)
CARDS = st.fixed_dictionaries(
    {"idTag": st.text("AB1é", max_size=4)},
    optional={
        "idTagInfo": st.fixed_dictionaries(
            {"status": st.sampled_from(["Accepted", "Blocked", "None"])},
            optional={"parentIdTag": st.sampled_from(["P", "P" * 21]), "expiryDate": st.just("2027-01-01T00:00:00Z")},
        ),
    },
)
LISTS = st.lists(st.one_of(CARDS, CARDS, CARDS, VALUES), max_size=4)
FIELDS = st.lists(
    st.one_of(
        st.tuples(st.just("listVersion"), st.one_of(st.integers(-1, 9), VALUES)),
        st.tuples(st.just("updateType"), st.one_of(st.sampled_from(["Full", "Differential"]), VALUES)),
        st.tuples(st.just(LIST), st.one_of(LISTS, LISTS, VALUES)),
        st.tuples(st.sampled_from(NAMES), VALUES),
    ),
    max_size=4,
)


def write(value, separators, ensure_ascii):
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=separators)


@st.composite
def messages_text(draw):
    """A CALL in one of its spellings; keys may come twice, in any order; ids of any kind."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r")]))
    style = separators, draw(st.booleans())
    fields = [
        write(name, *style) + separators[1] + write(value, *style)
        for name, value in draw(st.one_of(FIELDS, st.permutations(GOOD)))
    ]
    payload = "{" + separators[0].join(fields) + "}"
    unique_id = draw(st.sampled_from(["id", "", 'q"\\', "é😀", "x" * 36, "x" * 37]))
    head = [write(part, *style) for part in (2, unique_id, ACTION)]
    more = draw(st.sampled_from([[]] * 8 + [["1"], ['{"' + LIST + '":[1]}']]))
    return ("[" + separators[0].join([*head, payload, *more]) + "]").encode()


GOOD = [
    ("listVersion", 7),
    ("updateType", "Full"),
    (LIST, [{"idTag": "A", "idTagInfo": {"status": "Accepted"}}, {"idTag": "B]"}, {"idTag": '"'}]),
]
ODD = st.sampled_from(
    [*'[]{},:"\\ \n\t\x0b0123456789-+.eEtrufalsn/\x00\x1f\x7fé😀', "NaN", "\\ud83d", "[{}]", f'"{LIST}":[', "]}]", ",,"]
)


@st.composite
def mutated(draw):
    """The same with a few slips, or broken off."""
    text = draw(messages_text()).decode()
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 3))
        text = text[:at] + draw(st.one_of(st.just(""), ODD)) + text[at + gone :]
    if draw(st.integers(0, 5)) == 0:
        text = text[: draw(st.integers(0, len(text)))]
    return text.encode()


# ---- what must come out


def streamed(*pieces):
    """(items, frame or what refuses it), of the stream."""
    stream = JsonStream(LIST)
    items = [item for piece in pieces for item in stream.feed(memoryview(piece))]
    try:
        return items, stream.end()
    except framer.FrameError as error:
        return items, ("refused", error.unique_id, error.code)


def whole(text):
    """The frame or what refuses it, of the text as one."""
    try:
        return framer.parse(text)
    except framer.FrameError as error:
        return ("refused", error.unique_id, error.code)


def pairs_of(text):
    """The payload's members in their order, those that come twice, too."""
    found = []

    def note(pairs):
        found.append(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return found[-1]


def lists_in(text):
    """How many lists stand under the name that is streamed, at the payload's own level."""
    try:
        framer.parse(text)
    except framer.FrameError:
        return 0
    return sum(1 for name, value in pairs_of(text) if name == LIST and type(value) is list)


def compare(text):
    items, end = streamed(text)
    wanted = whole(text)
    if action_of(text) == "":  # by a slip in its head: it would not have been streamed
        assert wanted[0] != framer.CALL
    elif wanted[0] == "refused":
        assert end == wanted
    elif lists_in(text) > 1:
        assert end == ("refused", wanted[1], "FormationViolation")
    else:
        payload = dict(wanted[3])
        if type(payload.get(LIST)) is list:
            assert items == payload[LIST]
            payload[LIST] = []
        assert end == (*wanted[:3], payload)
    return items, end


def cut_everywhere(text):
    outcome = compare(text)
    assert streamed(*(text[i : i + 1] for i in range(len(text)))) == outcome, "byte by byte"
    for cut in range(1, len(text)):
        assert streamed(text[:cut], text[cut:]) == outcome, f"cut at {cut}"


@check
@given(messages_text())
def test_a_call(text):
    cut_everywhere(text)


@check
@given(mutated())
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":[\x0b]}]')
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":[{},]}]')
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":[,{}]}]')
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":[{}}}]')
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":[1 2]}]')
@example(b'[2,"id","SendLocalList",["localAuthorizationList":[{}]]]')
@example(b'[2,"id","SendLocalList",{"\\u006cocalAuthorizationList" : [{}]}]')
@example(b'[2,"id","SendLocalList",{"\\"localAuthorizationList":[{}]}]')
@example(b'[2,"id","SendLocalList",{"x":{"localAuthorizationList":[{}]}}]')
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":5,"localAuthorizationList":[{}]}]')
@example(b'[2,"id","SendLocalList",{"localAuthorizationList":["\\ud83d"]}]')
@example(b'[2,"id","SendLocalList",{}]]]]]],[[[[[[')
@example(b'[2,0,"SendLocalList",{"localAuthorizationList":[{}]},{"localAuthorizationList":[1]}]')
def test_a_broken_call(text):
    cut_everywhere(text)


@check
@given(messages_text())
def test_broken_off_anywhere_it_is_refused_under_its_id(text):
    if whole(text)[0] == "refused":
        return
    unique_id = framer.parse(text)[1]
    for end in range(text.index(b"SendLocalList"), len(text)):
        assert streamed(text[:end])[1] == ("refused", unique_id, "FormationViolation"), end


@check
@given(messages_text())
def test_with_the_schema_it_is_the_verdict_of_the_whole(text):
    """As `StreamedCall` does: items by `check_item`, the rest as it is, the list's place is after all known ones."""
    items, end = streamed(text)
    wanted = whole(text)
    if wanted[0] == "refused" or lists_in(text) > 1:
        return
    shape = messages.request(ACTION)
    violation = schema.check(shape, end[3])
    if type(wanted[3].get(LIST)) is list:
        of_items = [(i, schema.check_item(shape[2][-1][2], item)) for i, item in enumerate(items)]
        wrong = next((v.within(f"[{i}]").within(LIST) for i, v in of_items if v), None)
        if wrong is not None and (violation is None or violation.code == schema.FORMATION):
            violation = wrong
    ideal = schema.check(shape, wanted[3])
    assert (violation and (violation.code, violation.path)) == (ideal and (ideal.code, ideal.path))


# ---- limits


def card_list(*items, blanks=""):
    return b'[2,"id","SendLocalList",{"localAuthorizationList":[' + ",".join(items).encode() + blanks.encode() + b"]}]"


@pytest.mark.parametrize("size", [1, 7, 2048, 10**6])
def test_limits(size):
    def end(text):
        return streamed(*(text[i : i + size] for i in range(0, len(text), size)))[1][0]

    fits = json.dumps("x" * (ITEM_LIMIT - 2))
    assert end(card_list("{}", fits, fits)) == 2
    assert end(card_list("{}", fits + " ")) == "refused"
    assert end(card_list("{}", json.dumps("x" * (ITEM_LIMIT - 1)), "{}")) == "refused"
    outline = b'[2,"id","SendLocalList",{"x":"%s","localAuthorizationList":[{}]}]'
    room = OUTLINE_LIMIT - len(outline) + len("%s{}")
    assert end(outline % (b"x" * room)) == 2
    assert end(outline % (b"x" * (room + 1))) == "refused"
    nested = json_syntax.MAX_DEPTH
    assert end(card_list("[" * nested + "]" * nested)) == 2
    assert end(card_list("[" * (nested + 1) + "]" * (nested + 1))) == "refused"


def test_a_fault_drains_what_follows_and_keeps_nothing_of_it():
    stream = JsonStream(LIST)
    assert list(stream.feed(b'[2,"id","SendLocalList",{"localAuthorizationList":[{},{],')) == [{}]
    assert "localAuthorizationList[1]" in stream.fault.description
    size = len(stream.outline)
    for _ in range(10):
        assert list(stream.feed(b',{"idTag":"A"}' * 100)) == []
    assert len(stream.outline) == size
    with pytest.raises(framer.FrameError) as caught:
        stream.end()
    assert caught.value.unique_id == "id"


# ---- the head


@check
@given(messages_text())
def test_the_action_shows_as_soon_as_it_can(text):
    start = text.index(b"SendLocalList") + len(b"SendLocalList") + 1
    for end in range(len(text)):
        assert action_of(text[:end]) == (None if end < start else ACTION), text[:end]


@check
@given(st.one_of(mutated(), st.binary(max_size=40)))
def test_the_action_of_anything(text):
    action = action_of(text)
    wanted = whole(text)
    if wanted[0] == framer.CALL:
        assert action == wanted[2]
    for end in range(len(text)):
        assert action_of(text[:end]) in (None, action), "it has changed its mind"


def test_heads_that_are_none():
    for text in (b'[3,"id",{}]', b'[2,5,"Reset"', b'{"2"', b'[2,"id" "Reset"', b'[2,"id",x"Reset"', b"[2,x", b"[22,"):
        assert action_of(text) == "", text
    for text in (b"", b" [", b"[2", b'[2,"', b'[2,"id', b'[2,"id\\"', b'[2,"id"', b'[2,"id" , ', b'[2,"id","Re'):
        assert action_of(text) is None, text
    assert action_of(b'[2,"' + b"x" * HEAD_LIMIT) == ""
    assert action_of(b" " * HEAD_LIMIT + b'[2,"id","Reset",{}]') == ""


# ---- MicroPython


def test_micropython_makes_the_same_of_it():
    cases = []

    @settings(check, max_examples=200)
    @given(st.one_of(messages_text(), mutated()), st.integers(1, 40))
    def gather(text, size):
        cases.append([text[i : i + size] for i in range(0, len(text), size)])

    gather()
    lines = [json.dumps({"name": LIST, "pieces": [piece.hex() for piece in pieces]}) for pieces in cases]
    done = subprocess.run(
        [Path(sys.executable).with_name("micropython"), Path(__file__).with_name("stream_script.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
        env={"MICROPYPATH": str(ROOT / "firmware")},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(cases)
    for pieces, line in zip(cases, answers, strict=True):
        items, end = streamed(*pieces)
        wanted = {"items": items, "end": list(end), "action": action_of(b"".join(pieces))}
        assert json.loads(line) == json.loads(json.dumps(wanted, default=str)), pieces
