"""The rule "the contact is closed only while everything agrees", and the one place that closes it.

`step()` runs from a hard timer interrupt, or the soonest that the port offers, whatever the event loop does. It
allocates nothing, takes no lock, waits for nothing. It samples the pilot, and opens the contactor in the pass in which
anything stops agreeing. The connector asks for the contact with `close()`, which obeys only while all agree, and takes
its wish back with `open()`. Coils get current only within `step()`; `open()` takes it away at once.

Times are counted in passes of the board's `INTERLOCK_PERIOD_MS`: a pilot state counts after 3 equal samples, and after
3 samples of whatever other states the old one is not trusted any more. `opens_within` tells what that comes to:
30 ms from the car's leaving C or D to the coil's being off at 10 ms a pass, of the 100 ms that IEC 61851-1 allows.
"""

import micropython
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    ptr32: "Callable[[Any], Any]" = None  # viper knows the word by itself: the words of a buffer

# pilot states as `pilot.sample()` gives them, IEC 61851-1 Annex A
A = const(0)
B = const(1)
C = const(2)
D = const(3)
E = const(4)
F = const(5)
NO_DIODE = const(6)
LOST = const(7)  # it could not be measured

_DEBOUNCE = const(3)

SWITCH_OK = const(0)
SWITCH_WELDED = const(1)  # the feedback says closed though the coil is off
SWITCH_STUCK = const(2)  # the feedback says open though the coil is on

# places in the array of what a pass touches: machine code reads it in one instruction, an attribute takes a hundred
_WANTED = const(0)
_STATE = const(1)
_CANDIDATE = const(2)
_COUNT = const(3)  # samples in a row that were the candidate
_DOUBT = const(4)  # samples in a row that were not the state
_PASSES = const(5)
_HIGHEST = const(6)
_UNEASY = const(7)  # a feedback contact differs from its coil, or did
_WELDED = const(8)  # poles, as bits
_STUCK = const(9)
_LOCKS = const(10)  # is there a lock?
_SIZE = const(11)


def opens_within(period_ms: int, late_ms: int = 0) -> int:
    """The longest time in ms from the pilot's leaving C or D to the coil's being off.

    `late_ms`: by how much the board may be late for a pass, and how long the pass takes.
    """
    return _DEBOUNCE * period_ms + late_ms


def together(interlocks: "list[Interlock]"):
    """One function that gives each of them a pass, for a board with one timer: it allocates nothing when called."""
    steps = tuple([interlock.step for interlock in interlocks])
    if len(steps) == 1:
        return steps[0]

    def step(timer):
        for one in steps:
            one(timer)

    return step


class Interlock:
    """One connector's interlock over its pilot, contactor, fault inputs and, if it has one, its lock.

    `state` is the debounced pilot state. `switch` is one of SWITCH_OK, SWITCH_WELDED, SWITCH_STUCK and stays
    until `clear()`; SWITCH_WELDED goes only when the contact opens after all; `pole` is that which it is about, from 1.
    `wanted` is the wish, `passes` counts the calls, `failures` those in which a device raised an error: that opens,
    too, and is taken for a pilot that cannot be measured.
    """

    def __init__(self, pilot, contactor, faults, lock=None, ventilated: bool = False, period_ms: int = 10) -> None:
        self._contactor = contactor
        # bound methods, made once: making one allocates
        self._sample = pilot.sample
        self._move = contactor.step
        self._fault = faults.any
        self._locked = lock.is_locked if lock else None
        self._values = bytearray(4 * _SIZE)
        self._set(_HIGHEST, D if ventilated else C)
        self._set(_LOCKS, 1 if lock else 0)
        self._moves = -(-contactor.moves_ms // period_ms)  # passes that a pole may take to follow its coil
        if self._moves > 255:
            raise ValueError("moves_ms must be at most %d, got %r" % (255 * period_ms, contactor.moves_ms))
        self._late = bytearray(contactor.count)  # passes that each pole has taken
        self.failures = 0

    # --- what others ask

    @property
    def wanted(self) -> bool:
        return self._get(_WANTED) != 0

    @property
    def state(self) -> int:
        return self._get(_STATE)

    @property
    def passes(self) -> int:
        return self._get(_PASSES)

    @property
    def switch(self) -> int:
        if self._get(_WELDED):
            return SWITCH_WELDED
        return SWITCH_STUCK if self._get(_STUCK) else SWITCH_OK

    @property
    def pole(self) -> int:
        poles = self._get(_WELDED) or self._get(_STUCK)
        return 1 if poles & 1 or not poles else 2

    @property
    def poles(self) -> int:
        """How many the contactor has."""
        return len(self._late)

    def is_settled(self) -> bool:
        """Has the pilot been sampled often enough since boot for `state` to be what it says?"""
        return self.passes > _DEBOUNCE

    def is_closed(self) -> bool:
        """What the feedback contacts say."""
        return self._contactor.is_closed()

    @micropython.viper
    def agrees(self) -> bool:
        """May the contact be closed now? C, or D where the place is ventilated; no fault; lock locked."""
        values = ptr32(self._values)
        if values[_STATE] < C or values[_STATE] > values[_HIGHEST] or values[_DOUBT] >= _DEBOUNCE:
            return False
        if values[_WELDED] | values[_STUCK] or self._fault():
            return False
        return values[_LOCKS] == 0 or bool(self._locked())

    # --- what the connector asks for

    def close(self) -> bool:
        """Wish the contact closed; False if something disagrees, or its contacts must still rest."""
        if not (self._contactor.is_rested() and self.agrees()):
            return False
        self._set(_WANTED, 1)
        return True

    def open(self) -> None:
        """Open the contact now."""
        self._set(_WANTED, 0)
        self._contactor.open()

    def clear(self) -> None:
        """The cable left: forget a stuck contact. A welded one stays what it is."""
        self._set(_STUCK, 0)

    # --- the pass

    @micropython.viper
    def step(self, _timer):
        """One pass: sample, judge, open if anything disagrees, watch the feedback contacts."""
        values = ptr32(self._values)
        values[_PASSES] = (values[_PASSES] + 1) & 0x3FFFFFFF
        try:
            sample = int(self._sample())
            if sample == values[_STATE]:
                values[_COUNT] = 0
                values[_DOUBT] = 0
            else:
                self._debounce(sample)
            if values[_WANTED] and not self.agrees():
                values[_WANTED] = 0
            differ = int(self._move(values[_WANTED]))
            if differ or values[_UNEASY]:
                self._watch(differ)
        except Exception:  # viper keeps no error
            self._fail()

    @micropython.viper
    def _debounce(self, sample: int):
        values = ptr32(self._values)
        if values[_DOUBT] < _DEBOUNCE:
            values[_DOUBT] = values[_DOUBT] + 1
        if sample != values[_CANDIDATE]:
            values[_CANDIDATE] = sample
            values[_COUNT] = 0
        values[_COUNT] = values[_COUNT] + 1
        if values[_COUNT] >= _DEBOUNCE:
            values[_STATE] = sample
            values[_COUNT] = 0
            values[_DOUBT] = 0

    def _watch(self, differ: int) -> None:
        """`differ`: the poles, as bits, whose feedback is not what their coil was told."""
        uneasy = 0
        pole = 0
        told = self._contactor.told
        while pole < len(self._late):
            bit = 1 << pole
            if not differ & bit:
                self._late[pole] = 0
                self._set(_WELDED, self._get(_WELDED) & ~bit)
            elif self._late[pole] < self._moves:
                self._late[pole] += 1
                uneasy = 1
            elif told & bit:
                self._set(_STUCK, self._get(_STUCK) | bit)
                self.open()
            else:
                self._set(_WELDED, self._get(_WELDED) | bit)
                uneasy = 1
            pole += 1
        self._set(_UNEASY, uneasy)

    def _fail(self) -> None:
        """A device raised within a pass: nothing is known of the pilot, and nobody may be told from here."""
        self.failures = (self.failures + 1) & 0x3FFFFFFF
        self._set(_STATE, LOST)
        self.open()

    # --- the array

    @micropython.viper
    def _get(self, at: int) -> int:
        return ptr32(self._values)[at]

    @micropython.viper
    def _set(self, at: int, value: int):
        ptr32(self._values)[at] = value
