"""Runs in MicroPython: reads frames and checks payloads, so that CPython can compare.

A line of stdin is `parse HEX` or `check request|response strict|loose ACTION HEX`, HEX being the frame or the payload.
A line of stdout is JSON: ["frame", …] or ["refused", unique_id, code, reply_to]; null or [code, path, text].
"""

import binascii
import json
import sys

from station.ocpp import framer, messages, schema


def plain(value):
    """The value, its floats as text of 9 digits: JSON cannot say all of them, and some differ in the last bit."""
    if isinstance(value, float):
        return "%.9g" % value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def parsed(text):
    try:
        return ["frame"] + plain(framer.parse(text))
    except framer.FrameError as error:
        return ["refused", error.unique_id, error.code, error.reply_to]


def checked(direction, strictness, action, text):
    shape = messages.request(action) if direction == "request" else messages.response(action)
    payload = framer.parse(b'[3,"",' + text + b"]")[2]
    violation = schema.check(shape, payload, strictness == "strict")
    return violation and [violation.code, violation.path, violation.text]


for line in sys.stdin:
    words = line.rstrip("\n").split(" ")
    data = binascii.unhexlify(words.pop())
    print(json.dumps(parsed(data) if words[0] == "parse" else checked(*words[1:], data)))
