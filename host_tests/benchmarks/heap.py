"""The firmware as a process against the `ocpp` library's backend: how little heap a session needs, and does it grow."""

import asyncio
import tempfile

from tools.backend import Csms
from tools.process import StationEnded, StationProcess
from tools.provisioning import provisioning

_WITHIN_S = 5
_GRAIN_KIB = 8
_CONNECTORS = 8
_WARM_UP = 100  # sessions, until every buffer has been needed once


class _Station:
    """A station with its backend, in a state directory that goes with it."""

    def __init__(self, connectors, heap):
        self._connectors, self._heap = connectors, heap

    async def __aenter__(self):
        self.csms = await Csms().__aenter__()
        self._folder = tempfile.TemporaryDirectory()
        words = provisioning(
            self.csms.url,
            connectors={"count": self._connectors},
            settings={"MeterValueSampleInterval": "1", "MeterValuesSampledData": "Energy.Active.Import.Register"},
        )
        self.station = StationProcess(words, self._folder.name, heap=self._heap)
        await self.station.start()
        await self.csms.status(self._connectors, "Available", within=_WITHIN_S)
        return self.csms, self.station

    async def __aexit__(self, *_):
        await self.station.kill()
        await self.csms.__aexit__(None, None, None)
        self._folder.cleanup()


async def _sessions(csms, station, connectors, metered):
    """One session on each connector, all at once; the card is held to each connector's own reader."""
    csms.transcript.forget()
    for number in connectors:
        await station.control("plug", connector=number)
        await station.control("swipe", token=f"CARD{number}", connectors=[number])
    for number in connectors:
        await csms.expect("StartTransaction", within=_WITHIN_S, connectorId=number)
        if metered:
            await csms.expect("MeterValues", within=_WITHIN_S, connectorId=number)
    for number in connectors:
        await station.control("unplug", connector=number)
    for _ in connectors:
        await csms.expect("StopTransaction", within=_WITHIN_S)
    for number in connectors:
        await csms.status(number, "Available", within=_WITHIN_S)


async def _passes(kib):
    """Does a whole session on two connectors pass with so much heap?"""
    station = _Station(2, f"{kib}K")
    try:
        async with station as (csms, process):
            await _sessions(csms, process, (1, 2), metered=True)
            return not (await process.state())["restarts"]
    except (AssertionError, StationEnded):
        await station.__aexit__()
        return False


async def least(low=128, high=1024):
    """The least heap in KiB, by bisection."""
    while high - low > _GRAIN_KIB:
        middle = (low + high) // 2
        low, high = (low, middle) if await _passes(middle) else (middle, high)
    return high


async def growth(count):
    """(bytes in use after boot, bytes more after `count` sessions than after the first hundred)"""
    async with _Station(_CONNECTORS, "4M") as (csms, process):
        boot = (await process.state())["heap_bytes"]
        first = None
        done = 0
        while done < count + _WARM_UP:
            await _sessions(csms, process, range(1, _CONNECTORS + 1), metered=False)
            done += _CONNECTORS
            if first is None and done >= _WARM_UP:
                first = (await process.state())["heap_bytes"]
        return boot, (await process.state())["heap_bytes"] - first


def measure(sessions=1000):
    """{"least": KiB, "boot": bytes, "growth": bytes}"""
    boot, grown = asyncio.run(growth(sessions))
    return {"least": asyncio.run(least()), "boot": boot, "growth": grown}
