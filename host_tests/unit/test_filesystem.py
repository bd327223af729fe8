"""Mounting the littlefs: what is there is kept, what is none is formatted."""

import os
import unittest

import vfs
from fakes import FakeLog
from flashes import CuttableFlash
from station.storage import filesystem

PATH = filesystem.ROOT + "/file"


class FilesystemTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.flash = CuttableFlash(16, quiet=True)
        self.mounted = False

    def tearDown(self):
        if self.mounted:
            os.umount(filesystem.ROOT)

    def mount(self):
        if self.mounted:
            os.umount(filesystem.ROOT)
            self.mounted = False
        filesystem.mount(self.flash, self.log)
        self.mounted = True

    def write(self, text):
        with open(PATH, "w") as file:
            file.write(text)

    def read(self):
        with open(PATH) as file:
            return file.read()

    def test_a_new_flash_is_formatted_and_the_log_says_so(self):
        self.mount()
        self.assertEqual(len(self.log.at("warning")), 1)
        self.write("kept")
        self.mount()
        self.assertEqual(self.read(), "kept")
        self.assertEqual(len(self.log.at("warning")), 1)

    def test_rubbish_is_formatted(self):
        self.flash.cells[:] = bytes(len(self.flash.cells))
        self.mount()
        self.write("kept")
        self.assertEqual(self.read(), "kept")

    def test_the_power_may_go_while_it_is_formatted(self):
        for operation in range(1, 8):
            self.tearDown()
            self.setUp()
            self.flash.cut(operation, "half")
            try:
                self.mount()
            except OSError:
                self.mounted = False
            else:
                os.umount(filesystem.ROOT)
                self.mounted = False
            self.flash = self.flash.after()
            self.mount()
            self.write("kept")
            self.assertEqual(self.read(), "kept")

    def test_a_flash_that_is_dead_is_told_to_the_caller(self):
        self.flash.cut(1, "undone")
        with self.assertRaises(OSError):
            self.mount()

    def test_where_the_port_has_mounted_one_it_is_shared(self):
        vfs.VfsLfs2.mkfs(self.flash)
        vfs.umount("/")
        try:
            vfs.mount(vfs.VfsLfs2(self.flash), "/")
            for _ in range(2):  # at the first boot, and at the next
                filesystem.mount(None, self.log)
                self.write("kept")
            self.assertEqual(os.listdir("/"), ["flash"])
            self.assertEqual(self.read(), "kept")
            vfs.umount("/")
        finally:
            vfs.mount(vfs.VfsPosix(), "/")
