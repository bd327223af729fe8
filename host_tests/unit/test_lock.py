"""drivers/lock.py against the lock's model: position, travel time, a jam."""

import time
import unittest

import board
import machine
import micropython
from station.drivers.lock import Lock
from world import World


class TestLock(unittest.TestCase):
    def setUp(self):
        self.world = World(1, 3)
        machine.attach(self.world)
        self.lock = Lock(*board.connector(1)["lock"])

    def settled(self):
        time.advance(200)
        return self.lock.is_locked()

    def test_unlocked_at_construction(self):
        self.assertFalse(self.settled())

    def test_locks_and_unlocks_after_its_travel(self):
        self.lock.lock()
        self.assertTrue(self.settled())
        self.lock.unlock()
        self.assertFalse(self.settled())

    def test_jammed_stays_where_it_is(self):
        self.world.outlets[0].break_lock("jammed")
        self.lock.lock()
        self.assertFalse(self.settled())
        self.world.outlets[0].break_lock("ok")
        self.assertTrue(self.settled())
        self.world.outlets[0].break_lock("jammed")
        self.lock.unlock()
        self.assertTrue(self.settled())

    def test_asking_allocates_nothing(self):
        lock = self.lock
        micropython.heap_lock()
        try:
            lock.is_locked()
        finally:
            micropython.heap_unlock()
