"""drivers/contactor.py against the contactor's model: coil, feedback, travel time, defects."""

import time
import unittest

import board
import machine
import micropython
from station.drivers.contactor import Contactor
from world import World


class TestContactor(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.model = self.world.outlets[1].contactor
        self.contactor = Contactor(*board.connector(2)["contactor"])

    def settled(self):
        time.advance(100)
        return self.contactor.is_closed()

    def test_off_at_construction(self):
        self.assertFalse(self.contactor.commanded)
        self.assertFalse(self.settled())

    def test_feedback_follows_the_coil_after_its_travel(self):
        self.contactor.close()
        self.assertTrue(self.contactor.commanded)
        self.assertTrue(self.settled())
        self.contactor.open()
        self.assertFalse(self.contactor.commanded)
        self.assertFalse(self.settled())

    def test_a_new_driver_finds_a_closed_contact_and_opens_it(self):
        self.contactor.close()
        self.assertTrue(self.settled())
        Contactor(*board.connector(2)["contactor"])
        self.assertFalse(self.settled())

    def test_only_its_own_connector(self):
        self.contactor.close()
        self.assertTrue(self.settled())
        self.assertFalse(Contactor(*board.connector(1)["contactor"]).is_closed())

    def test_welded_stays_closed(self):
        self.contactor.close()
        self.assertTrue(self.settled())
        self.world.outlets[1].break_contactor("welded")
        self.contactor.open()
        self.assertTrue(self.settled())
        self.world.outlets[1].break_contactor("ok")
        self.assertFalse(self.settled())

    def test_stuck_stays_open(self):
        self.world.outlets[1].break_contactor("stuck")
        self.contactor.close()
        self.assertFalse(self.settled())
        self.world.outlets[1].break_contactor("ok")
        self.assertTrue(self.settled())

    def test_allocates_nothing(self):
        contactor = self.contactor
        micropython.heap_lock()
        try:
            contactor.close()
            contactor.is_closed()
            contactor.open()
            contactor.is_closed()
        finally:
            micropython.heap_unlock()
