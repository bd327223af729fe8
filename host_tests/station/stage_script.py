"""Run by MicroPython: a station that is switched off takes a package into its free slot, to be tried at its next start.

    micropython stage_script.py BOARD_FOLDER FIRMWARE_FOLDER PROVISION STATE PACKAGE <WORDS

WORDS: JSON of {"key", "vendor", "class": hexadecimal, "sequence", "online"}. Says {"staged": version} or
{"refused": reason, "text"}.
"""

import asyncio
import binascii
import json
import sys

sys.path[:0] = sys.argv[1:3]

import board  # noqa: E402
import boot_choice  # noqa: E402
from station.log import Log  # noqa: E402
from station.storage.region import Region  # noqa: E402
from station.update.application import Application  # noqa: E402
from station.update.installer import Installer  # noqa: E402
from station.update.inventory import Inventory  # noqa: E402
from station.update.refused import Refused  # noqa: E402
from station.update.slots import Slots  # noqa: E402


async def stage(slots, path, words):
    key, vendor, kind = [binascii.unhexlify(words[name]) for name in ("key", "vendor", "class")]
    application = Application(slots, vendor, kind, lambda: (words["online"], True))
    components = {application.name: application}
    installer = Installer(components, Inventory(components, Log(256)), (key,), None, Log(256))
    with open(path, "rb") as file:

        async def read(buffer):
            return file.readinto(buffer)

        try:
            manifest, _ = await installer.stage(read, words["sequence"])
        except Refused as error:
            return {"refused": error.reason, "text": error.text}
    await application.activate()
    return {"staged": manifest.order[0].version}


board.setup(sys.argv[3], sys.argv[4])
boot_choice.records = boot_choice.Records(*board.region("boot"))
boot_choice.running = boot_choice.records.state.confirmed
slots = Slots(lambda name: Region(*board.region(name)), "1.0.0", Log(256))
print(json.dumps(asyncio.run(stage(slots, sys.argv[5], json.loads(sys.stdin.readline())))))
