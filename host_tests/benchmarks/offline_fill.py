"""Run by MicroPython: puts so many messages into the journal of a station that is switched off: Start, 98 MeterValues,
Stop, and again.

    micropython offline_fill.py BOARD_FOLDER FIRMWARE_FOLDER PROVISION STATE MESSAGES
"""

import sys

sys.path[:0] = sys.argv[1:3]

import board  # noqa: E402
from station import measurands  # noqa: E402
from station.charging import metering  # noqa: E402
from station.charging.transaction import Ledger  # noqa: E402
from station.clock import Clock  # noqa: E402
from station.log import Log  # noqa: E402
from station.storage.journal import Journal  # noqa: E402
from station.storage.region import Region  # noqa: E402

_READINGS = 98

board.setup(sys.argv[3], sys.argv[4])
log = Log(1024)
journal = Journal(Region(*board.region("journal")), log)
journal.mount()
clock = Clock(1)
clock.set(1_780_000_000)
ledger = Ledger(journal, clock, log)
ledger.on_append = lambda kind: None
register = measurands.mask_of("Energy.Active.Import.Register", 3)
energy = 0
for _ in range(int(sys.argv[5]) // (_READINGS + 2)):
    transaction = ledger.start(1, "0123456789ABCD", None, energy)
    for _ in range(_READINGS):
        energy += 90
        ledger.reading(transaction, metering.PERIODIC, (energy,), register, 0)
    ledger.stop(transaction, energy, "Local", "0123456789ABCD")
if ledger.is_short():
    raise SystemExit("they do not fit")
