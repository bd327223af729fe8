"""Starts the whole station on a real board's board.py, in MicroPython, over the stand-ins of port/: see test_boot.py.

`micropython boot_script.py ARGUMENTS.json`: "provisioning" (its text), "partitions" {label: blocks}, "hard". Prints a
line of JSON: what the firmware thinks of itself once every connector has a status, or {"error": …}.
"""

import asyncio
import json
import sys
import time

import machine
import vfs

WITHIN_MS = 8000
BLOCKS = 4096  # of the flash chip at the SPI bus


with open(sys.argv[1]) as file:
    words = json.load(file)
machine.HARD = words["hard"]
if words["partitions"] is None:
    from nor_chip import Chip

    machine.BUS = Chip(BLOCKS)
else:
    import esp32

    esp32.TABLE = words["partitions"]

import board  # noqa: E402 - it wants the port as it is now
from flashes import CuttableFlash  # noqa: E402
from station.app import App  # noqa: E402
from station.provisioning import ProvisioningError  # noqa: E402

asyncio.Event, asyncio.Lock, asyncio.StreamReader, asyncio.gather, asyncio.wait_for, asyncio.ThreadSafeFlag  # noqa: B018

# what the firmware imports late: the files it would come from are out of reach by then
for name in (
    "station.charging.id_tag",
    "station.drivers.card_reader",
    "station.drivers.mfrc522",
    "station.drivers.pilot",
    "station.drivers.pilot_gated",
    "station.drivers.rfid_reader",
    "station.ocpp.streamed_call",
    "station.storage.cards.rebuild",
    "station.storage.cards.update",
):
    __import__(name)

# no car: +12 V by the board's own calibration
pilot = board.connector(1)["pilot"]
machine.PILOT = pilot["zero"] + 12000 * 32768 // pilot["span_mv"]


def prepare():
    """Files as the port has them when the firmware starts, with the provisioning file in its place."""
    vfs.umount("/")
    if words["partitions"] is None:
        vfs.VfsLfs2.mkfs(board.filesystem())
        files = vfs.VfsLfs2(board.filesystem())
        with files.open("provision.json", "w") as file:
            file.write(words["provisioning"])
        return
    disk = CuttableFlash(64, quiet=True)
    vfs.VfsLfs2.mkfs(disk)
    vfs.mount(vfs.VfsLfs2(disk), "/")
    with open(board.PROVISION, "w") as file:
        file.write(words["provisioning"])


async def tick():
    """The timers of the port."""
    while True:
        for timer in list(machine.timers):
            timer.callback(timer)
        await asyncio.sleep_ms(10)


async def observe(app):
    started = time.ticks_ms()
    while True:
        found = app.snapshot()
        if all([row["status"] == "Available" for row in found["connectors"]]) and machine.WDT.fed:
            break
        if time.ticks_diff(time.ticks_ms(), started) > WITHIN_MS:
            break
        await asyncio.sleep_ms(50)
    import network

    found["fed"], found["network"] = machine.WDT.fed, [lan.on for lan in network.interfaces]
    found["timers"] = [timer.period for timer in machine.timers]
    return found


async def run():
    app = App(board)
    tasks = [asyncio.create_task(tick()), asyncio.create_task(app.run())]
    found = await observe(app)
    for task in tasks:
        task.cancel()
    return found


prepare()
try:
    print(json.dumps(asyncio.run(run())))
except ProvisioningError as error:
    print(json.dumps({"error": str(error)}))
