"""update/transaction.py: all components or none, wherever the power goes."""

import unittest

from flashes import WAYS
from station.update import components
from transactions import OLD, ORDER, TransactionCase


class TestPowerCut(TransactionCase, unittest.TestCase):
    """The board at each program and erase of the journal and the boot records, a component at each change it keeps."""

    def test_the_board(self):
        cuts = 0
        for order, flaws in ((ORDER, {}), (ORDER, {"controller": "sick"}), (("router", "controller"), {})):
            total = self.count(order, **flaws)
            for way in WAYS:
                for n in range(1, total + 1):
                    self.new_station(**flaws)
                    if not self.cut_at(n, way, order):
                        break
                    cuts += 1
                    self.settle(order, (OLD,) if flaws else None)
        print("%d power cuts of the board" % cuts)
        self.assertGreater(cuts, 150)

    def test_a_component(self):
        cuts = 0
        for flaws in ({}, {"controller": "sick"}, {"router": "falls back"}):
            for name in ("router", "controller"):
                for n in range(1, 8):
                    self.new_station(**flaws)
                    self.devices[name].cut(n)
                    try:
                        self.live(self.install(ORDER))
                    except components.ComponentError:  # while it was staged: nothing has begun
                        self.assertFalse(self.transaction.is_open)
                        self.all_are(OLD, ORDER)
                    cuts += not self.devices[name]._cut_at
                    self.settle(ORDER, (OLD,) if flaws else None)
        print("%d power cuts of a component" % cuts)
        self.assertGreater(cuts, 15)

    def test_both_at_once(self):
        for n in range(1, 40):
            for name in ("router", "controller"):
                self.new_station()
                self.devices[name].on_change = None
                if not self.cut_at(n, WAYS[n % len(WAYS)], ORDER):
                    continue
                self.devices[name].power_cycle()
                self.settle(ORDER, None)
