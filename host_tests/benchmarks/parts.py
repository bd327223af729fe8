"""In MicroPython: what single parts cost. Prints one JSON object with

mask_8k_us             masking 8 KiB of a frame, in us
bytes_programmed       of flash for one transaction: Start, 10 MeterValues, Stop, all answered
erases                 of 4 KiB blocks for it, on average
"""

import asyncio
import json
import os
import time

from fakes import FakeLog
from flashes import CuttableFlash
from station import measurands
from station.charging import metering
from station.charging.authorization import IdTagInfo
from station.charging.transaction import Ledger
from station.clock import Clock
from station.ocpp.id_tags import IdTags
from station.ocpp.mask import mask
from station.ocpp.outbox import Outbox
from station.storage.cards.card_hash import CardHash
from station.storage.journal import Journal
from station.storage.region import Region

_MASKED = 8192
_ROUNDS = 200
_TRANSACTIONS = 200
_READINGS = 10
_BLOCKS = 32


class Backend:
    """Answers every message at once: link, charge point and authorization in one."""

    connected = True

    async def call(self, action, payload, unique_id):
        if action == "StartTransaction":
            return {"transactionId": 4711, "idTagInfo": {"status": "Accepted"}}
        return {}

    def judged(self, number, transaction_id, accepted, parent_id_tag):
        self.ledger.started(number, transaction_id, accepted)

    def learn(self, id_tag, info: IdTagInfo):
        pass


def measure_mask():
    buffer = bytearray(_MASKED)
    key = os.urandom(4)
    began = time.ticks_us()
    for _ in range(_ROUNDS):
        mask(buffer, key, 0, _MASKED)
    return time.ticks_diff(time.ticks_us(), began) / _ROUNDS


async def measure_flash():
    log = FakeLog()
    flash = CuttableFlash(_BLOCKS)
    journal = Journal(Region(flash, 0, _BLOCKS), log)
    journal.mount()
    clock = Clock(1)
    clock.set(1_800_000_000)
    ledger = Ledger(journal, clock, log)
    backend = Backend()
    backend.ledger = ledger
    settings = {"TransactionMessageAttempts": 3, "TransactionMessageRetryInterval": 60}
    id_tags = IdTags(CardHash(bytes(32)).parent)
    outbox = Outbox(journal, backend, backend, backend, settings, clock, log, 3, id_tags)
    ledger.on_append = outbox.appended
    delivery = asyncio.create_task(outbox.run())

    async def delivered():
        while outbox.depth:
            await asyncio.sleep_ms(0)

    mask_ = measurands.mask_of("Energy.Active.Import.Register", 3)
    for number in range(_TRANSACTIONS):
        energy = number * 1000
        transaction = ledger.start(1, "0123456789ABCD", None, energy)
        await delivered()
        for _ in range(_READINGS):
            energy += 90
            ledger.reading(transaction, metering.PERIODIC, (energy,), mask_, 0)
            await delivered()
        ledger.stop(transaction, energy, "Local", "0123456789ABCD")
        await delivered()
    delivery.cancel()
    return flash.bytes_programmed / _TRANSACTIONS, flash.erases / _TRANSACTIONS


programmed, erases = asyncio.run(measure_flash())
print(json.dumps({"mask_8k_us": measure_mask(), "bytes_programmed": programmed, "erases": erases}))
