"""The rule "the contact is closed only while everything agrees", and the one place that closes it.

`step()` runs from the soonest timer that the port offers, whatever the event loop does. It allocates nothing,
takes no lock, waits for nothing. It samples the pilot, and opens the contactor in the pass in which anything
stops agreeing. The connector asks for the contact with `close()`, which obeys only while all agree, and takes
its wish back with `open()`.

Times are counted in passes of the board's `INTERLOCK_PERIOD_MS` (10 ms): a pilot state counts after 3 equal
samples (30 ms), and after 3 samples of whatever other states the old one is not trusted any more. So the contact
opens within 40 ms of the car's leaving C or D (IEC 61851-1 allows 100 ms).
"""

from micropython import const

# pilot states as `pilot.sample()` gives them, IEC 61851-1 Annex A
A = const(0)
B = const(1)
C = const(2)
D = const(3)
E = const(4)
F = const(5)
NO_DIODE = const(6)

_DEBOUNCE = const(3)
_SETTLE = const(15)  # passes that a contactor may take to follow its coil

SWITCH_OK = const(0)
SWITCH_WELDED = const(1)  # the feedback says closed though the coil is off
SWITCH_STUCK = const(2)  # the feedback says open though the coil is on


class Interlock:
    """One connector's interlock over its pilot, contactor, fault inputs and, if it has one, its lock.

    `state` is the debounced pilot state. `switch` is one of SWITCH_OK, SWITCH_WELDED, SWITCH_STUCK and stays
    until `clear()`; SWITCH_WELDED goes only when the contact opens after all. `passes` counts the calls.
    """

    def __init__(self, pilot, contactor, faults, lock=None, ventilated: bool = False) -> None:
        self._pilot = pilot
        self._contactor = contactor
        self._faults = faults
        self._lock = lock
        self._highest = D if ventilated else C
        self._candidate = A
        self._count = 0
        self._doubt = 0  # samples in a row that were not the state
        self._mismatch = 0
        self.wanted = False
        self.state = A
        self.switch = SWITCH_OK
        self.passes = 0

    def is_settled(self) -> bool:
        """Has the pilot been sampled often enough since boot for `state` to be what it says?"""
        return self.passes > _DEBOUNCE

    def agrees(self) -> bool:
        """May the contact be closed now? C, or D where the place is ventilated; no fault; lock locked."""
        if self.state < C or self.state > self._highest or self._doubt >= _DEBOUNCE:
            return False
        if self.switch != SWITCH_OK or self._faults.any():
            return False
        return self._lock is None or self._lock.is_locked()

    def close(self) -> bool:
        """Wish the contact closed; True if it was closed. Only here does a coil get current."""
        if not self.agrees():
            return False
        self.wanted = True
        self._contactor.close()
        return True

    def open(self) -> None:
        """Open the contact now."""
        self.wanted = False
        self._contactor.open()

    def is_closed(self) -> bool:
        """What the feedback contact says."""
        return self._contactor.is_closed()

    def clear(self) -> None:
        """The cable left: forget a stuck contact. A welded one stays what it is."""
        if self.switch == SWITCH_STUCK:
            self.switch = SWITCH_OK

    def step(self, _timer=None) -> None:
        """One pass: sample, judge, open if anything disagrees, watch the feedback contact."""
        self.passes = (self.passes + 1) & 0x3FFFFFFF
        self._debounce(self._pilot.sample())
        # without a wish as well: this may interrupt `close()` before the coil gets its current
        if not self.wanted or not self.agrees():
            self.open()
        self._watch_contact()

    def _debounce(self, sample: int) -> None:
        if sample == self.state:
            self._count = 0
            self._doubt = 0
            return
        if self._doubt < _DEBOUNCE:
            self._doubt += 1
        if sample != self._candidate:
            self._candidate = sample
            self._count = 0
        self._count += 1
        if self._count >= _DEBOUNCE:
            self.state = sample
            self._count = 0
            self._doubt = 0

    def _watch_contact(self) -> None:
        closed = self._contactor.is_closed()
        if closed == self.wanted:
            self._mismatch = 0
            if self.switch == SWITCH_WELDED:
                self.switch = SWITCH_OK
        elif self._mismatch < _SETTLE:
            self._mismatch += 1
        elif closed:
            self.switch = SWITCH_WELDED
        else:
            self.switch = SWITCH_STUCK
            self.open()
