"""Runs in MicroPython: feeds streams to `WebSocket` and tells its events.

A line of stdin is {"limit": bytes, "nonce": hex, "pieces": [hex, …]}, a line of stdout {"events", "sent", "state"}.
"""

import binascii
import json
import sys

from station.ocpp.websocket import WebSocket


def shown(event):
    return [binascii.hexlify(x).decode() if isinstance(x, (bytes, bytearray)) else x for x in event]


def run(case):
    nonce = binascii.unhexlify(case["nonce"])
    ws = WebSocket("ws://host/", max_message=case["limit"], random=lambda n: nonce[:n])
    events = []
    for piece in case["pieces"]:
        ws.receive(binascii.unhexlify(piece))
        event = ws.event()
        while event:
            events.append(shown(event))
            event = ws.event()
    return {"events": events, "sent": binascii.hexlify(ws.output()).decode(), "state": ws.state}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))))
