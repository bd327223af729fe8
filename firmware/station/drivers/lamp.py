"""One connector's lamp: a red, a green and a blue light-emitting diode, dimmed by pulse width."""

from machine import PWM, Pin
from micropython import const

RED = const(1)
GREEN = const(2)
BLUE = const(4)

_FREQUENCY = const(1000)  # Hz: no eye sees it flicker


class Lamp:
    """`pins`: (red, green, blue). `active`: the level at which a diode shines. Dark from construction on."""

    def __init__(self, pins: "tuple[int, int, int]", active: int = 1) -> None:
        self._active = active
        dark = self._duty(0)
        self._channels = tuple([PWM(Pin(pin, Pin.OUT), freq=_FREQUENCY, duty_u16=dark) for pin in pins])
        self._shown = 0  # colours, and the intensity above them

    def show(self, colours: int, intensity: int = 100) -> None:
        """Shine in the sum of RED, GREEN and BLUE (0: dark), at 0 to 100 %."""
        shown = colours | intensity << 3
        if shown == self._shown:
            return
        self._shown = shown
        for at, channel in enumerate(self._channels):
            channel.duty_u16(self._duty(intensity if colours >> at & 1 else 0))

    def _duty(self, percent: int) -> int:
        duty = percent * 65535 // 100
        return duty if self._active else 65535 - duty
