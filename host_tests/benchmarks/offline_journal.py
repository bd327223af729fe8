"""In MicroPython: what fits in 1 MiB of journal before the first reading must be left out. Prints one JSON object with

readings        MeterValues of one value each, of one transaction
transactions    of 10 such readings each, begun and ended
"""

import json

from fakes import FakeLog
from flashes import CuttableFlash
from station import measurands
from station.charging import metering
from station.charging.transaction import Ledger
from station.clock import Clock
from station.storage.journal import Journal
from station.storage.region import Region

_BLOCKS = 256
_READINGS = 10
_REGISTER = measurands.mask_of("Energy.Active.Import.Register", 3)


def blank():
    """A ledger on 1 MiB of blank flash."""
    log = FakeLog()
    journal = Journal(Region(CuttableFlash(_BLOCKS), 0, _BLOCKS), log)
    journal.mount()
    clock = Clock(1)
    clock.set(1_800_000_000)
    ledger = Ledger(journal, clock, log)
    ledger.on_append = lambda kind: None
    return ledger


def read(ledger, transaction, energy):
    ledger.reading(transaction, metering.PERIODIC, (energy,), _REGISTER, 0)


def readings():
    ledger = blank()
    transaction = ledger.start(1, "0123456789ABCD", None, 0)
    count = 0
    while not ledger.is_short():
        count += 1
        read(ledger, transaction, count * 90)
    return count


def transactions():
    ledger = blank()
    count = 0
    while not ledger.is_short():
        transaction = ledger.start(1, "0123456789ABCD", None, count * 1000)
        for number in range(_READINGS):
            read(ledger, transaction, count * 1000 + number * 90)
        ledger.stop(transaction, count * 1000 + 1000, "Local", "0123456789ABCD")
        count += 1
    return count


print(json.dumps({"readings": readings(), "transactions": transactions()}))
