"""An extension that plays by itself, for `make bench`: `play=N` plays a session on N connectors, `play=0` just boots.

It needs no control port and takes next to no heap. Lines of JSON say how far it is; the last is {"played": N}, and the
emulator ends with status 0. What goes wrong keeps it from ending.
"""

import asyncio
import gc
import json
import time

import board
import qemu
from micropython import const

_LOOK_MS = const(20)
_CHARGE_MS = const(2500)  # long enough for two sampled readings


def extend(app) -> None:
    if qemu.argument("play") == "0":
        app.watch(_first_call)
    app.supervisor.start("player", lambda: _play(app, int(qemu.argument("play"))))


def _first_call(event: dict) -> None:
    """How long the processor was busy until BootNotification was sent."""
    if event["event"] == "frame" and "BootNotification" in event["text"]:
        print(json.dumps({"boot_notification": qemu.busy_ticks()}))


async def _until(condition) -> None:
    while not condition():
        await asyncio.sleep_ms(_LOOK_MS)


async def _play(app, count: int) -> None:
    outlets = board.world().outlets[:count]
    await _until(lambda: app.backend.is_online)
    _say("online")
    for outlet in outlets:
        outlet.plug({})
        await _until(lambda: app.snapshot()["connectors"][outlet.number - 1]["status"] == "Preparing")  # noqa: B023
        board.world().reader().swipe("CARD%d" % outlet.number)
        await _until(outlet.is_live)
    if count:
        await asyncio.sleep_ms(_CHARGE_MS)
        _say("charging")
    for outlet in outlets:
        outlet.unplug()
    await _until(lambda: not any([row["transaction"] for row in app.snapshot()["connectors"]]))
    await _until(lambda: not app.snapshot()["journal_depth"])
    print(json.dumps({"models": board.models_bytes}))
    _say("played")
    qemu.exit(0)


def _say(what: str) -> None:
    gc.collect()
    print(json.dumps({what: gc.mem_alloc(), "ms": time.ticks_ms()}))
