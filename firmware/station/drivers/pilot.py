"""The control pilot: what the car says by its resistor, and the current that we offer by the duty cycle.

`sample()` reads the state, `offer()` sets the current, `off()` withdraws the station (state F). The clauses are those
of IEC 61851-1 Annex A. `Pilot` has two ADC channels at which the front end holds the high and the low plateau of the
1 kHz wave, so that neither is averaged over the period; `pilot_gated.py` has the other kind of front end.
"""

import micropython
from machine import ADC, PWM, Pin
from micropython import const

from station.drivers.pilot_current import DIGITAL, duty_of

A = const(0)  # no car: +12 V
B = const(1)  # car connected: +9 V
C = const(2)  # car asks for energy: +6 V
D = const(3)  # the same, and for ventilation: +3 V
E = const(4)  # pilot shorted or no power: 0 V
F = const(5)  # station not available: -12 V
NO_DIODE = const(6)  # the low plateau is not at -12 V: that load is no car
LOST = const(7)  # the pilot could not be measured

_FREQUENCY = const(1000)  # Hz
_STEADY_HIGH = const(65535)
# Between the neighbours A|B|C|D|E|F. In 0.1 V: a frozen tuple keeps an integer above 8191 as a big one, and what is
# worked out from it is one too, with which no interrupt may calculate.
_THRESHOLDS_DV = (105, 75, 45, 15, -60)
_DIODE_MV = const(-10500)
_HYSTERESIS_MV = const(300)


class PilotLine:
    """What every front end shares: the wave, and the judgement of the plateaus.

    `offered` is the current on offer in 0.1 A, 0 for none: steady +12 V, digital communication, or off.
    The board's calibration: `zero` is the ADC's reading at 0 V, `span_mv` the voltage that is 32768 counts away.
    """

    def __init__(self, pwm: int, zero: int, span_mv: int) -> None:
        self._pwm = PWM(Pin(pwm, Pin.OUT), freq=_FREQUENCY, duty_u16=_STEADY_HIGH)
        # counts that must be passed to leave a state upwards and downwards: bands with hysteresis
        self._rise = tuple([zero + (dv * 100 + _HYSTERESIS_MV) * 32768 // span_mv for dv in _THRESHOLDS_DV])
        self._fall = tuple([zero + (dv * 100 - _HYSTERESIS_MV) * 32768 // span_mv for dv in _THRESHOLDS_DV])
        self._diode_lost = zero + (_DIODE_MV + _HYSTERESIS_MV) * 32768 // span_mv
        self._diode_found = zero + (_DIODE_MV - _HYSTERESIS_MV) * 32768 // span_mv
        self._band = A
        self._diode = True
        self._swings = False
        self.offered = 0

    def offer(self, deciamps: int) -> None:
        """Offer a current of 60 to 800 (0.1 A), or 0 for none; raises ValueError for anything else."""
        self._set(duty_of(deciamps) if deciamps else _STEADY_HIGH, deciamps)

    def offer_digital(self) -> None:
        """5 %: no current but what digital communication agrees on."""
        self._set(DIGITAL, 0)

    def off(self) -> None:
        """Steady -12 V, state F: the station does not exist for the car."""
        self._set(0, 0)

    def _set(self, duty_u16: int, deciamps: int) -> None:
        self._swings = False  # while it changes nobody looks for the diode
        self._pwm.duty_u16(duty_u16)
        self.offered = deciamps
        self._swings = 0 < duty_u16 < _STEADY_HIGH

    @micropython.native
    def _judge_high(self, high: int) -> int:
        """The state that the high plateau shows, in counts."""
        band = self._band
        while band > A and high > self._rise[band - 1]:
            band -= 1
        while band < F and high < self._fall[band]:
            band += 1
        self._band = band
        return band

    @micropython.native
    def _judge_low(self, low: int) -> bool:
        """Does the low plateau, in counts, show a diode?"""
        self._diode = low < (self._diode_lost if self._diode else self._diode_found)
        return self._diode


class Pilot(PilotLine):
    """One connector's pilot with its plateaus held at two ADC channels, `high` and `low`."""

    def __init__(self, pwm: int, high: int, low: int, zero: int = 32768, span_mv: int = 15000) -> None:
        super().__init__(pwm, zero, span_mv)
        self._read_high = ADC(Pin(high)).read_u16
        self._read_low = ADC(Pin(low)).read_u16

    @micropython.native
    def sample(self) -> int:
        """One raw sample, A to F or NO_DIODE, with hysteresis but not debounced. Allocates nothing.

        A diode shows only while the wave swings, so NO_DIODE comes only in B, C, D with a duty cycle.
        """
        band = self._judge_high(self._read_high())
        if not self._swings or band < B or band > D:
            self._diode = True
            return band
        return band if self._judge_low(self._read_low()) else NO_DIODE
