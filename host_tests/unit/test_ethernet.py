"""The network port: what it tells of an interface that comes and goes."""

import asyncio
import unittest

from fakes import FakeLog
from station.drivers.ethernet import Ethernet


class Interface:
    def __init__(self):
        self.connected = False

    def isconnected(self):
        return self.connected

    def ifconfig(self):
        return "192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.1"


class EthernetTest(unittest.TestCase):
    def setUp(self):
        self.interface = Interface()
        self.log = FakeLog()
        self.ethernet = Ethernet(self.interface, self.log)
        self.told = 0
        self.ethernet.on_up = self.count

    def count(self):
        self.told += 1

    def test_each_way_out_is_told_once(self):
        self.ethernet.look()
        self.assertEqual(self.told, 0)
        for times in (1, 2):
            self.interface.connected = True
            self.ethernet.look()
            self.ethernet.look()
            self.assertEqual(self.told, times)
            self.interface.connected = False
            self.ethernet.look()
        self.assertEqual(len(self.log.at("info")), 2)
        self.assertEqual(len(self.log.at("warning")), 2)
        self.assertTrue("192.0.2.7" in self.log.at("info")[0])

    def test_who_waits_goes_on_when_the_cable_comes(self):
        async def wait():
            task = asyncio.create_task(self.ethernet.up())
            watch = asyncio.create_task(self.ethernet.run())
            await asyncio.sleep_ms(0)
            self.assertFalse(task.done())
            self.interface.connected = True
            self.ethernet.look()
            await task
            watch.cancel()

        asyncio.run(wait())
        self.assertEqual(self.told, 1)

    def test_the_network_of_a_host_is_always_there(self):
        async def wait():
            ethernet = Ethernet(None, self.log)
            await ethernet.up()
            await ethernet.run()

        asyncio.run(wait())
