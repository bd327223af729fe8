"""charging/signals.py: the pattern of each status, the blinks that answer a card, the dash of being offline."""

import asyncio
import unittest

import micropython
from station.charging import signals, status
from station.drivers import lamp as driver

STATUSES = (
    status.AVAILABLE,
    status.PREPARING,
    status.CHARGING,
    status.SUSPENDED_EV,
    status.SUSPENDED_EVSE,
    status.FINISHING,
    status.RESERVED,
    status.UNAVAILABLE,
    status.FAULTED,
)


class FakeLamp:
    def __init__(self):
        self.shown = None

    def show(self, colours, intensity):
        self.shown = colours, intensity


class FakeConnector:
    def __init__(self, connector_id):
        self.connector_id = connector_id
        self.status = status.AVAILABLE
        self.looked = asyncio.Event()
        self.looked.set()


class SignalsTest(unittest.TestCase):
    def setUp(self):
        self.settings = {"BlinkRepeat": 3, "LightIntensity": 100}
        self.connectors = [FakeConnector(1), FakeConnector(2), FakeConnector(3)]
        self.lamps = [FakeLamp(), None, FakeLamp()]
        self.now = 1000
        self.signals = signals.Signals(self.connectors, self.lamps, self.settings, self.is_online, lambda: self.now)
        self.online = True

    def is_online(self):
        return self.online

    def colours(self, ms, lamp=0, step=50):
        """[(colour, ms), …] of a lamp from now on."""
        found = []
        for _ in range(ms // step):
            self.signals.step()
            colour = self.lamps[lamp].shown[0]
            if found and found[-1][0] == colour:
                found[-1] = colour, found[-1][1] + step
            else:
                found.append((colour, step))
            self.now += step
        return found

    def test_the_colours_are_those_of_the_driver(self):
        self.assertEqual((signals.RED, signals.GREEN, signals.BLUE), (driver.RED, driver.GREEN, driver.BLUE))
        self.assertEqual(signals.YELLOW, driver.RED | driver.GREEN)
        self.assertEqual(signals.CYAN, driver.GREEN | driver.BLUE)
        self.assertEqual(signals.WHITE, driver.RED | driver.GREEN | driver.BLUE)

    def test_each_status_has_a_pattern_of_its_own(self):
        self.assertEqual(set(signals.PATTERNS), set(STATUSES))
        self.assertEqual(len(set(signals.PATTERNS.values())), len(STATUSES))

    def test_each_pattern_from_its_beginning(self):
        for name in STATUSES:
            self.connectors[0].status = name
            colour, on_ms, off_ms = signals.PATTERNS[name]
            self.now += 130
            period = [(colour, on_ms), (signals.DARK, off_ms)] if off_ms else [(colour, on_ms)]
            self.assertEqual(self.colours(on_ms + off_ms), period, name)

    def test_before_the_first_look_at_the_cable(self):
        self.connectors[0].looked.clear()
        self.assertEqual(self.colours(400), [(signals.WHITE, 200), (signals.DARK, 200)])
        self.connectors[0].looked.set()
        self.assertEqual(self.colours(400), [(signals.GREEN, 400)])

    def test_a_card_is_answered_at_the_connectors_of_its_reader(self):
        self.colours(100)
        for accepted, colour in ((True, signals.GREEN), (False, signals.RED)):
            self.connectors[0].status = status.CHARGING
            self.signals.answered(accepted, (1, 2))
            blinks = self.colours(900)
            self.assertEqual(blinks, [(colour, 150), (signals.DARK, 150)] * 3)
            self.assertEqual(self.colours(1000), [(signals.BLUE, 1000)])
        self.signals.answered(False, (1, 2))
        self.assertEqual(self.colours(900, lamp=2), [(signals.GREEN, 900)])

    def test_blink_repeat(self):
        self.settings["BlinkRepeat"] = 1
        self.signals.answered(False, (1,))
        self.assertEqual(self.colours(400), [(signals.RED, 150), (signals.DARK, 150), (signals.GREEN, 100)])
        self.settings["BlinkRepeat"] = 0
        self.signals.answered(False, (1,))
        self.assertEqual(self.colours(400), [(signals.GREEN, 400)])

    def test_light_intensity(self):
        for percent in (100, 40, 0):
            self.settings["LightIntensity"] = percent
            self.signals.step()
            self.assertEqual(self.lamps[0].shown, (signals.GREEN, percent))

    def test_a_station_without_lamps(self):
        async def test():
            await signals.Signals(self.connectors, [None] * 3, self.settings, self.is_online).run()

        asyncio.run(test())

    def test_offline_a_white_dash_comes_over_the_status(self):
        self.online = False
        _, on_ms, off_ms = signals.OFFLINE
        period = on_ms + off_ms
        self.now = 7 * period
        dash = [(signals.WHITE, on_ms), (signals.GREEN, off_ms)]
        self.assertEqual(self.colours(2 * period), dash * 2)
        self.online = True
        self.assertEqual(self.colours(period), [(signals.GREEN, period)])

    def test_a_dash_does_not_spoil_a_cards_answer_nor_the_start(self):
        self.online = False
        self.now = 0
        self.signals.answered(False, (1,))
        self.assertEqual(self.colours(900), [(signals.RED, 150), (signals.DARK, 150)] * 3)
        self.connectors[0].looked.clear()
        self.now = 3000
        self.assertEqual(self.colours(200), [(signals.WHITE, 200)])

    def test_a_blinking_status_goes_on_behind_the_dash(self):
        self.online = False
        self.connectors[0].status = status.PREPARING
        self.now = 3000
        self.assertEqual(self.colours(1000)[:2], [(signals.WHITE, 100), (signals.GREEN, 400)])

    def test_a_step_allocates_nothing(self):
        self.online = False
        self.lamps = [Unboxed(), None, Unboxed()]
        self.signals = signals.Signals(self.connectors, self.lamps, self.settings, self.is_online, lambda: self.now)
        self.signals.answered(True, (1,))
        self.connectors[2].status = status.PREPARING
        step = self.signals.step
        micropython.heap_lock()
        try:
            for _ in range(100):
                step()
                self.now += 50
        finally:
            micropython.heap_unlock()
        self.assertEqual(self.lamps[0].seen & (1 << signals.GREEN | 1 << signals.WHITE), 1 << 2 | 1 << 7)
        self.assertEqual(self.lamps[2].seen, 1 << signals.DARK | 1 << signals.GREEN | 1 << signals.WHITE)


class Unboxed:
    """Notes without allocating which colours it was told."""

    def __init__(self):
        self.seen = 0

    def show(self, colours, intensity):
        self.seen |= 1 << colours
