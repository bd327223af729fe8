"""boards/unix/world.py and board.py: what a restart keeps, what is connected where."""

import json
import os
import time
import unittest

import board
import machine
import outlet
from ev import B, C
from station.drivers import modbus
from world import World

DIRECTORY = "/tmp/ladepunkt-test-%d" % (time.time_ns() // 1000)
SIXTEEN = 160 * 65535 // 600


def remove(path):
    for name in os.listdir(path):
        os.remove(path + "/" + name)
    os.rmdir(path)


class TestWorld(unittest.TestCase):
    def setUp(self):
        os.mkdir(DIRECTORY)
        self.path = DIRECTORY + "/world.json"
        self.world = World(2, 3, self.path)

    def tearDown(self):
        remove(DIRECTORY)

    def again(self):
        """The process was killed and started again; time.advance has not happened in the new process."""
        advanced = self.world._advanced
        self.world = World(2, 3, self.path)
        time._skip(time._skipped - advanced)
        self.world._ticks = time.ticks_ms()
        return self.world.outlets[0]

    def kept(self):
        """What world.json says."""
        with open(self.path) as file:
            return json.loads(file.read())

    def charge(self, parameters):
        first = self.world.outlets[0]
        first.plug(parameters)
        first.wave(outlet.PILOT, 1000, SIXTEEN)
        first.drive(outlet.COIL, 1)
        time.advance(1000)
        return first

    def read_meter(self, model):
        model.write(modbus.request(1, 4, 0x48, 2))

    def test_a_register_that_was_read_is_kept(self):
        first = self.charge({"current_a": 10})
        time.advance(3_600_000)
        self.read_meter(first.meter)
        seen = first.energy
        time.advance(60_000)
        first.settle()
        self.assertGreater(first.energy, seen)
        self.assertEqual(self.again().energy, seen)

    def test_a_car_stays_plugged_and_its_age_counts(self):
        self.charge({"auto_unplug_s": 100, "phases": 1})
        self.world.save()
        first = self.again()
        now = first.settle()
        self.assertEqual(first.ev.phases, 1)
        self.assertEqual(first.ev.state(now), B)
        self.assertLessEqual(first.ev.leave_at, now + 99_100)
        first.wave(outlet.PILOT, 1000, SIXTEEN)
        self.assertEqual(first.ev.state(first.settle()), C)

    def test_a_car_whose_time_passed_in_the_dark_is_gone(self):
        self.world.outlets[0].plug({"auto_unplug_s": 5})
        self.world.save()
        text = self.kept()
        text["outlets"][0]["ev"]["at"] -= 10_000
        with open(self.path, "w") as file:
            file.write(json.dumps(text))
        first = self.again()
        time.advance(1)
        self.assertIsNone(first.describe()["ev"])

    def test_pause_alarms_and_defects_are_kept(self):
        first = self.charge({})
        first.ev.pause()
        first.alarm("GroundFailure", True)
        first.shorted = True
        first.break_contactor("welded")
        first.meter.how = "silent"
        self.world.reader((2,)).how = "silent"
        first.drive(outlet.LOCK, 1)
        time.advance(100)
        first.break_lock("jammed")
        self.world.save()
        first = self.again()
        time.advance(1000)
        row = first.describe()
        self.assertEqual((row["contactor"], row["locked"], row["pilot"]), (True, True, "E"))
        self.assertEqual(row["ev"]["doing"], "paused")
        self.assertEqual((first.contactor.how, first.lock.how, first.meter.how), ("welded", "jammed", "silent"))
        self.assertEqual(first.alarms, 1 << outlet.ALARM_CODES.index("GroundFailure"))
        self.assertEqual([self.world.reader(c).how for c in (None, (1,), (2,))], ["ok", "ok", "silent"])

    def test_power_loss_opens_the_contact_and_unlocks(self):
        first = self.charge({})
        first.drive(outlet.LOCK, 1)
        time.advance(100)
        self.world.tidy()
        first = self.again()
        self.assertEqual((first.contactor.position, first.lock.position), (0, 1))
        time.advance(100)
        row = first.describe()
        self.assertEqual((row["contactor"], row["locked"]), (False, False))

    def test_written_only_when_something_changed(self):
        self.world.outlets[0].plug({})
        self.world.save()
        os.remove(self.path)
        self.world.save()
        self.read_meter(self.world.outlets[0].meter)
        self.assertEqual(os.listdir(DIRECTORY), [])
        self.world.outlets[0].unplug()
        self.world.save()
        self.assertEqual(os.listdir(DIRECTORY), ["world.json"])

    def test_tidy_keeps_what_happened_by_itself(self):
        self.world.outlets[0].plug({"auto_unplug_s": 1})
        self.world.save()
        time.advance(2000)
        self.world.tidy()
        self.assertIsNone(self.kept()["outlets"][0]["ev"])

    def test_clock_moved_forward_stays_so(self):
        before = time.time()
        self.world.advance(7_200_000)
        text = self.kept()
        self.assertEqual(text["advanced_ms"], 7_200_000)
        now = time.time()
        World(2, 3, self.path)  # moves this process's clock once more, as a new process's
        self.assertGreaterEqual(time.time() - now, 7200)
        self.assertGreaterEqual(now - before, 7200)

    def test_a_damaged_file_is_named(self):
        for text in ("", "{", "[]", '{"advanced_ms": "x"}', '{"advanced_ms": 0, "outlets": [{}], "readers": {}}'):
            with open(self.path, "w") as file:
                file.write(text)
            with self.assertRaises(ValueError) as caught:
                World(2, 3, self.path)
            self.assertIn(self.path, str(caught.exception))

    def test_readers(self):
        self.assertEqual(self.world.readers(), ((0, (1, 2)), (11, (1,)), (12, (2,))))
        self.assertIs(self.world.reader(), self.world.serial(0))
        self.assertIs(self.world.reader([2, 1]), self.world.serial(0))
        self.assertIs(self.world.reader([2]), self.world.serial(12))
        self.assertEqual(World(1, 3).readers(), ((0, (1,)),))
        with self.assertRaises(ValueError) as caught:
            World(3, 3).reader([1, 3])
        self.assertIn("[1, 3]", str(caught.exception))

    def test_a_chip_beside_each_reader(self):
        self.assertEqual(self.world.contactless(), ((2000, 2001, (1, 2)), (2002, 2003, (1,)), (2004, 2005, (2,))))
        self.assertEqual([self.world.chip(c) for c in (None, [1], [2])], list(self.world.bus(1)))
        self.world.terminal(2004)[0].drive(0, 0)
        self.assertEqual([chip.transfers for chip in self.world.chips], [0, 0, 1])

    def test_a_reader_and_its_chip_break_together(self):
        self.world.break_readers([2], "silent")
        self.world.save()
        again = World(2, 3, self.path)
        hows = [(again.reader(c).how, again.chip(c).how) for c in (None, [1], [2])]
        self.assertEqual(hows, [("ok", "ok"), ("ok", "ok"), ("silent", "silent")])

    def test_what_is_not_there(self):
        for wrong in (0, outlet.TERMINALS - 1, 3 * outlet.TERMINALS, -1, 2006):
            with self.assertRaises(ValueError):
                self.world.terminal(wrong)
        for wrong in (3, 10, 13, -1):
            with self.assertRaises(ValueError):
                self.world.serial(wrong)
        with self.assertRaises(ValueError):
            self.world.bus(0)


class TestBoard(unittest.TestCase):
    def setUp(self):
        os.mkdir(DIRECTORY)
        self.file = DIRECTORY + "/p.json"

    def tearDown(self):
        for name in ("/state", ""):
            try:
                remove(DIRECTORY + name)
            except OSError:
                pass

    def setup(self, text):
        with open(self.file, "w") as file:
            file.write(text)
        board.setup(self.file, DIRECTORY + "/state")

    def test_setup(self):
        self.setup('{"connectors": {"count": 3, "phases": 1}}')
        self.assertEqual(board.provisioning(), b'{"connectors": {"count": 3, "phases": 1}}')
        readers = board.readers()
        self.assertEqual([reader["kind"] for reader in readers], ["serial"] * 4 + ["mfrc522"] * 4)
        self.assertEqual([reader["uart"] for reader in readers[:4]], [0, 11, 12, 13])
        self.assertEqual([reader["connectors"] for reader in readers], [(1, 2, 3), (1,), (2,), (3,)] * 2)
        for reader in readers[4:]:
            machine.SPI(board.spi(reader["spi"])["id"])
            machine.Pin(reader["select"])
            machine.Pin(reader["reset"])
        machine.Pin(board.connector(3)["lock"][0])
        with self.assertRaises(ValueError):
            machine.Pin(board.connector(4)["lock"][0])
        self.assertEqual(sorted(os.listdir(DIRECTORY + "/state"))[0], "flash.bin")
        self.setup('{"connectors": {"count": 3}}')  # the state directory is there now

    def test_flash_map_does_not_overlap(self):
        self.setup("{}")
        filesystem = board.filesystem()
        self.assertEqual((filesystem.ioctl(4, 0), filesystem.ioctl(5, 0)), (256, 4096))
        end = 256
        for name, blocks in (("journal", 256), ("cards", 2048), ("cache", 32)):
            device, first, count = board.region(name)
            self.assertEqual((first, count), (end, blocks))
            end += count
            self.assertLessEqual(end, device.ioctl(4, 0))

    def test_pins_of_all_connectors_differ(self):
        pins = []
        for i in range(1, 9):
            wiring = board.connector(i)
            pins.extend(wiring["lock"])
            pins.extend([wiring["pilot"][name] for name in ("pwm", "high", "low")])
            for coil, feedback in wiring["contactor"]["poles"]:
                pins.extend((coil,) + feedback)
            pins.extend([pin for pin, _, _ in wiring["inputs"]])
        self.assertEqual(len(pins), len(set(pins)))

    def test_wrong_provisioning_is_left_to_the_firmware_to_refuse(self):
        for text in (
            "",
            "[]",
            "{}",
            '{"connectors": {"count": 0}}',
            '{"connectors": {"count": "x"}}',
            '{"connectors": 5}',
        ):
            self.setup(text)
            self.assertEqual(len(board.readers()), 2, text)

    def test_missing_file_is_named(self):
        with self.assertRaises(OSError) as caught:
            board.setup(DIRECTORY + "/none.json", DIRECTORY + "/state")
        self.assertIn("none.json", str(caught.exception))
