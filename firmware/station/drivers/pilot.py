"""The control pilot: what the car says by its resistor, and the current that we offer by the duty cycle.

`sample()` reads the state, `offer()` sets the current, `off()` withdraws the station (state F). Two ADC channels
hold the high and the low plateau of the 1 kHz wave. The clauses are those of IEC 61851-1 Annex A.
"""

from machine import ADC, PWM, Pin
from micropython import const

A = const(0)  # no car: +12 V
B = const(1)  # car connected: +9 V
C = const(2)  # car asks for energy: +6 V
D = const(3)  # the same, and for ventilation: +3 V
E = const(4)  # pilot shorted or no power: 0 V
F = const(5)  # station not available: -12 V
NO_DIODE = const(6)  # the low plateau is not at -12 V: that load is no car

MINIMUM = const(60)  # 0.1 A
MAXIMUM = const(800)  # 0.1 A

_FREQUENCY = const(1000)  # Hz
_STEADY_HIGH = const(65535)
_THRESHOLDS_MV = (10500, 7500, 4500, 1500, -6000)  # between the neighbours A|B|C|D|E|F
_DIODE_MV = const(-10500)
_HYSTERESIS_MV = const(300)


def duty_of(deciamps: int) -> int:
    """The `duty_u16` that offers a current (0.1 A): 0.6 A per % up to 51 A, 2.5 A per % from 64 % above.

    Never offers more than asked: 51.1 A to 52.5 A have no duty of their own and become 51 A.
    Raises ValueError outside 6 A to 80 A.
    """
    if not MINIMUM <= deciamps <= MAXIMUM:
        raise ValueError("offered current must be %d to %d (0.1 A), got %r" % (MINIMUM, MAXIMUM, deciamps))
    if deciamps > 525:
        return (deciamps + 1600) * 65535 // 2500
    return min(deciamps, 510) * 65535 // 600


def current_of(duty_u16: int) -> int:
    """The current (0.1 A) that a car may draw at this duty; 0 where the duty offers none by itself.

    3 % to 7 % ask for digital communication and below 3 % and above 97 % nothing may be drawn: all three give 0.
    """
    if duty_u16 * 100 < 8 * 65535 or duty_u16 * 100 > 97 * 65535:
        return 0
    if duty_u16 * 100 <= 85 * 65535:
        return max(MINIMUM, (duty_u16 * 600 + 32767) // 65535)
    return min(MAXIMUM, (duty_u16 * 2500 + 32767) // 65535 - 1600)


class Pilot:
    """One connector's pilot. `offered` is the current on offer in 0.1 A, 0 for none (steady +12 V, or off).

    `zero` is the ADC's reading at 0 V, `span_mv` the voltage that is 32768 counts away from it.
    """

    def __init__(self, pwm: int, adc_high: int, adc_low: int, zero: int = 32768, span_mv: int = 15000) -> None:
        self._pwm = PWM(Pin(pwm, Pin.OUT), freq=_FREQUENCY, duty_u16=_STEADY_HIGH)
        self._high = ADC(Pin(adc_high))
        self._low = ADC(Pin(adc_low))
        # counts that must be passed to leave a state upwards and downwards: bands with hysteresis
        self._rise = tuple([zero + (mv + _HYSTERESIS_MV) * 32768 // span_mv for mv in _THRESHOLDS_MV])
        self._fall = tuple([zero + (mv - _HYSTERESIS_MV) * 32768 // span_mv for mv in _THRESHOLDS_MV])
        self._diode_lost = zero + (_DIODE_MV + _HYSTERESIS_MV) * 32768 // span_mv
        self._diode_found = zero + (_DIODE_MV - _HYSTERESIS_MV) * 32768 // span_mv
        self._band = A
        self._diode = True
        self.offered = 0

    def sample(self) -> int:
        """One raw sample, A to F or NO_DIODE, with hysteresis but not debounced. Allocates nothing.

        A diode shows only while the wave swings, so NO_DIODE comes only in B, C, D with a current on offer.
        """
        high = self._high.read_u16()
        band = self._band
        while band > A and high > self._rise[band - 1]:
            band -= 1
        while band < F and high < self._fall[band]:
            band += 1
        self._band = band
        if not self.offered or band < B or band > D:
            self._diode = True
            return band
        low = self._low.read_u16()
        if self._diode:
            self._diode = low < self._diode_lost
        else:
            self._diode = low < self._diode_found
        return band if self._diode else NO_DIODE

    def offer(self, deciamps: int) -> None:
        """Offer a current of 60 to 800 (0.1 A), or 0 for none; raises ValueError for anything else."""
        self._pwm.duty_u16(duty_of(deciamps) if deciamps else _STEADY_HIGH)
        self.offered = deciamps

    def off(self) -> None:
        """Steady -12 V, state F: the station does not exist for the car."""
        self._pwm.duty_u16(0)
        self.offered = 0
