"""One connector's lamp: a red, a green and a blue light-emitting diode, dimmed by pulse width where the pin can.

A lamp that lacks a diode shows a colour by those of it that it has, and one of which it has none by all that it has:
rather the wrong colour than no light.
"""

from machine import PWM, Pin
from micropython import const

RED = const(1)
GREEN = const(2)
BLUE = const(4)

_FREQUENCY = const(1000)  # Hz: no eye sees it flicker
_FULL = const(65535)


class Lamp:
    """`pins`: (red, green, blue), None for one that it lacks. `active`: the level at which a diode shines.

    Dark from construction on. `show` allocates nothing.
    """

    def __init__(self, pins: "tuple[int | None, int | None, int | None]", active: int = 1) -> None:
        self._active = active
        self._channels = tuple([None if pin is None else self._channel(pin) for pin in pins])
        self._fitted = sum([1 << at for at, pin in enumerate(pins) if pin is not None])
        self._shown = 0  # colours, and the intensity above them

    def show(self, colours: int, intensity: int = 100) -> None:
        """Shine in the sum of RED, GREEN and BLUE (0: dark), at 0 to 100 %."""
        shown = colours | intensity << 3
        if shown == self._shown:
            return
        self._shown = shown
        if colours:
            colours = colours & self._fitted or self._fitted
        for channel in self._channels:
            if channel:
                channel.duty_u16(self._duty(intensity if colours & 1 else 0))
            colours >>= 1

    def _channel(self, pin: int):
        dark = self._duty(0)
        output = Pin(pin, Pin.OUT, value=1 if dark else 0)
        try:
            return PWM(output, freq=_FREQUENCY, duty_u16=dark)
        except (ValueError, OSError, RuntimeError):  # as ports say that the pin has no timer, or that none is left
            return _Switch(output, dark)

    def _duty(self, percent: int) -> int:
        duty = percent * _FULL // 100
        return duty if self._active else _FULL - duty


class _Switch:
    """A pin without pulse width: any light is full light."""

    def __init__(self, pin: Pin, dark: int) -> None:
        self._pin = pin
        self._dark = dark

    def duty_u16(self, duty: int) -> None:
        level = 1 if self._dark else 0
        self._pin.value(level if duty == self._dark else 1 - level)
