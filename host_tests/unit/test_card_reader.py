"""drivers/card_reader.py against the reader's model: tags, nonsense, a reader that dies and comes back."""

import asyncio
import time
import unittest

import machine
from fakes import FakeLog
from station.drivers.card_reader import CardReader
from world import World


class TestCardReader(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.model = self.world.reader()
        self.log = FakeLog()
        self.reader = CardReader({"id": 0, "direction": None}, self.log)

    def read(self, count=1):
        """The next `count` tags; time moves quickly."""

        async def main():
            tags = []
            for _ in range(count):
                tags.append(await self.reader.read())
            return tags

        return asyncio.run(main())

    def run_for(self, seconds):
        """What a pending `read()` gives within so many seconds of clock: a tag, an OSError, or None."""

        async def clock():
            for _ in range(seconds * 20):
                await asyncio.sleep_ms(0)
                time.advance(50)
            reading.cancel()

        async def main():
            nonlocal reading
            reading = asyncio.current_task()
            moving = asyncio.create_task(clock())
            try:
                return await self.reader.read()
            except asyncio.CancelledError:
                return None
            finally:
                moving.cancel()

        reading = None
        return asyncio.run(main())

    def test_a_card(self):
        self.model.swipe("04A1B2C3D4")
        self.assertEqual(self.read(), ["04A1B2C3D4"])

    def test_two_cards_at_once_come_one_by_one(self):
        self.model.swipe("ONE")
        self.model.swipe("TWO")
        self.assertEqual(self.read(2), ["ONE", "TWO"])

    def test_a_line_in_pieces(self):
        self.model.rx.extend(b"HAL")
        self.assertIsNone(self.run_for(1))
        self.model.rx.extend(b"VES\r\n")
        self.assertEqual(self.read(), ["HALVES"])

    def test_longest_tag(self):
        self.model.swipe("X" * 20)
        self.assertEqual(self.read(), ["X" * 20])

    def test_nonsense_is_ignored_and_logged(self):
        for token in ("X" * 21, "X" * 50, "tab\tin", "Größe", "two words"):
            self.model.rx = bytearray()
            self.log.lines.clear()
            self.model.swipe(token)
            self.model.swipe("GOOD")
            self.assertEqual(self.read(), ["GOOD"], token)
            self.assertEqual([line[0] for line in self.log.lines], ["warning"], token)

    def test_empty_lines_are_nothing(self):
        self.model.rx.extend(b"\r\n\n  \r\nTAG\n")
        self.assertEqual(self.read(), ["TAG"])
        self.assertEqual(self.log.lines, [])

    def test_a_healthy_reader_with_no_cards_stays_alive(self):
        self.assertIsNone(self.run_for(60))
        self.assertTrue(self.reader.alive)

    def test_a_jump_of_the_clock_kills_no_healthy_reader(self):
        async def main():
            reading = asyncio.create_task(self.reader.read())
            for _ in range(10):
                await asyncio.sleep_ms(0)
                time.advance(3_600_000)
            self.assertFalse(reading.done())
            reading.cancel()

        asyncio.run(main())

    def test_a_dead_reader_raises_once_and_comes_back(self):
        self.model.how = "silent"
        with self.assertRaises(OSError):
            self.run_for(30)
        self.assertFalse(self.reader.alive)
        self.assertIsNone(self.run_for(30))
        self.model.how = "ok"
        self.assertIsNone(self.run_for(5))
        self.assertTrue(self.reader.alive)
        self.model.swipe("BACK")
        self.assertEqual(self.read(), ["BACK"])

    def test_a_reader_of_one_connector(self):
        reader = CardReader({"id": 12, "direction": None})
        self.world.reader([2]).swipe("SECOND")
        self.assertEqual(asyncio.run(reader.read()), "SECOND")
