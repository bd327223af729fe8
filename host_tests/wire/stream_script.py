"""Runs in MicroPython: takes texts apart by `JsonStream`, so that CPython can compare.

A line of stdin is {"name": property, "pieces": [hex, …]}, a line of stdout {"items": […], "end": […], "action": …}.
"""

import binascii
import json
import sys

from station.ocpp import framer
from station.ocpp.json_head import action_of
from station.ocpp.json_stream import JsonStream


def plain(value):
    """Floats as text: JSON cannot say all of them, and some differ in the last bit."""
    if isinstance(value, float):
        return "%.9g" % value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def run(case):
    stream = JsonStream(case["name"])
    items = []
    text = b""
    for piece in case["pieces"]:
        piece = binascii.unhexlify(piece)
        text += piece
        for item in stream.feed(memoryview(piece)):
            items.append(plain(item))
    try:
        end = plain(stream.end())
    except framer.FrameError as error:
        end = ["refused", error.unique_id, error.code]
    return {"items": items, "end": end, "action": action_of(text)}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))))
