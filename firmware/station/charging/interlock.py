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

_AGREES = const(0)  # places in the tuple of what a pass does not always call
_WATCH = const(1)
_FAIL = const(2)


def opens_within(period_ms: int, late_ms: int = 0) -> int:
    """The longest time in ms from the pilot's leaving C or D to the coil's being off.

    `late_ms`: by how much the board may be late for a pass, and how long the pass takes.
    """
    return _DEBOUNCE * period_ms + late_ms


def _rule(values, sample, fault, locked, move, watch, fail) -> tuple:
    """(agrees, step) of one interlock, over its array and what it calls.

    Functions within a function, because what they use is then at hand: as attributes it would double their time.
    Such a call stays off the heap with at most 5 arguments and outer names together, hence `seldom`.
    """

    @micropython.viper
    def agrees() -> bool:
        """May the contact be closed now? C, or D where the place is ventilated; no fault; lock locked."""
        now = ptr32(values)
        if now[_STATE] < C or now[_STATE] > now[_HIGHEST] or now[_DOUBT] >= _DEBOUNCE:
            return False
        if now[_WELDED] | now[_STUCK] or fault():
            return False
        return now[_LOCKS] == 0 or bool(locked())

    @micropython.viper
    def step(_timer):
        """One pass: sample, judge, open if anything disagrees, watch the feedback contacts."""
        now = ptr32(values)
        now[_PASSES] = (now[_PASSES] + 1) & 0x3FFFFFFF
        try:
            state = int(sample())
            if state == now[_STATE]:
                now[_COUNT] = 0
                now[_DOUBT] = 0
            else:
                if now[_DOUBT] < _DEBOUNCE:
                    now[_DOUBT] = now[_DOUBT] + 1
                if state != now[_CANDIDATE]:
                    now[_CANDIDATE] = state
                    now[_COUNT] = 0
                now[_COUNT] = now[_COUNT] + 1
                if now[_COUNT] >= _DEBOUNCE:
                    now[_STATE] = state
                    now[_COUNT] = 0
                    now[_DOUBT] = 0
            if now[_WANTED] and not seldom[_AGREES]():
                now[_WANTED] = 0
            differ = int(move(now[_WANTED]))
            if differ or now[_UNEASY]:
                seldom[_WATCH](differ)
        except Exception:  # viper keeps no error
            seldom[_FAIL]()

    seldom: "tuple[Any, ...]" = (agrees, watch, fail)
    return agrees, step


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
        self._values = bytearray(4 * _SIZE)
        self._set(_HIGHEST, D if ventilated else C)
        self._set(_LOCKS, 1 if lock else 0)
        self._moves = -(-contactor.moves_ms // period_ms)  # passes that a pole may take to follow its coil
        if self._moves > 255:
            raise ValueError("moves_ms must be at most %d, got %r" % (255 * period_ms, contactor.moves_ms))
        self._late = bytearray(contactor.count)  # passes that each pole has taken
        self.failures = 0
        # bound methods, made once: making one allocates
        locked = lock.is_locked if lock else None
        watch = (contactor.step, self._watch, self._fail)
        self.agrees, self.step = _rule(self._values, pilot.sample, faults.any, locked, *watch)

    # --- what others ask

    @property
    def wanted(self) -> bool:
        return self._get(_WANTED) != 0

    @property
    def supplies(self) -> bool:
        """Do all coils have their current? So within a pass of `close()`, or later where poles close one by one."""
        return self._contactor.told == (1 << len(self._late)) - 1

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

    # --- what a pass seldom does

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
            else:
                uneasy = 1
                if self._late[pole] < self._moves:
                    self._late[pole] += 1
                elif told & bit:
                    self._set(_STUCK, self._get(_STUCK) | bit)
                    self.open()
                else:
                    self._set(_WELDED, self._get(_WELDED) | bit)
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
