"""`JsonStream` inside MicroPython: items as they come, the rest at the end, and how little it holds on to.

All kinds of texts and cuts, against CPython: host_tests/wire/test_json_stream.py.
"""

import gc
import unittest

from station.ocpp.framer import FrameError
from station.ocpp.json_head import action_of
from station.ocpp.json_stream import ITEM_LIMIT, OUTLINE_LIMIT, JsonStream

LIST = "localAuthorizationList"
HEAD = b'[2,"id","SendLocalList",{"listVersion":7,"localAuthorizationList":['
TAIL = b'],"updateType":"Full"}]'
CARD = b'{"idTag":"ABCD%08d","idTagInfo":{"status":"Accepted","parentIdTag":"P,]}\\""}}'


def items(stream, piece):
    return list(stream.feed(memoryview(piece)))


class JsonStreamTest(unittest.TestCase):
    def setUp(self):
        self.stream = JsonStream(LIST)

    def end(self):
        with self.assertRaises(FrameError) as caught:
            self.stream.end()
        return caught.exception

    def test_an_item_comes_with_the_byte_behind_it(self):
        self.assertEqual(items(self.stream, HEAD + b'{"idTag":"A"}'), [])
        self.assertEqual(items(self.stream, b","), [{"idTag": "A"}])
        self.assertEqual(items(self.stream, b'{"idTag"'), [])
        self.assertEqual(items(self.stream, b':"B"} ]'), [{"idTag": "B"}])
        self.assertEqual(items(self.stream, TAIL[1:]), [])
        payload = {"listVersion": 7, LIST: [], "updateType": "Full"}
        self.assertEqual(self.stream.end(), (2, "id", "SendLocalList", payload))
        self.assertEqual(bytes(self.stream.outline), HEAD + TAIL)

    def test_one_piece_or_one_byte_at_a_time(self):
        text = HEAD + b" , ".join(CARD % i for i in range(3)) + TAIL
        wanted = items(self.stream, text)
        self.assertEqual([item["idTag"] for item in wanted], ["ABCD%08d" % i for i in range(3)])
        self.assertEqual(wanted[0]["idTagInfo"]["parentIdTag"], 'P,]}"')
        frame = self.stream.end()
        stream = JsonStream(LIST)
        found = []
        for i in range(len(text)):
            found += items(stream, text[i : i + 1])
        self.assertEqual((found, stream.end()), (wanted, frame))

    def test_without_the_list(self):
        text = b'[2,"id","SendLocalList",{"listVersion":7,"updateType":"Full"}]'
        self.assertEqual(items(self.stream, text), [])
        self.assertEqual(self.stream.end()[3], {"listVersion": 7, "updateType": "Full"})

    def test_what_is_no_list_under_its_name_is_for_the_schema(self):
        self.assertEqual(items(self.stream, b'[2,"id","SendLocalList",{"localAuthorizationList":{"a":[1]}}]'), [])
        self.assertEqual(self.stream.end()[3], {LIST: {"a": [1]}})

    def test_items_of_other_types_are_given_too(self):
        self.assertEqual(items(self.stream, HEAD + b'null,[1,{"a":2}],"x",5' + TAIL), [None, [1, {"a": 2}], "x", 5])

    def test_a_surrogate_pair_that_is_cut(self):
        self.assertEqual(items(self.stream, HEAD + b'"\\ud83d\\ud'), [])
        self.assertEqual(items(self.stream, b'e00",'), ["\U0001f600"])

    def test_the_fault_of_an_item_says_which_one(self):
        self.assertEqual(items(self.stream, HEAD + b"{},{},{1},{}"), [{}, {}])
        self.assertIs(self.stream.fault, self.end())
        self.assertIn("localAuthorizationList[2]: no JSON", self.end().description)
        self.assertEqual((self.end().unique_id, self.end().code), ("id", "FormationViolation"))
        self.assertEqual(items(self.stream, b",{},{}" + TAIL), [])

    def test_broken_off(self):
        items(self.stream, HEAD + b'{},{"idTag":')
        self.assertIsNone(self.stream.fault)
        self.assertEqual(self.end().unique_id, "id")

    def test_the_list_twice(self):
        self.assertEqual(items(self.stream, HEAD + b'{}],"localAuthorizationList":[{},'), [{}])
        self.assertIn("comes twice", self.end().description)

    def test_limits(self):
        items(self.stream, HEAD + b'{},"' + b"x" * ITEM_LIMIT)
        self.assertIn("[1]: more than %d bytes" % ITEM_LIMIT, self.end().description)
        self.stream = JsonStream(LIST)
        items(self.stream, HEAD + b'{}],"x":"' + b"x" * OUTLINE_LIMIT)
        self.assertIn("more than %d bytes without localAuthorizationList" % OUTLINE_LIMIT, self.end().description)

    def test_it_keeps_nothing_of_what_has_passed(self):
        """A thousand items, then a thousand more: the heap holds no more than before."""
        used = []
        pieces = [bytearray(b",".join(CARD % i for i in range(16)) + b",") for _ in range(2)]
        items(self.stream, HEAD)
        for _ in range(3):
            for _ in range(64):
                for piece in pieces:
                    for _item in self.stream.feed(piece):
                        pass
            _item = None
            gc.collect()
            used.append(gc.mem_alloc())
        self.assertLess(used[2] - used[1], 256)


class ActionTest(unittest.TestCase):
    def test_as_its_bytes_come(self):
        text = b'[2,"i\\"d","Send\\u004cocalList",{'
        for end in range(len(text) - 2):
            self.assertIsNone(action_of(text[:end]), text[:end])
        self.assertEqual(action_of(text[:-2]), "SendLocalList")
        self.assertEqual(action_of(memoryview(text)), "SendLocalList")

    def test_what_is_no_call(self):
        for text in (b'[3,"id",{', b'{"a"', b'[2,7,"Reset"', b'[2,"id":"Reset"', b'"[2,', b'[2,"id","\x01"', b"x"):
            self.assertEqual(action_of(text), "", text)
