"""app.py builds the meters: one line each, or several on one, by what the board and provisioning say."""

import asyncio
import json
import os
import time
import unittest

import board
import machine
import vfs
from rs485 import Line
from station.app import App
from station.provisioning import ProvisioningError
from station.storage import filesystem

DIRECTORY = "/tmp/ladepunkt-meters-%d" % (time.time_ns() // 1000)
GIVEN = {
    "identity": {"vendor": "V", "model": "M", "serial": "S", "firmware_version": "1", "charge_point_id": "CP"},
    "backend": {"url": "ws://127.0.0.1:9000"},
    "connectors": {"count": 3},
}


class SharedLine:
    """The unix board, but for its meters, which are all on one RS-485 line with a direction pin."""

    PIN = 99

    def __init__(self, addresses):
        self._addresses = addresses
        self.asked = []

    def __getattr__(self, name):
        return getattr(board, name)

    def connector(self, i):
        row = dict(board.connector(i))
        row["meter"] = {"uart": "rs485", "address": self._addresses[i - 1], "type": "SDM630"}
        return row

    def uart(self, key):
        self.asked.append(key)
        return {"id": 1, "tx": 17, "rx": 18, "direction": self.PIN}


class AppMetersTest(unittest.TestCase):
    def setUp(self):
        os.mkdir(DIRECTORY)

    def tearDown(self):
        vfs.umount(filesystem.ROOT)
        for name in os.listdir(DIRECTORY):
            os.remove(DIRECTORY + "/" + name)
        os.rmdir(DIRECTORY)

    def use(self, meter=None, shared=None):
        """An App; its meters' addresses in the world are those of provisioning."""
        given = dict(GIVEN)
        if meter is not None:
            given["meter"] = meter
        path = DIRECTORY + "/provision.json"
        with open(path, "w") as file:
            file.write(json.dumps(given))
        board.setup(path, DIRECTORY)
        world = machine._world
        for outlet in world.outlets:
            outlet.turn_meter(1000 * outlet.number)
        if shared:
            for outlet, address in zip(world.outlets, self.places):
                outlet.meter.address = address
            line = Line([outlet.meter for outlet in world.outlets], 9600 if not meter else meter.get("baudrate", 9600))
            terminal, serial = world.terminal, world.serial
            world.terminal = lambda pin: (line, 0) if pin == SharedLine.PIN else terminal(pin)
            world.serial = lambda uart_id: line if uart_id == 1 else serial(uart_id)
        app = App(shared or board)
        self.meters = [connector._meter for connector in app._charge_point.connectors]

    def energies(self):
        async def main():
            return await asyncio.gather(*[meter.read() for meter in self.meters])

        return [row[0] for row in asyncio.run(main())]

    def test_a_line_each(self):
        self.use()
        self.assertEqual(self.energies(), [1000, 2000, 3000])

    def test_addresses_by_list(self):
        self.use({"address": [5, 9, 5], "type": "B23"})
        self.assertEqual(self.energies(), [1000, 2000, 3000])

    def test_one_line_by_the_board_s_addresses(self):
        shared, self.places = SharedLine((1, 2, 7)), (1, 2, 7)
        self.use(shared=shared)
        self.assertEqual(shared.asked, ["rs485"], "one UART, asked for once")
        self.assertEqual(self.energies(), [1000, 2000, 3000])

    def test_one_line_counting_on_from_the_first(self):
        self.places = (11, 12, 13)
        self.use({"address": 11, "baudrate": 19200}, SharedLine((1, 2, 3)))
        self.assertEqual(self.energies(), [1000, 2000, 3000])

    def test_two_of_the_same_address_on_one_line(self):
        self.places = (1, 2, 3)
        with self.assertRaises(ProvisioningError) as caught:
            self.use({"address": [4, 5, 4]}, SharedLine((1, 2, 3)))
        text = str(caught.exception)
        self.assertIn("meter.address: expected another address for connector 3", text)
        self.assertIn("got [4, 5, 4]", text)
