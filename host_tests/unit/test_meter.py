"""drivers/meter.py against the SDM630 model: exact integers from singles, defects, retries."""

import asyncio
import random
import struct
import time
import unittest

import board
import machine
from outlet import Outlet
from station.drivers import modbus
from station.drivers.meter import Meter, MeterError, scaled
from station.drivers.meter_types import F32, TYPES
from station.drivers.modbus_bus import Bus
from world import World

WH = 3_600_000_000  # the model's unit, mW ms


def bits(number):
    return int.from_bytes(struct.pack(">f", number), "big")


class TestScaled(unittest.TestCase):
    def test_known_values(self):
        for number, decimals, expected in (
            (0.0, 3, 0),
            (230.2, 1, 2302),
            (1.0, 0, 1),
            (-3.5, 1, -35),
            (0.001, 3, 1),
            (0.0004, 3, 0),
            (2147483648.0, 3, 2147483648000),
            (1e-40, 3, 0),
            (1e20, 0, 100000002004087734272),
        ):
            self.assertEqual(scaled(bits(number), decimals), expected, number)

    def test_exact_halves_round_up(self):
        self.assertEqual(scaled(bits(2.5), 0), 3)
        self.assertEqual(scaled(bits(0.0625), 3), 63)

    def test_every_wh_comes_back_up_to_8_gwh(self):
        # a single has a step below 1 Wh until 8,192 kWh
        seed = int.from_bytes(__import__("os").urandom(2), "big")
        random.seed(seed)
        for wh in [0, 1, 999, 1000, 8_191_999] + [random.randrange(8_192_000) for _ in range(500)]:
            self.assertEqual(scaled(bits(wh / 1000), 3), wh, "seed %d" % seed)

    def test_beyond_the_single_s_step_it_is_exactly_the_register(self):
        # 20000.001 kWh is stored as 20000.001953125 kWh
        self.assertEqual(scaled(bits(20000.001), 3), 20000002)

    def test_no_number(self):
        for pattern in (0x7F800000, 0xFF800000, 0x7FC00000):
            with self.assertRaises(ValueError):
                scaled(pattern, 3)


class TestMeter(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.outlet = self.world.outlets[0]
        row = board.connector(1)["meter"]
        self.bus = Bus(board.uart(row["uart"]), 9600)
        self.meter = Meter(self.bus, row["address"], TYPES[row["type"]])

    def read(self):
        return asyncio.run(self.meter.read())

    def charge(self, parameters):
        """A car draws; 16 A are offered."""
        self.outlet.plug(parameters)
        self.outlet.wave(2, 1000, 160 * 65535 // 600)
        self.outlet.drive(0, 1)
        time.advance(20)
        self.outlet.settle()

    def test_idle(self):
        self.assertEqual(self.read(), (0, 0, 0, 0, 0, 2300, 2300, 2300, 5000))

    def test_three_phases_for_an_hour(self):
        self.charge({"current_a": 10})
        time.advance(3_600_000)
        energy, *rest = self.read()
        self.assertIn(energy, (6900, 6901))
        self.assertEqual(rest, [6900, 10000, 10000, 10000, 2300, 2300, 2300, 5000])

    def test_one_phase(self):
        self.charge({"current_a": 13.5, "phases": 1})
        _, power, i1, i2, i3 = self.read()[:5]
        self.assertEqual((power, i1, i2, i3), (3105, 13500, 0, 0))

    def test_large_register(self):
        self.outlet.energy = 8_191_999 * WH
        self.assertEqual(self.read()[0], 8_191_999)

    def test_silent_meter(self):
        self.outlet.meter.how = "silent"

        async def clock():
            while True:
                await asyncio.sleep_ms(0)
                time.advance(50)

        async def main():
            moving = asyncio.create_task(clock())
            try:
                await self.meter.read()
            finally:
                moving.cancel()

        with self.assertRaises(MeterError) as caught:
            asyncio.run(main())
        self.assertIn("no reply", str(caught.exception))
        self.assertIsInstance(caught.exception, OSError)
        self.outlet.meter.how = "ok"
        self.assertEqual(self.read()[1], 0)

    def test_corrupt_replies(self):
        self.outlet.meter.how = "corrupt"
        with self.assertRaises(MeterError) as caught:
            self.read()
        self.assertIn("CRC", str(caught.exception))

    def test_one_bad_reply_is_made_good_by_the_next_try(self):
        model, good = self.outlet.meter, self.outlet.meter._answer
        tries = []

        def answer(frame):
            tries.append(frame)
            model.how = "corrupt" if len(tries) == 1 else "ok"
            good(frame)

        model._answer = answer
        self.assertEqual(self.read()[5], 2300)
        self.assertEqual(len(tries), 2)

    def test_rest_of_an_earlier_reply_does_no_harm(self):
        self.outlet.meter.rx = bytearray(b"\x01\x04\x94late")
        self.assertEqual(self.read()[5], 2300)

    def test_exception_reply_is_named(self):
        meter = Meter(self.bus, 1, (9600, None, 4, 0, 100, ((0x100, 2),), ((0x100, F32, 0),)))
        with self.assertRaises(MeterError) as caught:
            asyncio.run(meter.read())
        self.assertIn("exception 2", str(caught.exception))

    def test_overlapping_reads_wait_for_one_another(self):
        async def main():
            return await asyncio.gather(self.meter.read(), self.meter.read(), self.meter.read())

        self.assertEqual(len(asyncio.run(main())), 3)

    def test_negative_register_is_refused(self):
        self.outlet.energy = -5 * WH
        with self.assertRaises(MeterError) as caught:
            self.read()
        self.assertIn("negative", str(caught.exception))

    def test_reading_the_energy_register_saves_the_world_and_other_registers_do_not(self):
        saved = []
        outlet = Outlet(1, 3, self.world.now, lambda: saved.append(1))
        outlet.meter.write(modbus.request(1, 4, 0x0000, 2))
        self.assertEqual((saved, len(outlet.meter.rx)), ([], 9))
        outlet.meter.write(modbus.request(1, 4, 0x0048, 2))
        self.assertEqual((saved, len(outlet.meter.rx)), ([1], 9))

    def test_the_model_takes_requests_byte_by_byte_and_ignores_others(self):
        model = self.outlet.meter
        for byte in modbus.request(1, 4, 0x0046, 2):
            self.assertEqual(len(model.rx), 0)
            model.write(bytes((byte,)))
        self.assertEqual(bytes(modbus.parse(model.rx, modbus.request(1, 4, 0x46, 2))), struct.pack(">f", 50.0))
        model.rx = bytearray()
        model.write(modbus.request(2, 4, 0x0046, 2))
        model.write(modbus.request(1, 4, 0x0046, 2)[:-1] + b"\x00")
        self.assertEqual(len(model.rx), 0)
