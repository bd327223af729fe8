"""The control pilot with one ADC channel upon the raw 1 kHz wave, and a pin that senses the wave's level.

A plateau is measured, never the average of a period. A conversion counts only if

* the sense pin had the same level before and after it,
* both looks lie so close together that the other plateau does not fit in between, and
* one conversion before it was on the same plateau already, which has been seen for SETTLE_US: what comes soon after an
  edge may still be on the way (IEC 61851-1 table A.2 gives edges up to 13 us).

One pass looks for the high plateau, and for the low one while a current is on offer; it ends after WINDOW_US (a little
more than one period) and at most TRIES conversions, whatever it has found. A plateau that it has not found gives LOST,
which the interlock treats as any other state that is not C: three such passes, and the contact opens.

The shortest plateau that the board's ADC finds for certain, `plateau_us`, bounds the offer: 100 us are 6 A to 65 A.
Three conversions, with two looks at the pin each, must fit in it: the first may meet the edge and the second is the
first one after it. A board whose ADC is slower needs the other front end, and so does digital communication, whose high
plateau has 50 us.
"""

import time

import micropython
from machine import ADC, Pin
from micropython import const

from station.drivers.pilot import LOST, NO_DIODE, B, D, PilotLine
from station.drivers.pilot_current import current_of, duty_of

WINDOW_US = const(1200)
TRIES = const(400)
SETTLE_US = const(20)

_PERIOD_US = const(1000)
_LONGEST_US = const(100)  # the high plateau of 6 A


class GatedPilot(PilotLine):
    """One connector's pilot behind such a front end; see above."""

    def __init__(
        self, pwm: int, adc: int, sense: int, zero: int = 32768, span_mv: int = 15000, plateau_us: int = 100
    ) -> None:
        if not 0 < plateau_us <= _LONGEST_US:
            raise ValueError("plateau_us must be 1 to %d, got %r" % (_LONGEST_US, plateau_us))
        self._most = current_of((_PERIOD_US - plateau_us) * 65535 // _PERIOD_US)
        self._other_us = plateau_us  # no plateau is shorter
        super().__init__(pwm, zero, span_mv)
        self._read = ADC(Pin(adc)).read_u16
        self._sense = Pin(sense, Pin.IN).value
        self._high = 0
        self._low = 0

    def offer(self, deciamps: int) -> None:
        """As any pilot's, but no more than leaves a low plateau long enough to be measured; `offered` says how much."""
        if deciamps:
            duty_of(deciamps)  # refuses what cannot be offered
        super().offer(min(deciamps, self._most))

    def offer_digital(self) -> None:
        raise ValueError("this front end cannot measure the plateaus of 5 %")

    @micropython.native
    def sample(self) -> int:
        """One raw sample, A to F, NO_DIODE or LOST, with hysteresis but not debounced. Allocates nothing.

        Takes up to WINDOW_US while a current is on offer, else a little more than SETTLE_US.
        """
        found = self._find()
        if not self._swings:  # a steady line, high or low, is the one plateau that there is
            if not found:
                return LOST
            return self._judge_high(self._high if found & 1 else self._low)
        if not found & 1:
            return LOST
        band = self._judge_high(self._high)
        if band < B or band > D:
            self._diode = True
            return band
        if not found & 2:
            return LOST
        return band if self._judge_low(self._low) else NO_DIODE

    @micropython.native
    def _find(self) -> int:
        """Measure what plateaus there are; 1: the high one was found, 2: the low one."""
        read, sense = self._read, self._sense
        now_us = time.ticks_us
        wanted = 3 if self._swings else 0
        longest = self._other_us if self._swings else _PERIOD_US
        found = 0
        tries = 0
        last = -1  # the plateau of the conversion before
        began = before = since = now_us()  # of this pass; the try before; when its plateau was first seen
        while tries < TRIES:
            tries += 1
            looked = now_us()
            level = sense()
            value = read()
            if sense() != level or time.ticks_diff(now_us(), looked) >= longest:
                last = -1
            elif level != last or time.ticks_diff(looked, before) >= longest:
                last = level
                since = looked
            elif time.ticks_diff(looked, since) >= SETTLE_US:
                if level:
                    self._high = value
                    found |= 1
                else:
                    self._low = value
                    found |= 2
                if found & wanted == wanted:
                    return found
            before = looked
            if time.ticks_diff(looked, began) >= WINDOW_US:
                return found
        return found
