"""drivers/mfrc522.py and the chip's model: registers, bus, FIFO, timer; a chip that is missing, wrong or mad."""

import random
import time
import unittest

import machine
from iso14443_cards import FEEBLE, Card
from mfrc522 import Mfrc522
from rfid import Bench, run
from station.drivers.mfrc522 import BROKEN, NO_ANSWER
from world import World

REQA = b"\x26"


class Bus:
    """Registers of a chip's model by hand, over `machine.SPI`."""

    def __init__(self, world):
        select, reset, _ = world.contactless()[0]
        self.spi = machine.SPI(1)
        self.select = machine.Pin(select, machine.Pin.OUT, value=1)
        self.reset = machine.Pin(reset, machine.Pin.OUT, value=1)

    def transfer(self, *out):
        read = bytearray(len(out))
        self.select(0)
        self.spi.write_readinto(bytes(out), read)
        self.select(1)
        return read

    def read(self, *registers):
        return list(self.transfer(*[0x80 | register << 1 for register in registers], 0)[1:])

    def write(self, register, *values):
        self.transfer(register << 1, *values)


class TestModel(unittest.TestCase):
    def setUp(self):
        self.world = World(1, 3)
        machine.attach(self.world)
        self.model = self.world.chip()
        self.bus = Bus(self.world)
        time.advance(10)

    def test_reading_and_writing(self):
        bus = self.bus
        self.assertEqual(bus.read(0x37), [0x92])
        bus.write(0x2D, 0x55)
        self.assertEqual(bus.read(0x2D, 0x37, 0x11), [0x55, 0x92, 0x3F])
        self.assertEqual(self.model.wrong, [])

    def test_nothing_reaches_it_that_was_not_selected(self):
        read = bytearray(2)
        self.bus.spi.write_readinto(b"\xee\x00", read)
        self.assertEqual(read, b"\xff\xff")
        self.bus.spi.write(b"\x5a\x55")
        self.assertEqual(self.bus.read(0x2D), [0x00])

    def test_another_clock_polarity_is_not_understood(self):
        self.bus.spi = machine.SPI(1, polarity=1, phase=0)
        self.assertEqual(self.bus.read(0x37), [0xFF])

    def test_power_down_and_reset_by_pin(self):
        self.bus.write(0x2D, 0x55)
        self.bus.reset(0)
        self.assertEqual(self.bus.read(0x37), [0xFF])
        self.bus.reset(1)
        self.assertEqual(self.bus.read(0x01)[0] & 0x10, 0x10)
        time.advance(5)
        self.assertEqual(self.bus.read(0x01, 0x2D), [0x20, 0x00])

    def test_fifo(self):
        bus = self.bus
        bus.write(0x09, 1, 2, 3)
        self.assertEqual(bus.read(0x0A, 0x09, 0x09, 0x0A), [3, 1, 2, 1])
        bus.write(0x0A, 0x80)
        self.assertEqual(bus.read(0x0A), [0])
        bus.write(0x09, *range(64))
        self.assertEqual(bus.read(0x0A, 0x06), [64, 0])
        bus.write(0x09, 99)
        self.assertEqual(bus.read(0x0A, 0x06), [64, 0x10])  # BufferOvfl

    def test_its_crc(self):
        bus = self.bus
        bus.write(0x09, 0x12, 0x34)
        bus.write(0x01, 0x03)
        self.assertEqual(bus.read(0x05, 0x21, 0x22), [0x04, 0xCF, 0x26])

    def test_interrupt_bits_are_cleared_one_by_one(self):
        self.assertEqual(self.bus.read(0x04), [0x14])
        self.bus.write(0x04, 0x04)
        self.assertEqual(self.bus.read(0x04), [0x10])
        self.bus.write(0x04, 0x83)
        self.assertEqual(self.bus.read(0x04), [0x13])

    def test_what_it_does_not_take_is_noted(self):
        for register, value, word in ((0x37, 1, "0x37"), (0x0F, 1, "0x0F"), (0x01, 0x0E, "0xE"), (0x12, 0x80, "CRC")):
            self.bus.write(register, value)
            self.assertIn(word, self.model.wrong.pop())
        self.bus.transfer(0x5B, 0)
        self.assertIn("last bit", self.model.wrong.pop())


class TestChip(unittest.TestCase):
    def setUp(self):
        self.bench = Bench()
        self.model, self.chip = self.bench.model, self.bench.chip

    def refuses(self, text):
        with self.assertRaises(OSError) as caught:
            run(self.chip.start())
        self.assertIn(text, str(caught.exception))
        self.assertEqual(self.chip.version, 0)
        with self.assertRaises(OSError):
            self.chip.check()

    def test_start(self):
        for version in (0x91, 0x92, 0x88, 0x12, 0xB2):
            self.model.version = version
            run(self.chip.start())
            self.assertEqual(self.chip.version, version)
            self.chip.check()
        self.assertEqual(self.model.wrong, [])

    def test_a_chip_without_reset_pin(self):
        select, _, _ = self.bench.world.contactless()[0]
        bench = Bench()
        chip = type(self.chip)({"id": 1}, select)
        machine.Pin(select + 1, machine.Pin.OUT, value=1)
        time.advance(5)
        run(chip.start())
        self.assertEqual((chip.version, bench.model.wrong), (0x92, []))

    def test_held_in_power_down_until_it_is_started(self):
        self.assertFalse(self.model._powered)

    def test_what_is_no_such_chip_is_refused(self):
        for version in (0x00, 0xFF, 0x93, 0x18):
            self.model.version = version
            self.refuses("version 0x%02X" % version)

    def test_a_bus_with_nothing_on_it(self):
        self.model.how = "silent"
        self.refuses("reset")

    def test_a_register_that_does_not_keep_its_value(self):
        self.model.stuck[0x2D] = 0x00
        self.refuses("register 0x2D was set to 0x28, reads 0x00")

    def test_check_notices(self):
        def reset():
            self.model.reset()

        def silent():
            self.model.how = "silent"

        def other():
            self.model.version = 0x91

        def low():
            self.model.stuck = {register: 0 for register in range(64)}

        for what in (reset, silent, other, low):
            self.setUp()
            self.bench.start()
            self.chip.check()
            what()
            with self.assertRaises(OSError):
                self.chip.check()

    def exchange(self, size=1, last_bits=7, room=8):
        return run(self.chip.transceive(REQA * size, size, last_bits, bytearray(room)))

    def test_timeout_and_answer(self):
        self.bench.start()
        self.assertEqual(self.exchange(), NO_ANSWER)
        self.bench.put(b"\x01\x02\x03\x04")
        self.assertEqual(self.exchange(), 16)
        self.assertEqual(self.model.wrong, [])

    def test_an_answer_longer_than_its_buffer_is_broken(self):
        self.bench.start()
        self.bench.put(b"\x01\x02\x03\x04")
        self.assertEqual(self.exchange(room=1), BROKEN)

    def test_a_parity_error_is_broken(self):
        self.bench.start()
        (card,) = self.bench.put(b"\x01\x02\x03\x04", fault="noisy")
        card._answers = FEEBLE - 1
        self.assertEqual(self.exchange(), BROKEN)

    def test_the_longest_frame(self):
        self.bench.start()
        self.assertEqual(self.exchange(64, 0), NO_ANSWER)
        self.assertEqual(self.model.wrong, [])

    def test_a_chip_that_does_not_finish(self):
        self.bench.start()
        self.model.stuck[0x04] = 0x00
        with self.assertRaises(OSError):
            self.exchange()

    def test_an_error_without_an_answer_ends_it(self):
        self.bench.start()
        self.model.stuck[0x04] = 0x02
        self.assertEqual(self.exchange(), BROKEN)

    def test_the_antenna(self):
        self.bench.start()
        self.assertEqual(self.model._registers[0x14], 0x83)
        self.chip.field(False)
        self.assertEqual(self.model._registers[0x14], 0x80)
        self.bench.put(b"\x01\x02\x03\x04")
        self.assertEqual(self.exchange(), NO_ANSWER)


class Mad(Mfrc522):
    """Every register but those of `sane` reads at random."""

    def __init__(self, now, sane):
        self.sane = sane
        super().__init__(now)

    def _read(self, address):
        return super()._read(address) if address in self.sane else random.getrandbits(8)


class TestHostileChip(unittest.TestCase):
    """Whatever registers read: everything comes to an end, OSError is the only exception, no id tag is invented."""

    SANE = (
        (),
        (0x01, 0x37),
        (0x01, 0x15, 0x2A, 0x2D, 0x37),
        tuple(range(0x10, 0x40)) + (0x01,),
        tuple(range(0x10, 0x40)) + (0x01, 0x04),
        tuple(range(0x10, 0x40)) + (0x01, 0x04, 0x06),
        tuple([i for i in range(64) if i != 0x0E]),
        tuple([i for i in range(64) if i != 0x0A]),
        tuple([i for i in range(64) if i != 0x0C]),
    )

    def test_it_is_survived(self):
        seed = time.ticks_us() & 0xFFFFFF
        print("seed of the mad chips: %d" % seed)
        random.seed(seed)
        for sane in self.SANE:
            bench = Bench()
            mad = Mad(bench.world.now, sane)
            mad.field.put(Card(b"\x01\x02\x03\x04"))
            mad.field.put(Card(b"\xf1\x02\x03\x04"))
            mad.select(1)
            bench.world.chips = (mad,)
            bench.reader._chip._spi._devices = (mad,)
            for pin in (bench.chip._select, bench.chip._reset):
                pin.site._chip = mad
            tags, errors = bench.read_for(3000)
            self.assertLessEqual(len(errors), 10)
            self.assertGreater(mad.transfers, 8)
            for tag in tags:
                self.assertIn(tag, ("01020304", "f1020304"), "seed %d" % seed)
