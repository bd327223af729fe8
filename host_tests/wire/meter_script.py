"""Runs in MicroPython: reads meters over the tty of its command line, one for each line of stdin.

A line of stdin is {"type", "address", "thinks_ms"?}, a line of stdout {"numbers" or "error", "ms"}.
"""

import asyncio
import json
import sys
import time

from station.drivers import meter_types
from station.drivers.meter import Meter
from station.drivers.modbus_bus import Bus

bus = Bus({"id": sys.argv[1], "direction": None}, int(sys.argv[2]))
for line in sys.stdin:
    wanted = json.loads(line)
    kind = meter_types.TYPES[wanted["type"]]
    if "thinks_ms" in wanted:
        kind = kind[:4] + (wanted["thinks_ms"],) + kind[5:]
    started = time.ticks_ms()
    try:
        answer = {"numbers": asyncio.run(Meter(bus, wanted["address"], kind).read())}
    except OSError as error:
        answer = {"error": str(error)}
    answer["ms"] = time.ticks_diff(time.ticks_ms(), started)
    print(json.dumps(answer))
