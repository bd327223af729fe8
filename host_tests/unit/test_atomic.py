"""Atomic replacement on littlefs over the flash model: old or new at every cut, corrupt files set aside."""

import os
import unittest

import vfs
from fakes import FakeLog
from flashes import WAYS, CuttableFlash
from station.storage import atomic

MOUNT = "/atomic"
PATH = MOUNT + "/settings"


class Disk:
    """A littlefs on a CuttableFlash, mounted at MOUNT inside `with`."""

    def __init__(self, flash=None):
        self.flash = flash or CuttableFlash(16, quiet=True)
        if flash is None:
            vfs.VfsLfs2.mkfs(self.flash)

    def __enter__(self):
        vfs.mount(vfs.VfsLfs2(self.flash), MOUNT)
        return self.flash

    def __exit__(self, *_):
        vfs.umount(MOUNT)


def attempt(function, *args):
    """What `function` gives, or the OSError that a dead flash makes of it."""
    try:
        return function(*args)
    except OSError as error:
        return error


def content(length, seed):
    return bytes([(i * 31 + seed) & 0xFF for i in range(length)])


class TestAtomic(unittest.TestCase):
    def test_what_is_replaced_is_loaded(self):
        log = FakeLog()
        with Disk():
            for data in (b"x", b"", content(300, 1), content(127, 2), content(5000, 3)):
                self.assertTrue(atomic.replace(PATH, data))
                self.assertEqual(atomic.load(PATH, log), data)
            self.assertEqual(os.listdir(MOUNT), ["settings"])
        self.assertEqual(log.lines, [])

    def test_an_absent_file_is_none_and_no_matter(self):
        log = FakeLog()
        with Disk():
            self.assertIsNone(atomic.load(PATH, log))
            self.assertIsNone(atomic.load_json(PATH, log))
        self.assertEqual(log.lines, [])

    def test_the_same_data_is_not_written(self):
        with Disk() as flash:
            for data in (b"", b"abc", content(128, 1), content(1000, 1)):
                self.assertTrue(atomic.replace(PATH, data))
                before = flash.operations
                self.assertFalse(atomic.replace(PATH, bytearray(data)))
                self.assertEqual(flash.operations, before)

    def test_each_difference_is_written(self):
        data = content(300, 0)
        with Disk():
            for other in (data[:-1], data + b"x", b"?" + data[1:], data[:150] + b"?" + data[151:], data[:-1] + b"?"):
                atomic.replace(PATH, data)
                self.assertTrue(atomic.replace(PATH, other))
                self.assertEqual(atomic.load(PATH, FakeLog()), other)

    def test_a_corrupt_file_is_set_aside_and_named(self):
        data = content(200, 5)
        with Disk():
            atomic.replace(PATH, data)
            with open(PATH, "rb") as file:
                whole = file.read()
            flipped = bytes([whole[0] ^ 4]) + whole[1:]
            for broken in (b"", b"abc", whole[:-1], whole + b"\x00", flipped, bytes(len(whole)), b"\xff" * 9, data):
                with open(PATH, "wb") as file:
                    file.write(broken)
                log = FakeLog()
                self.assertIsNone(atomic.load(PATH, log))
                self.assertEqual(len(log.at("error")), 1)
                self.assertIn(PATH, log.at("error")[0])
                with open(PATH + ".bad", "rb") as file:
                    self.assertEqual(file.read(), broken)
                self.assertIsNone(atomic.load(PATH, log))
                self.assertEqual(len(log.lines), 1)
                self.assertTrue(atomic.replace(PATH, data))
                self.assertEqual(atomic.load(PATH, log), data)

    def test_a_corrupt_file_is_replaced_though_its_data_is_the_same(self):
        with Disk():
            with open(PATH, "wb") as file:
                file.write(b"abc\x00\x00\x00\x00")
            self.assertTrue(atomic.replace(PATH, b"abc"))
            self.assertEqual(atomic.load(PATH, FakeLog()), b"abc")

    def test_json(self):
        log = FakeLog()
        value = {"HeartbeatInterval": 300, "list": ["ä", None, True]}
        with Disk() as flash:
            self.assertTrue(atomic.replace_json(PATH, value))
            self.assertEqual(atomic.load_json(PATH, log), value)
            before = flash.operations
            self.assertFalse(atomic.replace_json(PATH, value))
            self.assertEqual(flash.operations, before)
            atomic.replace(PATH, b'{"HeartbeatInterval":')
            self.assertIsNone(atomic.load_json(PATH, log))
            self.assertEqual(len(log.at("error")), 1)
            self.assertEqual(os.listdir(MOUNT), ["settings.bad"])

    def test_a_full_file_system_keeps_the_old_data(self):
        with Disk():
            atomic.replace(PATH, b"old")
            with self.assertRaises(OSError):
                atomic.replace(PATH, bytes(16 * 4096))
            self.assertEqual(atomic.load(PATH, FakeLog()), b"old")
            self.assertEqual(os.listdir(MOUNT), ["settings"])
            self.assertTrue(atomic.replace(PATH, b"new"))


class TestPowerCut(unittest.TestCase):
    """Each operation of a replacement is cut in each way; twice in a row, so that remains are met as well."""

    def every_cut(self, first, second):
        disk = Disk()
        with disk:
            atomic.replace(PATH, first)
            atomic.replace(MOUNT + "/other", b"untouched")
        start = disk.flash
        count = start.after()
        with Disk(count):
            atomic.replace(PATH, second)
        points = 0
        for way in WAYS:
            for n in range(1, count.operations + 1):
                flash = start.after()
                old = first
                for again in range(2):
                    flash.cut(n, way)
                    with Disk(flash):
                        result = attempt(atomic.replace, PATH, second)
                    points += flash.dead
                    flash = flash.after()
                    with Disk(flash):
                        log = FakeLog()
                        found = atomic.load(PATH, log)
                        allowed = (second,) if result is True and not flash.dead and again else (old, second)
                        self.assertIn(found, allowed, "cut %d %s" % (n, way))
                        self.assertEqual(log.lines, [])
                        self.assertEqual(atomic.load(MOUNT + "/other", log), b"untouched")
                        old = found
                with Disk(flash):
                    atomic.replace(PATH, second)
                    self.assertEqual(atomic.load(PATH, FakeLog()), second)
        print("%d cuts in %d operations" % (points, count.operations))
        self.assertTrue(points >= count.operations * len(WAYS))

    def test_inline_file(self):
        self.every_cut(b"old " * 8, b"new " * 11)

    def test_file_of_blocks(self):
        self.every_cut(content(700, 1), content(6000, 2))
