"""Run by MicroPython: fills the journal of a station that is switched off until so many bytes are left.

    micropython fill_journal.py BOARD_FOLDER FIRMWARE_FOLDER PROVISION STATE ROOM

It begins a transaction on connector 1 and writes readings that tell nothing, so that sending them takes no time.
"""

import sys

sys.path[:0] = sys.argv[1:3]

import board  # noqa: E402
from station.charging import records  # noqa: E402
from station.storage.journal import MAX_PAYLOAD, Journal  # noqa: E402
from station.storage.region import Region  # noqa: E402


class Silent:
    def debug(self, *words):
        pass

    info = warning = error = debug


board.setup(sys.argv[3], sys.argv[4])
journal = Journal(Region(*board.region("journal")), Silent())
journal.mount()
number = journal.append(records.START, records.pack_start(0, 1_800_000_000, 100, -1, 1, "FILLER", None))
values = [100] * ((MAX_PAYLOAD - len(records.pack_reading(number, 0, 0, 0, 0, ()))) // 4)
while journal.room() > int(sys.argv[5]):
    journal.append(records.READING, records.pack_reading(number, 1_800_000_000, 0, 0, 0, values))
print(journal.room(), journal.capacity)
