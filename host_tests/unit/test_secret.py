"""The board's secret: made once, kept, and another one when it is lost."""

import unittest

import ramdisk
from fakes import FakeLog
from station.storage import atomic, secret

PATH = ramdisk.MOUNT + "/secret"


class SecretTest(unittest.TestCase):
    def setUp(self):
        self.flash = ramdisk.mount()
        self.log = FakeLog()

    def tearDown(self):
        ramdisk.unmount()

    def test_none_before_the_first(self):
        self.assertIsNone(secret.load(PATH, self.log))
        self.assertEqual(self.log.lines, [])

    def test_it_is_kept(self):
        made = secret.make()
        secret.store(PATH, made, self.log)
        self.assertEqual(secret.load(PATH, self.log), made)
        self.assertEqual(len(made), 32)
        self.assertNotEqual(made, secret.make())

    def test_what_is_no_secret_is_lost_and_logged(self):
        atomic.replace(PATH, b"short")
        self.assertIsNone(secret.load(PATH, self.log))
        self.assertIn(PATH, self.log.at("error")[0])
        with open(PATH, "wb") as file:
            file.write(bytes(36))
        self.assertIsNone(secret.load(PATH, self.log))
        self.assertIn(PATH, self.log.at("error")[1])

    def test_flash_that_refuses_it_is_logged(self):
        self.flash.fail(1)
        secret.store(PATH, secret.make(), self.log)
        self.assertIn("cannot be stored", self.log.at("error")[0])
