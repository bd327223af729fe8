"""drivers/meter_types.py is sound, numbers of every kind and order are right, every type reads its model's registers.

The models (boards/unix/meter_models.py) are written from the data sheets, apart from the driver's table.
"""

import asyncio
import struct
import unittest

import machine
from meter_models import MODELS
from station.drivers import modbus
from station.drivers.meter import Meter, MeterError, number
from station.drivers.meter_types import (
    F32,
    HIGH_FIRST,
    I16,
    I32,
    I64,
    LOW_FIRST,
    TYPES,
    U16,
    U32,
    U64,
    WORDS,
)
from station.drivers.modbus_bus import Bus
from station.provisioning import METER_TYPES
from world import World

WH = 3_600_000_000  # the model's unit, mW ms
# what a data sheet allows in one request
MOST = {"SDM72": 60, "SDM72V1": 60, "SDM230": 80, "SDM630": 80, "B23": 125, "EM340": 50}


def swapped(data):
    """The same registers, the last one first."""
    return b"".join([data[at : at + 2] for at in range(len(data) - 2, -1, -2)])


class TestTable(unittest.TestCase):
    def test_provisioning_knows_the_same_types(self):
        self.assertEqual(sorted(METER_TYPES), sorted(TYPES))
        self.assertEqual(sorted(MODELS), sorted(TYPES))

    def test_rows_are_sound(self):
        for name, row in TYPES.items():
            baud, parity, function, order, thinks_ms, requests, fields = row
            self.assertIn(baud, (9600, 19200), name)
            self.assertIn(parity, (None, 0, 1), name)
            self.assertIn(function, (modbus.READ_HOLDING, modbus.READ_INPUT), name)
            self.assertIn(order, (HIGH_FIRST, LOW_FIRST), name)
            self.assertTrue(100 <= thinks_ms <= 1000, name)
            self.assertEqual(len(fields), 9, name)
            for first, count in requests:
                modbus.request(1, function, first, count)
                self.assertLessEqual(count, MOST[name], name)

    def test_a_late_reply_is_never_taken_for_another_request_s(self):
        for name, row in TYPES.items():
            counts = [count for _, count in row[5]]
            self.assertEqual(len(counts), len(set(counts)), name)

    def test_each_number_is_whole_in_just_one_request(self):
        for name, row in TYPES.items():
            for field in row[6]:
                if field:
                    register, kind, _ = field
                    holding = [first for first, count in row[5] if first <= register < first + count]
                    self.assertEqual(len(holding), 1, name)
                    ends = holding[0] + dict(row[5])[holding[0]]
                    self.assertLessEqual(register + WORDS[kind], ends, name)

    def test_every_meter_has_energy_and_power(self):
        for name, row in TYPES.items():
            self.assertIsNotNone(row[6][0], name)
            self.assertIsNotNone(row[6][1], name)


class TestNumber(unittest.TestCase):
    def is_number(self, data, kind, exponent, expected):
        self.assertEqual(len(data), 2 * WORDS[kind])
        around = b"\x12\x34" + data + b"\x56\x78"
        self.assertEqual(number(around, 2, kind, HIGH_FIRST, exponent), expected)
        around = b"\x12\x34" + swapped(data) + b"\x56\x78"
        self.assertEqual(number(around, 2, kind, LOW_FIRST, exponent), expected)

    def test_integers_in_both_orders(self):
        for kind, form, value in (
            (U16, ">H", 0xFFFE),
            (I16, ">h", -2),
            (U32, ">I", 0xFFFFFFFE),
            (I32, ">i", -0x80000000),
            (I32, ">i", 0x12345678),
            (U64, ">Q", 0x0123456789ABCDEF),
            (U64, ">Q", 0xFFFFFFFFFFFFFFFE),
            (I64, ">q", -0x0123456789ABCDEF),
        ):
            for exponent in (0, 1, 2, 3):
                self.is_number(struct.pack(form, value), kind, exponent, value * 10**exponent)

    def test_a_negative_exponent_rounds_to_the_nearest(self):
        for value, expected in ((149, 1), (150, 2), (-149, -1), (-150, -2), (-250, -3), (0, 0), (49, 0), (-49, 0)):
            self.is_number(struct.pack(">i", value), I32, -2, expected)

    def test_singles_in_both_orders(self):
        self.is_number(struct.pack(">f", 20000.001), F32, 3, 20000002)
        self.is_number(struct.pack(">f", -3.5), F32, 1, -35)

    def test_no_value(self):
        for kind, data in (
            (U16, b"\xff" * 2),
            (U32, b"\xff" * 4),
            (U64, b"\xff" * 8),
            (I16, b"\x7f\xff"),
            (I32, b"\x7f" + b"\xff" * 3),
            (I64, b"\x7f" + b"\xff" * 7),
            (F32, b"\x7f\xc0\x00\x00"),
            (F32, b"\xff\x80\x00\x00"),
        ):
            self.is_number(data, kind, 0, None)


class TestTypes(unittest.TestCase):
    """A car draws 13.5 A in two phases; the register holds an odd number of kWh beyond 24 bits of Wh."""

    energy_wh = 20_123_400

    def read(self, name, phases=2):
        world = World(1, 3, meter=name, addresses=(17,))
        machine.attach(world)
        slave = world.outlets[0].meter
        slave._measure = lambda: (self.energy_wh, 13500, phases, 2302)
        row = TYPES[name]
        return asyncio.run(Meter(Bus({"id": 1, "direction": None}, row[0], row[1]), 17, row).read())

    def test_each_type(self):
        power = 13500 * 2302 * 2 // 10000  # W, less what is cut off: 6215.4
        volts, amps = (2302, 2302, 2302), (13500, 13500, 0)
        whole = (self.energy_wh, power) + amps + volts + (5000,)
        single = self.energy_wh // 1000 * 1000 + 400  # 20123.4 as a single is 20123.400390625
        self.assertEqual(self.read("SDM630"), (single,) + whole[1:])
        self.assertEqual(self.read("SDM72"), (single,) + whole[1:])
        self.assertEqual(self.read("SDM72V1"), (single, power, 0, 0, 0, 0, 0, 0, 0))
        self.assertEqual(self.read("SDM230", 1), (single, 3108, 13500, 0, 0, 2302, 0, 0, 5000))
        self.assertEqual(self.read("B23"), whole)
        self.assertEqual(self.read("EM340"), whole)

    def test_the_largest_registers(self):
        self.energy_wh = 999_999_999_990  # 64 bits
        self.assertEqual(self.read("B23")[0], 999_999_999_990)
        self.energy_wh = 214_748_364_600  # the last before 7FFFFFFFh
        self.assertEqual(self.read("EM340")[0], 214_748_364_600)

    def test_an_energy_register_without_a_value_is_no_measurement(self):
        self.energy_wh = 0x7FFFFFFF * 100
        with self.assertRaises(MeterError) as caught:
            self.read("EM340")
        self.assertIn("no value", str(caught.exception))
