"""A chip, its field, cards and the drivers above it, in a time that passes as fast as the loop turns."""

import asyncio
import random
import time

import machine
from fakes import FakeLog
from iso14443_cards import Card
from station.drivers.iso14443a import Cards
from station.drivers.mfrc522 import Mfrc522
from station.drivers.rfid_reader import RfidReader
from world import World

# 1 ms for each turn of the loop, so that what waits 1 ms gets its turn before the next


async def _clock():
    while True:
        await asyncio.sleep_ms(0)
        time.advance(1)


async def _under_clock(waited):
    clock = asyncio.create_task(_clock())
    try:
        return await waited
    finally:
        clock.cancel()


def run(waited):
    """What the coroutine gives; its waiting takes no time."""
    return asyncio.run(_under_clock(waited))


class Bench:
    """`model` is the chip's model, `field` what is before its antenna, `chip` the driver."""

    def __init__(self):
        self.world = World(1, 3)
        machine.attach(self.world)
        self.model = self.world.chip()
        self.field = self.model.field
        select, reset, _ = self.world.contactless()[0]
        self.chip = Mfrc522({"id": 1}, select, reset)
        self.cards = Cards(self.chip)
        self.log = FakeLog()
        self.reader = RfidReader(self.chip, lambda uid: uid.hex(), "1/2000", self.log)

    def start(self):
        """The chip, started, and its field on, long enough for cards to be awake."""

        async def main():
            await self.chip.start()
            self.chip.field(True)
            await asyncio.sleep_ms(6)

        run(main())

    def put(self, *uids, fault="ok"):
        """Lay cards down; returns them."""
        cards = [Card(uid, fault) for uid in uids]
        for card in cards:
            self.field.put(card)
        return cards

    def read_for(self, ms):
        """(id tags, OSErrors as text) that the reader gives within so many ms."""
        tags, errors = [], []

        async def reading():
            while True:
                try:
                    tags.append(await self.reader.read())
                except OSError as error:
                    errors.append(str(error))

        async def main():
            task = asyncio.create_task(reading())
            end = time.ticks_add(time.ticks_ms(), ms)
            while time.ticks_diff(end, time.ticks_ms()) > 0:
                await asyncio.sleep_ms(1)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        run(main())
        return tags, errors


class Uids:
    """Random UIDs, as a card maker may give them; `seed` is printed, so that a failure can be repeated."""

    def __init__(self, seed=None):
        self.seed = seed if seed is not None else time.ticks_us() & 0xFFFFFF
        print("seed of the UIDs: %d" % self.seed)
        random.seed(self.seed)

    def one(self, size=None):
        """Of 4, 7 or 10 bytes."""
        size = size or (4, 7, 10)[random.getrandbits(8) % 3]
        uid = bytearray([random.getrandbits(8) for _ in range(size)])
        # 88h is the cascade tag: no first byte of 4 and no fourth of 7 is that; 08h is a random UID's
        while uid[0] in (0x08, 0x88) or (size == 7 and uid[3] == 0x88):
            uid[0], uid[3] = random.getrandbits(8), random.getrandbits(8)
        return bytes(uid)

    def some(self, count, size=None):
        """So many that differ; half of the time they begin alike, so that they collide late."""
        found = set()
        start = self.one(4)
        while len(found) < count:
            uid = bytearray(self.one(size))
            if random.getrandbits(1):
                shared = 1 + random.getrandbits(8) % 3
                uid[:shared] = start[:shared]
            found.add(bytes(uid))
        return sorted(found)
