"""OCPP-J frames: what is read, what is refused and with whose id, what is written."""

import json
import unittest

from station.ocpp import framer
from station.ocpp.framer import FrameError

LONG_ID = "x" * 37


def refused(text):
    """(unique_id, code, reply_to) of the FrameError that the text earns."""
    try:
        frame = framer.parse(text if isinstance(text, (bytes, bytearray, memoryview)) else text.encode())
    except FrameError as error:
        return error.unique_id, error.code, error.reply_to
    raise AssertionError("%r was read as %r" % (text, frame))


class ReadTest(unittest.TestCase):
    def test_call(self):
        frame = framer.parse(b'[2,"19223201","Reset",{"type":"Hard"}]')
        self.assertEqual(frame, (2, "19223201", "Reset", {"type": "Hard"}))

    def test_result(self):
        self.assertEqual(framer.parse(b'[3,"1",{"status":"Accepted"}]'), (3, "1", {"status": "Accepted"}))

    def test_error(self):
        frame = framer.parse(b'[4,"1","NotImplemented","no such action",{"a":1}]')
        self.assertEqual(frame, (4, "1", "NotImplemented", "no such action", {"a": 1}))

    def test_any_buffer_and_any_white_space(self):
        text = b' [ 2 ,\r\n\t"1" , "Heartbeat" , { } ] '
        for data in (text, bytearray(text)):
            self.assertEqual(framer.parse(data), (2, "1", "Heartbeat", {}))

    def test_answers_are_judged_by_what_is_needed(self):
        self.assertEqual(framer.parse(b'[3,"1",{},"more"]'), (3, "1", {}))
        self.assertEqual(framer.parse(b'[4,"1","GenericError"]'), (4, "1", "GenericError", "", {}))
        self.assertEqual(framer.parse(b'[4,"1","GenericError",null,null]'), (4, "1", "GenericError", "", {}))
        self.assertEqual(framer.parse(b'[4,"1","GenericError",7,[],1]'), (4, "1", "GenericError", "", {}))

    def test_characters_outside_of_the_basic_plane(self):
        escaped = b'[2,"\\ud83d\\ude00","DataTransfer",{"vendorId":"a\\\\\\uD83D\\uDE00\\u00e9"}]'
        frame = framer.parse(escaped)
        self.assertEqual(frame[1].encode(), b"\xf0\x9f\x98\x80")
        self.assertEqual(len(frame[1]), 1)
        self.assertEqual(frame[3]["vendorId"].encode(), b"a\\\xf0\x9f\x98\x80\xc3\xa9")
        self.assertEqual(framer.parse(framer.call(*frame[1:])), frame)

    def test_the_last_of_equal_keys_counts(self):
        self.assertEqual(framer.parse(b'[2,"1","Reset",{"type":"Hard","type":"Soft"}]')[3], {"type": "Soft"})

    def test_an_id_of_36_characters(self):
        unique_id = "é" * 36
        self.assertEqual(framer.parse(framer.call(unique_id, "Heartbeat", {}))[1], unique_id)


class RefusedTest(unittest.TestCase):
    def test_calls_that_are_answered(self):
        for text in (
            '[2,"1"]',
            '[2,"1","Reset"]',
            '[2,"1","Reset",{"type":"Hard"},1]',
            '[2,"1",7,{}]',
            '[2,"1",null,{}]',
            '[2,"1","Reset",null]',
            '[2,"1","Reset",[]]',
            '[2,"1","Reset","{}"]',
        ):
            self.assertEqual(refused(text), ("1", "FormationViolation", None), text)

    def test_broken_json_behind_a_readable_id_is_answered(self):
        for text in (
            '[2,"1"',
            '[2,"1",',
            ' [ 2 , "1" , "Reset" , {',
            '[2,"1","Reset",{"type":"Hard"}',
            '[2,"1","Reset",{"type":"Hard"}]]',
            '[2,"1","Reset",{"type":"Hard"}] [2,"2","Reset",{"type":"Hard"}]',
            '[2,"1","Reset",{"type":"Hard",}]',
            '[2,"1","Reset",{"type" "Hard"}]',
            '[2,"1","Reset",{type:"Hard"}]',
            "[2,\"1\",\"Reset\",{'type':'Hard'}]",
            '[2,"1" "Reset" {}]',
            '[2,"1","Reset",{"type":NaN}]',
            '[2,"1","Reset",{"type":Infinity}]',
            '[2,"1","Reset",{"type":01}]',
            '[2,"1","Reset",{"type":"Ha\nrd"}]',
            '[2,"1","Reset",{"type":"\\x"}]',
            '[2,"1","Reset",{"type":"\\ud83d"}]',
            '[2,"1","Reset",{"type":"\\ude00\\ud83d"}]',
            '[2,"1","Reset",' + "[" * 30 + "]" * 30 + "]",
            '[2,"1","Reset",{"a":' * 500,
            '[2,"1","Reset",{"type":' + "9" * 41 + "}]",
        ):
            self.assertEqual(refused(text), ("1", "FormationViolation", None), text)

    def test_text_that_is_no_utf_8(self):
        self.assertEqual(refused(b'[2,"1","Reset",{"type":"\xff"}]')[0], "1")
        self.assertEqual(refused(b'[2,"\xff","Reset",{}]')[0], None)

    def test_broken_json_without_a_readable_id(self):
        for text in (
            "",
            "[",
            "[2",
            "[2,",
            '[2,"1',
            '[2,"1\\"',
            '[2,"\n",',
            '[2,"\\ud83d",{',
            '[2,7,"Reset",{',
            '[22,"1","Reset",{',
            '[3,"1",{',
            '[4,"1","GenericError",{',
            '{"2":"1"',
            '"1"',
            '\ufeff[2,"1","Reset",{}]',
            '[2,"' + "x" * 2000 + '","Reset",{',
        ):
            self.assertIsNone(refused(text)[0], text)

    def test_the_id_of_broken_json_is_unescaped(self):
        self.assertEqual(refused('[2,"a\\"\\\\\\u00e9\\ud83d\\ude00",')[0].encode(), b'a"\\\xc3\xa9\xf0\x9f\x98\x80')
        self.assertEqual(refused('[2,"a\\\\","Reset",{')[0], "a\\")
        self.assertEqual(refused('[2,"a\\\\\\"","Reset",{')[0], 'a\\"')

    def test_ids_that_are_no_ids(self):
        self.assertEqual(refused('[2,"%s","Reset",{"type":"Hard"}]' % LONG_ID), (LONG_ID, "FormationViolation", None))
        self.assertEqual(refused('[2,42,"Reset",{"type":"Hard"}]')[0], "42")
        for other in ("null", "true", "1.5", "[]", "{}"):
            self.assertIsNone(refused('[2,%s,"Reset",{}]' % other)[0], other)

    def test_a_message_too_large_for_the_heap_is_answered(self):
        class Full:
            def loads(self, text):
                if len(text) > 10:
                    raise MemoryError
                return json.loads(text)

        framer.json = Full()
        try:
            self.assertEqual(refused('[2,"1","Reset",{"type":"Hard"}]'), ("1", "InternalError", None))
            self.assertEqual(refused('[3,"1",{"status":"Accepted"}]'), (None, "InternalError", None))
        finally:
            framer.json = json

    def test_no_frames(self):
        for text in ("null", "2", '"2"', "{}", "[]", "[2]", '["2","1","Reset",{}]', '[1,"1","Reset",{}]', '[5,"1",{}]'):
            self.assertEqual(refused(text), (None, "FormationViolation", None), text)

    def test_answers_that_cannot_be_used_name_the_call(self):
        for text in ('[3,"1"]', '[3,"1",null]', '[3,"1",[]]', '[4,"1"]', '[4,"1",null,"",{}]'):
            self.assertEqual(refused(text), (None, "FormationViolation", "1"), text)
        for text in ("[3,1,{}]", '[4,null,"GenericError","",{}]'):
            self.assertEqual(refused(text), (None, "FormationViolation", None), text)


class WrittenTest(unittest.TestCase):
    def test_call(self):
        self.assertEqual(framer.call("7", "Heartbeat", {}), b'[2,"7","Heartbeat",{}]')

    def test_result(self):
        self.assertEqual(framer.result("7", {"status": "Accepted"}), b'[3,"7",{"status":"Accepted"}]')

    def test_error(self):
        self.assertEqual(framer.error("7", "InternalError"), b'[4,"7","InternalError","",{}]')
        self.assertEqual(framer.error("7", "X", "why", {"a": 1}), b'[4,"7","X","why",{"a":1}]')

    def test_the_description_is_cut(self):
        frame = framer.parse(framer.error("7", "InternalError", "é" * 300))
        self.assertEqual(frame[3], "é" * 255)

    def test_every_character_comes_back(self):
        text = "".join(chr(code) for code in range(0x180)) + "\u2028\uffff\U0010ffff"
        data = framer.call("7", "DataTransfer", {"data": text})
        self.assertEqual(framer.parse(data), (2, "7", "DataTransfer", {"data": text}))
