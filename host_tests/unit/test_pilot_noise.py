"""The pilot under noise, by driver and interlock together: no state but the true one, no chatter, no effect of a spike.

Noise is random, with a seed that a failure names.
"""

import random
import time
import unittest

import machine
from charging_fakes import FakeContactor, FakeInputs
from station.charging import interlock as module
from station.charging.interlock import Interlock
from station.drivers.pilot import Pilot

SEED = time.ticks_us() & 0xFFFF
PASSES = 3000
# high plateau: what the standard allows for each state (IEC 61851-1 table A.4), mV
RANGES = (
    (module.A, 11000, 13000),
    (module.B, 8000, 10000),
    (module.C, 5000, 7000),
    (module.D, 2000, 4000),
    (module.E, -1000, 1000),
    (module.F, -13000, -11000),
)
THRESHOLDS = (10500, 7500, 4500, 1500, -6000)
HYSTERESIS = 300


def counts(millivolts):
    return max(0, min(65535, 32768 + millivolts * 32768 // 15000))


class _Line:
    """A pilot line: nominal plateaus and noise on each conversion, in mV."""

    def __init__(self):
        self.high, self.low = 12000, -12000
        self.noise = lambda: 0
        self.spike = None

    def terminal(self, pin):
        return self, pin

    def wave(self, terminal, frequency, duty_u16):
        pass

    def analog(self, terminal):
        if self.spike is not None and terminal == 1:
            return counts(self.spike)
        return counts((self.high if terminal == 1 else self.low) + self.noise())


def bell(width):
    """Noise of about that standard deviation, never beyond 3.5 of it."""

    def noise():
        total = 0
        for _ in range(12):
            total += random.randrange(-1000, 1001)
        return max(-3.5, min(3.5, total / 2000)) * width

    return noise


class NoiseTest(unittest.TestCase):
    def setUp(self):
        random.seed(SEED)
        self.line = _Line()
        machine.attach(self.line)
        self.pilot = Pilot(0, 1, 2)
        self.pilot.offer(160)
        self.contactor = FakeContactor()
        self.interlock = Interlock(self.pilot, self.contactor, FakeInputs())
        self.told = "seed %d" % SEED

    def passes(self, count):
        """Run; the debounced states that were seen, each once for as long as it lasted."""
        seen = [self.interlock.state]
        for _ in range(count):
            self.interlock.step(None)
            if self.interlock.state != seen[-1]:
                seen.append(self.interlock.state)
        return seen

    def settle(self, millivolts):
        noise, self.line.noise = self.line.noise, lambda: 0
        self.line.high = millivolts
        self.passes(5)
        self.line.noise = noise

    def test_the_true_state_and_no_other(self):
        """In the middle of each state's range and at both of its ends, with half a volt of noise."""
        for state, lowest, highest in RANGES:
            for level in (lowest, (lowest + highest) // 2, highest):
                self.line.noise = lambda: random.randrange(-500, 501)
                self.settle(level)
                self.assertEqual(self.passes(PASSES), [state], "%d mV, %s" % (level, self.told))

    def test_spikes_of_one_or_two_samples_are_no_state(self):
        """On each nominal level, to anywhere between the rails, with noise all the while."""
        for state, lowest, highest in RANGES:
            self.line.noise = lambda: random.randrange(-500, 501)
            self.settle((lowest + highest) // 2)
            crossed = 0
            for _ in range(PASSES // 4):
                for _ in range(1 + random.randrange(2)):
                    self.line.spike = random.randrange(-15000, 15001)
                    self.interlock.step(None)
                    crossed += self.pilot._band != state
                    self.assertEqual(self.interlock.state, state, "spike, %s" % self.told)
                self.line.spike = None
                self.assertEqual(self.passes(1 + random.randrange(4)), [state], self.told)
            self.assertGreater(crossed, PASSES // 8, "the spikes were too small to show anything, %s" % self.told)

    def test_no_chatter_at_a_threshold(self):
        """Right on the edge between two states, with noise within the hysteresis: it stays what it was."""
        for at, threshold in enumerate(THRESHOLDS):
            for start, state in ((1500, at), (-1500, at + 1)):
                self.line.noise = lambda: random.randrange(-HYSTERESIS + 20, HYSTERESIS - 19)
                self.settle(threshold + start)
                self.line.high = threshold
                self.assertEqual(self.passes(PASSES), [state], "%d mV, %s" % (threshold, self.told))

    def test_a_level_that_drifts_across_changes_once(self):
        for at, threshold in enumerate(THRESHOLDS):
            for way in (1, -1):
                self.line.noise = lambda: random.randrange(-HYSTERESIS + 20, HYSTERESIS - 19)
                self.settle(threshold - way * 1400)
                seen = [self.interlock.state]
                for step in range(-1000, 1001):
                    self.line.high = threshold + way * step
                    seen += self.passes(1)[1:]
                expected = [at + 1, at] if way == 1 else [at, at + 1]
                self.assertEqual(seen, expected, "%d mV, %s" % (threshold, self.told))

    def charging(self):
        self.settle(6000)
        self.assertTrue(self.interlock.close())
        self.passes(3)
        self.assertTrue(self.contactor.commanded)

    def test_a_spike_of_one_sample_opens_nothing(self):
        self.charging()
        self.line.noise = bell(300)
        for _ in range(PASSES):
            self.line.spike = random.randrange(-15000, 15001)
            self.passes(1)
            self.line.spike = None
            self.passes(1 + random.randrange(4))
            self.assertTrue(self.contactor.commanded, self.told)

    def test_a_spike_of_one_sample_closes_nothing(self):
        for level in (12000, 9000):
            self.setUp()
            self.settle(level)
            for _ in range(PASSES // 3):
                self.line.spike = 6000
                self.passes(1)
                self.assertFalse(self.interlock.close(), self.told)
                self.line.spike = None
                self.passes(1 + random.randrange(3))
                self.assertFalse(self.interlock.close(), self.told)
            self.assertEqual(self.contactor.closings, 0)

    def test_noise_upon_the_low_plateau_is_no_missing_diode_and_hides_none(self):
        self.line.noise = lambda: random.randrange(-700, 701)
        for low, state in ((-12000, module.C), (-6000, module.NO_DIODE)):
            self.setUp()
            self.line.noise = lambda: random.randrange(-700, 701)
            self.line.low = low
            self.settle(6000)
            self.assertEqual(self.passes(PASSES), [state], self.told)

    def test_noise_does_not_delay_the_opening(self):
        worst = 0
        for _ in range(200):
            self.setUp_again()
            self.line.high = random.choice((9000, 12000, 0, 3000))
            count = 0
            while self.contactor.commanded:
                self.passes(1)
                count += 1
            worst = max(worst, count)
        self.assertEqual(worst, module.opens_within(1), self.told)

    def setUp_again(self):
        self.interlock.open()
        self.line.noise = lambda: random.randrange(-500, 501)
        self.charging()
