"""The firmware as a process, a backend sends it the local list: how long it takes, how the heap grows, how it boots."""

import asyncio
import json
import tempfile
import time

from tools.backend import Csms
from tools.process import StationProcess
from tools.provisioning import provisioning

HEAP = "1M"
SIZES = (48, 1000, 10_000, 100_000)
DIFFERENTIAL = 1000  # entries of a message
_GROUPS = 250
_WITHIN_S = 600
_LOOK_S = 0.005
_LOOKED_AT = 5000  # entries, at least, that must arrive while the heap is looked at
_BOOTS = 3


def _text(unique_id, version, kind, numbers):
    """A SendLocalList; each card expires at another time, some are of one group."""
    items = ",".join(
        f'{{"idTag":"{number * 2654435761 % (1 << 32):014X}","idTagInfo":{{"status":"Accepted",'
        f'"expiryDate":"20{30 + number % 60}-03-17T17:{number % 60:02}:40Z","parentIdTag":"FLEET{number % _GROUPS}"}}}}'
        for number in numbers
    )
    payload = f'{{"listVersion":{version},"updateType":"{kind}","localAuthorizationList":[{items}]}}'
    return f'[2,"{unique_id}","SendLocalList",{payload}]'


async def _receive(csms, version, kind, numbers):
    """Seconds from the first byte to the answer."""
    unique_id = f"list{version}"
    text = _text(unique_id, version, kind, numbers)
    began = time.perf_counter()
    sending = asyncio.create_task(csms.connection.socket.send(text))
    answer = await csms.transcript.answer_to(unique_id, _WITHIN_S)
    took = time.perf_counter() - began
    await sending
    if answer.payload != {"status": "Accepted"}:
        raise AssertionError(answer.text)
    return took


async def _growth(csms, box, count):
    """Bytes that the heap in use grows by at most while a list of so many replaces the same one; garbage not counted.

    Each look at the heap takes the station some ms, so this is not timed; a short list is sent again and again.
    """

    async def receive():
        for version in range(2, 3 + _LOOKED_AT // count):
            await _receive(csms, version, "Full", range(count))

    least = most = (await box.state())["heap_bytes"]
    receiving = asyncio.create_task(receive())
    while not receiving.done():
        most = max(most, (await box.state())["heap_bytes"])
        await asyncio.sleep(_LOOK_S)
    await receiving
    return most - least


async def _boot(csms, box):
    """ms from the start of the process to its control port's first answer, the best of some."""
    took = []
    for _ in range(_BOOTS):
        await box.kill()
        began = time.perf_counter()
        await box.start()
        took.append((time.perf_counter() - began) * 1000)
        await csms.status(1, "Available")
    return min(took)


async def _with_station(work):
    """What `work(csms, box)` gives, at a station with blank flash."""
    with tempfile.TemporaryDirectory() as folder:
        async with Csms() as csms, StationProcess(provisioning(csms.url), folder, heap=HEAP) as box:
            await csms.status(1, "Available")
            return await work(csms, box)


async def _full(csms, box, count):
    figures = {"receive_s": await _receive(csms, 1, "Full", range(count))}
    figures["heap_growth"] = await _growth(csms, box, count)
    figures["boot_ms"] = await _boot(csms, box)
    return figures


async def _differentials(csms, _box, count):
    took = 0
    for first in range(0, count, DIFFERENTIAL):
        numbers = range(first, min(count, first + DIFFERENTIAL))
        took += await _receive(csms, first + 1, "Differential", numbers)
    return took


def full(count):
    """{"receive_s", "heap_growth": bytes, "boot_ms"} with so many cards in one SendLocalList."""
    return asyncio.run(_with_station(lambda csms, box: _full(csms, box, count)))


def differentials(count):
    """Seconds to receive so many cards in messages of DIFFERENTIAL entries, one after the other."""
    return asyncio.run(_with_station(lambda csms, box: _differentials(csms, box, count)))


if __name__ == "__main__":
    print(json.dumps({count: full(count) for count in SIZES} | {"differentials_s": differentials(SIZES[-1])}))
