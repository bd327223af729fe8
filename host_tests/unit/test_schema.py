"""The interpreter of shapes: each rule, the code of each violation, what its text says, and which one comes first."""

import gc
import json
import unittest

from station.ocpp.schema import FORMATION, OCCURENCE, PROPERTY, TYPE, check

ITEM = ("object", 1, ("n", ("integer", 0), "d", ("decimal", None)))
SHAPE = (
    "object",
    2,
    (
        "name",
        ("text", 5),
        "kind",
        ("enum", ("Hard", "Soft")),
        "count",
        ("integer", None),
        "flag",
        ("boolean", None),
        "any",
        ("string", None),
        "at",
        ("dateTime", None),
        "where",
        ("anyURI", None),
        "inner",
        ITEM,
        "list",
        ("array", 1, ITEM),
        "words",
        ("array", 0, ("text", 3)),
    ),
)


def good(**more):
    payload = {"name": "a", "kind": "Hard"}
    payload.update(more)
    return payload


def found(payload, strict=True):
    """(code, path) of the violation, None without one."""
    violation = check(SHAPE, payload, strict)
    return violation and (violation.code, violation.path)


class CheckTest(unittest.TestCase):
    def test_what_fits(self):
        for payload in (
            good(),
            good(name="", count=-(10**20), flag=False, any="x" * 1000),
            good(name="äöüßé", at="2026-11-22T11:00:00Z", where="ftp://host/"),
            good(inner={"n": 0}, list=[{"n": 1, "d": 1.5}, {"n": 2, "d": 1}], words=["", "abc"]),
            good(words=[]),
        ):
            self.assertIsNone(check(SHAPE, payload), payload)

    def test_formation(self):
        for payload in (None, [], "x", 1, True):
            self.assertEqual(found(payload), (FORMATION, ""))
        self.assertEqual(found(good(Name="a")), (FORMATION, "Name"))
        self.assertEqual(found(good(inner={"n": 1, "x": None})), (FORMATION, "inner.x"))
        self.assertEqual(found(good(list=[{"n": 1}, {"n": 1, "x": 1}])), (FORMATION, "list[1].x"))

    def test_occurence(self):
        self.assertEqual(found({}), (OCCURENCE, "name"))
        self.assertEqual(found({"name": "a"}), (OCCURENCE, "kind"))
        self.assertEqual(found(good(inner={})), (OCCURENCE, "inner.n"))
        self.assertEqual(found(good(list=[])), (OCCURENCE, "list"))
        self.assertEqual(found(good(list=[{"n": 1}, {}])), (OCCURENCE, "list[1].n"))

    def test_type(self):
        wrong = {
            "name": (None, 1, True, [], {}),
            "kind": (None, 1, False, ["Hard"]),
            "count": (None, "1", True, False, 1.0, 1.5, [1]),
            "flag": (None, 0, 1, "true"),
            "any": (None, 1, {}),
            "at": (None, 1700000000, []),
            "where": (None, 1),
            "inner": (None, [], "x", 1),
            "list": (None, {}, "x", 1),
            "words": ([None], [1], [["a"]]),
        }
        for name, values in wrong.items():
            for value in values:
                path = name if name != "words" else "words[0]"
                self.assertEqual(found(good(**{name: value})), (TYPE, path), (name, value))
        for value in (None, "1", True, [1.0]):
            self.assertEqual(found(good(inner={"n": 1, "d": value})), (TYPE, "inner.d"), value)

    def test_property(self):
        wrong = {
            "name": ("abcdef",),
            "kind": ("hard", "", "Hard ", "HardSoft"),
            "at": ("", "2026-11-22", "2026-11-22T11:00:00"),
            "where": ("", "host/path"),
        }
        for name, values in wrong.items():
            for value in values:
                self.assertEqual(found(good(**{name: value})), (PROPERTY, name), value)
        self.assertEqual(found(good(inner={"n": -1})), (PROPERTY, "inner.n"))
        self.assertEqual(found(good(inner={"n": 1, "d": 0.25})), (PROPERTY, "inner.d"))
        self.assertEqual(found(good(words=["abc", "abcd"])), (PROPERTY, "words[1]"))

    def test_the_first_violation_counts(self):
        self.assertEqual(found({"kind": 1, "x": 1}), (OCCURENCE, "name"))
        self.assertEqual(found({"kind": 1, "name": "a", "x": 1}), (TYPE, "kind"))
        self.assertEqual(found(good(count=None, x=1)), (TYPE, "count"))
        self.assertEqual(found(good(y=1, x=1)), (FORMATION, "x"))

    def test_not_strict(self):
        self.assertIsNone(found(good(x=1, inner={"n": 1, "d": None, "x": 2}, count=None), strict=False))
        self.assertEqual(found({"name": None, "kind": "Hard"}, strict=False), (TYPE, "name"))
        self.assertEqual(found({"kind": "Hard"}, strict=False), (OCCURENCE, "name"))
        self.assertEqual(found(good(count="1"), strict=False), (TYPE, "count"))
        self.assertEqual(found(good(words=[None]), strict=False), (TYPE, "words[0]"))
        self.assertEqual(found([], strict=False), (FORMATION, ""))
        self.assertIsNone(found(good(at="2026-11-22T11:00:00.123"), strict=False))
        self.assertEqual(found(good(at="2026-11-22"), strict=False), (PROPERTY, "at"))


class TextTest(unittest.TestCase):
    def test_texts(self):
        for payload, text in (
            (None, "payload: null is not an object"),
            ({}, "name: is missing"),
            (good(name="abcdef"), 'name: "abcdef" has 6 characters, at most 5 are allowed'),
            (good(kind="Firm"), 'kind: "Firm" is none of Hard, Soft'),
            (good(kind="F" * 100), 'kind: "%s…" is none of Hard, Soft' % ("F" * 32)),
            (good(count=True), "count: true is not an integer"),
            (good(count=None), "count: null is not an integer"),
            (good(flag="x"), 'flag: "x" is not a boolean'),
            (good(any=[1]), "any: a list is not a string"),
            (good(at="now"), 'at: "now" is no date-time of RFC 3339'),
            (good(inner={"n": -1}), "inner.n: -1 is less than 0"),
            (good(list=[]), "list: 0 items, at least 1 are required"),
            (good(list=[{"n": 1, "x": 1}]), "list[0].x: unknown, known are: n, d"),
        ):
            self.assertEqual(check(SHAPE, payload).text, text)

    def test_an_unknown_name_is_cut(self):
        violation = check(("object", 0, ()), {"x" * 1000: 1})
        self.assertEqual(violation.text, "x" * 32 + ": unknown, known are: none")


class MemoryTest(unittest.TestCase):
    def test_a_check_that_finds_nothing_allocates_nothing(self):
        if not hasattr(gc, "mem_alloc"):
            self.skipTest("no gc.mem_alloc")
        payload = json.loads(json.dumps(good(count=1, at="2026-11-22T11:00:00Z", list=[{"n": 1}], words=["abc"])))
        check(SHAPE, payload)
        gc.collect()
        gc.disable()
        try:
            before = gc.mem_alloc()
            for _ in range(100):
                check(SHAPE, payload)
            used = gc.mem_alloc() - before
        finally:
            gc.enable()
        # a bound method or an iterator for each object and list, a few bytes, never a copy of what is in them
        self.assertLess(used // 100, 400)
