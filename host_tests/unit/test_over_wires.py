"""update/over_https.py and update/over_modbus.py: what a component may answer, and what goes to it."""

import asyncio
import json
import struct
import unittest

from station.update.components import BUSY, STAGED, TRIAL, ComponentError
from station.update.over_https import HttpsComponent
from station.update.over_modbus import ModbusComponent

VENDOR, KIND, DIGEST = bytes(range(16)), bytes(range(16, 32)), bytes(range(32))


class _Https(HttpsComponent):
    """Without a network: `answers` to GET, `sent` are (method, word, body) of the others."""

    def __init__(self, *answers):
        super().__init__("router", "https://127.0.0.1/update", b"")
        self.answers = list(answers)
        self.sent = []

    async def _call(self, method, word, body=b""):
        if method == "GET":
            return self.answers.pop(0)
        self.sent.append((method, word, body))
        return b""


class Slave:
    """A device on the line: `registers` are its status, or an OSError."""

    def __init__(self):
        self.registers = status()
        self.written = []
        self.files = []

    async def read(self, register, count):
        assert (register, count) == (0xF000, 50)
        if isinstance(self.registers, OSError):
            raise self.registers
        return self.registers

    async def write(self, register, data):
        self.written.append((register, data))

    async def write_file(self, file, record, data):
        self.files.append((file, record, bytes(data)))


def status(profile=0x4C50, phase=0, limit=70_000, numbers=3, version=(1, 2, 3, 0, 0), fault=0):
    data = struct.pack(">HHIH5i", profile, phase, limit, numbers, *version)
    return data + VENDOR + KIND + DIGEST + struct.pack(">IH", 0, fault)


def row(**changes):
    words = {
        "vendor": "000102030405060708090a0b0c0d0e0f",
        "class": "101112131415161718191a1b1c1d1e1f",
        "running": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "version": "1.2.3",
        "limit": 70_000,
        "phase": "idle",
        "fault": "",
    }
    for key, value in changes.items():
        if value is None:
            del words[key]
        else:
            words[key] = value
    return json.dumps(words).encode()


class _Case(unittest.TestCase):
    def told(self, component):
        found = asyncio.run(component.status())
        return found.vendor, found.class_id, found.version, found.limit, found.phase, found.image, found.fault

    def refused(self, component):
        with self.assertRaises(ComponentError) as caught:
            asyncio.run(component.status())
        self.assertTrue(str(caught.exception).startswith(component.name + ": "), str(caught.exception))
        return str(caught.exception)


class TestHttps(_Case):
    def test_a_status(self):
        wanted = (VENDOR, KIND, (1, 2, 3), 70_000, 0, DIGEST, "")
        self.assertEqual(self.told(_Https(row())), wanted)
        self.assertEqual(self.told(_Https(row(fault=None))), wanted)
        self.assertEqual(self.told(_Https(row(phase="trial", fault="x" * 200)))[4:], (TRIAL, DIGEST, "x" * 80))

    def test_what_is_no_status(self):
        for answer in (
            b"",
            b"<html>",
            b"[]",
            b"7",
            b"null",
            row(vendor="00"),
            row(vendor="zz" * 16),
            row(vendor=7),
            row(running=None),
            row(limit="7"),
            row(limit=None),
            row(phase="new"),
            row(phase=1),
            row(version=None),
            row(version=7),
            row(fault=7),
        ):
            self.assertIn("its status is none", self.refused(_Https(answer)), answer)

    def test_orders(self):
        component = _Https(row(phase="busy"), row(phase="staged"))
        asyncio.run(component.verify(9, DIGEST))
        asyncio.run(component.activate())
        asyncio.run(component.roll_back("the router failed"))
        (_, word, body), *others = component.sent
        self.assertEqual(word, "verify")
        self.assertEqual(json.loads(body), {"size": 9, "sha256": json.loads(row())["running"]})
        self.assertEqual(others, [("POST", "activate", b""), ("POST", "roll_back", b"")])

    def test_not_staged(self):
        component = _Https(row(phase="idle", fault="too old"))
        with self.assertRaises(ComponentError) as caught:
            asyncio.run(component.verify(9, DIGEST))
        self.assertEqual(str(caught.exception), "router: it is idle and not staged too old")

    def test_a_certificate_that_is_none(self):
        self.assertIn("certificate", self.refused(HttpsComponent("router", "https://127.0.0.1:9/update", b"no PEM")))


class TestModbus(_Case):
    def setUp(self):
        self.slave = Slave()
        self.component = ModbusComponent("plc", self.slave)

    def test_a_status(self):
        self.assertEqual(self.told(self.component), (VENDOR, KIND, (1, 2, 3), 70_000, 0, DIGEST, ""))
        self.slave.registers = status(numbers=5, version=(1, 2, 0, -1, 4), phase=3, fault=9)
        self.assertEqual(self.told(self.component)[2:], ((1, 2, 0, -1, 4), 70_000, STAGED, DIGEST, "(fault 9)"))

    def test_what_is_no_status(self):
        for wrong in ({"profile": 0}, {"phase": 6}, {"numbers": 0}, {"numbers": 6}):
            self.slave.registers = status(**wrong)
            self.assertIn("its status is none", self.refused(self.component))
        self.slave.registers = OSError("no reply")
        self.assertEqual(self.refused(self.component), "plc: no reply")

    def stage(self, image, piece):
        async def stage():
            await self.component.begin(len(image), DIGEST)
            for at in range(0, len(image), piece):
                await self.component.write(at, memoryview(image)[at : at + piece])
            self.slave.registers = status(phase=STAGED)
            await self.component.verify(len(image), DIGEST)

        asyncio.run(stage())

    def test_an_image_lies_in_files_whatever_its_pieces(self):
        image = bytes([i * 7 & 255 for i in range(20_301)])
        for piece in (512, 99, 1):
            self.slave.files = []
            self.stage(image, piece)
            came = bytearray()
            for file, record, data in self.slave.files:
                self.assertEqual((file - 1) * 20_000 + 2 * record, len(came))
                self.assertLessEqual(2 * record + len(data), 20_000)
                came.extend(data)
            self.assertEqual(bytes(came), image + b"\x00", "an odd byte has a 0 behind it")

    def test_a_second_image_begins_anew(self):
        self.stage(b"abcde", 2)
        self.slave.files, self.slave.written = [], []
        self.stage(b"fgh", 3)
        self.assertEqual(self.slave.files, [(1, 0, b"fgh\x00")])
        order, wanted = struct.unpack(">HI", self.slave.written[0][1][:6])
        self.assertEqual((self.slave.written[0][0], order, wanted), (0xF100, 1, 3))
        self.assertEqual([data[1] for _, data in self.slave.written], [1, 2])

    def test_orders(self):
        for word, number in (("activate", 3), ("confirm", 4), ("discard", 6)):
            asyncio.run(getattr(self.component, word)())
            self.assertEqual(self.slave.written.pop(), (0xF100, bytes((0, number))))
        asyncio.run(self.component.roll_back("why"))
        self.assertEqual(self.slave.written.pop(), (0xF100, b"\x00\x05"))

    def test_busy_for_a_while(self):
        self.slave.registers = status(phase=BUSY)
        slave = self.slave

        async def main():
            task = asyncio.create_task(self.component.verify(9, DIGEST))
            await asyncio.sleep_ms(10)
            slave.registers = status(phase=STAGED)
            await task

        asyncio.run(main())
