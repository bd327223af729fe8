"""The unix board's `machine`: the classes of MicroPython's own, with simulated devices at their pins.

`attach(world)` comes before anything else; a pin, UART or ADC then finds its device by its number, and a number that
nothing is connected to raises ValueError, as a wrong argument does. `reset()` ends the process with RESET_STATUS.
What needs no models, timers and clocks, is in port.py.
"""

import sys

import utime
from port import *  # noqa: F403 - what the built-in one lacks here
from port import restart

PWRON_RESET, WDT_RESET, SOFT_RESET = 1, 3, 5  # the numbers of the STM32 port

_path = sys.path
sys.path = ()  # else `machine` would be this file again
try:
    from machine import *  # noqa: F403
    from machine import PinBase
finally:
    sys.path = _path

_world = None


def attach(world) -> None:
    """Connect the pins to the models of `world` (boards/unix/world.py)."""
    global _world  # noqa: PLW0603 - a board has one machine
    _world = world


def reset(cause: int = SOFT_RESET) -> None:
    """Keep the world as it is and end the process; whoever started it starts it again, and is told the cause."""
    if _world:
        _world.restarting(cause)
    restart()


def reset_cause() -> int:
    """WDT_RESET, SOFT_RESET or, for a process that was started by hand, PWRON_RESET."""
    return (_world.reset_cause if _world else 0) or PWRON_RESET


class Pin(PinBase):
    """A digital pin. `value()`, or calling the pin, reads; with an argument it drives."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2

    def __init__(self, id, mode: int = -1, pull: "int | None" = -1, *, value: "int | None" = None) -> None:
        self.site, self.terminal = _world.terminal(id)
        self._mode = -1
        self._level = 0
        self.init(mode, pull, value=value)

    def init(self, mode: int = -1, pull: "int | None" = -1, *, value: "int | None" = None) -> None:
        if mode not in (-1, Pin.IN, Pin.OUT, Pin.OPEN_DRAIN):
            raise ValueError("invalid pin mode: %r" % mode)
        if mode != -1:
            self._mode = mode
        if value is not None:
            self.value(value)

    def value(self, x: "int | None" = None) -> "int | None":
        if x is None:
            return self.site.level(self.terminal) if self._mode == Pin.IN else self._level
        if self._mode == Pin.IN:
            raise ValueError("pin is an input")
        self._level = 1 if x else 0
        self.site.drive(self.terminal, self._level)
        return None

    def __call__(self, x: "int | None" = None) -> "int | None":
        return self.value(x)

    def on(self) -> None:
        self.value(1)

    def off(self) -> None:
        self.value(0)


class ADC:
    """An analogue input, 0 to 65535."""

    def __init__(self, pin) -> None:
        if not isinstance(pin, Pin):
            pin = Pin(pin)
        self._site, self._terminal = pin.site, pin.terminal

    def read_u16(self) -> int:
        return self._site.analog(self._terminal)


class PWM:
    """A square wave; a duty of 0 or 65535 is a steady level."""

    def __init__(self, pin, *, freq: int = 0, duty_u16: int = 0) -> None:
        if not isinstance(pin, Pin):
            pin = Pin(pin)
        self._site, self._terminal = pin.site, pin.terminal
        self._freq = freq
        self._duty = 0
        self.init(freq=freq, duty_u16=duty_u16)

    def init(self, *, freq: int = -1, duty_u16: int = -1) -> None:
        freq = self._freq if freq == -1 else freq
        duty_u16 = self._duty if duty_u16 == -1 else duty_u16
        if not 1 <= freq <= 40_000_000:
            raise ValueError("PWM frequency must be 1 to 40000000 Hz, got %r" % freq)
        if not 0 <= duty_u16 <= 65535:
            raise ValueError("PWM duty must be 0 to 65535, got %r" % duty_u16)
        self._freq, self._duty = freq, duty_u16
        self._site.wave(self._terminal, freq, duty_u16)

    def freq(self, value: "int | None" = None) -> "int | None":
        if value is None:
            return self._freq
        return self.init(freq=value)

    def duty_u16(self, value: "int | None" = None) -> "int | None":
        if value is None:
            return self._duty
        return self.init(duty_u16=value)

    def deinit(self) -> None:
        self._site.wave(self._terminal, self._freq, 0)


class UART:
    """A serial line; reads never wait. A simulated device's bytes arrive at once, whatever the baud rate, unless it is
    an `rs485.Line`. Pins are those of the board's package: they are accepted and mean nothing here."""

    def __init__(
        self,
        id: int,
        baudrate: int = 9600,
        bits: "int | None" = 8,
        parity: "int | None" = None,
        stop: int = 1,
        *,
        tx=None,
        rx=None,
        rts=None,
        cts=None,
        timeout: int = 0,
        timeout_char: int = 0,
        txbuf: int = 256,
        rxbuf: int = 256,
        invert: int = 0,
        flow: int = 0,
    ) -> None:
        if baudrate < 300 or bits not in (7, 8, 9) or stop not in (1, 2) or parity not in (None, 0, 1):
            raise ValueError("invalid UART setting")
        if timeout < 0 or timeout_char < 0 or rxbuf < 1 or txbuf < 0:
            raise ValueError("invalid UART setting")
        self._device = _world.serial(id)
        self._rxbuf = rxbuf

    def any(self) -> int:
        rx = self._device.rx
        if len(rx) > self._rxbuf:  # nobody came for them: the latest are lost, as in hardware
            self._device.rx = rx[: self._rxbuf]
        return len(self._device.rx)

    def read(self, nbytes: int = -1) -> "bytes | None":
        rx = self._device.rx
        size = self.any() if nbytes < 0 else min(nbytes, self.any())
        if not size:
            return None
        self._device.rx = rx[size : self._rxbuf]
        return bytes(rx[:size])

    def readinto(self, buf, nbytes: int = -1) -> "int | None":
        data = self.read(len(buf) if nbytes < 0 else min(nbytes, len(buf)))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def write(self, buf) -> int:
        self._device.write(buf)
        return len(buf)

    def txdone(self) -> bool:
        """Is the last bit out?"""
        sent = getattr(self._device, "sent", None)
        return sent() if sent else True

    def flush(self) -> None:
        """Wait, in real time and without the event loop, until the last bit is out."""
        while not self.txdone():
            utime.sleep_us(50)

    def deinit(self) -> None:
        self._device.rx = bytearray()


class SPI:
    """A bus; a transfer reaches those devices whose select pin is low. Where none listens every byte read is 0xFF."""

    MSB = 0
    LSB = 1

    def __init__(
        self, id: int, baudrate=1_000_000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None
    ):
        self._devices = _world.bus(id)
        if polarity not in (0, 1) or phase not in (0, 1) or bits != 8:
            raise ValueError("invalid SPI setting")
        self._fits = (polarity, phase, firstbit) in ((0, 0, 0), (1, 1, 0))  # what devices here speak

    def read(self, nbytes: int, write: int = 0) -> bytes:
        buf = bytearray(nbytes)
        self.readinto(buf, write)
        return bytes(buf)

    def readinto(self, buf, write: int = 0) -> None:
        buf[:] = bytes((write,)) * len(buf)
        self.write_readinto(buf, buf)

    def write(self, buf) -> int:
        self.write_readinto(buf, bytearray(len(buf)))
        return len(buf)

    def write_readinto(self, write_buf, read_buf) -> None:
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        listeners = [device for device in self._devices if device.listens and self._fits]
        for i, byte in enumerate(write_buf):
            level = 0xFF
            for device in listeners:
                level &= device.exchange(byte)
            read_buf[i] = level

    def deinit(self) -> None:
        pass
