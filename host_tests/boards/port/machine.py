"""A port's `machine` with nothing connected but a quiet car-less connector, for test_boot.py.

Inputs read 0 (contacts open, alarms quiet), converters a pilot of 12 V; `timers` are run by the script.
"""

HARD = None  # whether Timer takes `hard`, and its least id: set by the script
PILOT = 0  # what a converter reads
BUS = None  # the device on the board's flash SPI
timers = []
pins = []


class _Names:
    def __getattr__(self, name):
        return name


class PinBase:
    pass


class Pin(PinBase):
    IN, OUT, PULL_UP, PULL_DOWN, IRQ_RISING, IRQ_FALLING = range(6)
    cpu = _Names()

    def __init__(self, number, mode=None, pull=None, value=None):
        self.number = number.number if isinstance(number, Pin) else number
        self._value = value or 0
        self._select = None
        pins.append(self)

    def value(self, level=None):
        if level is None:
            return self._value
        self._value = level
        if BUS and self.number == "A4":
            BUS(level)
        return None

    def __call__(self, level=None):
        return self.value(level)

    def irq(self, **_):
        return self


class ADC:
    def __init__(self, pin):
        self.pin = pin

    def read_u16(self):
        return PILOT


class PWM:
    def __init__(self, pin, freq=0, duty_u16=0):
        self.duty = duty_u16

    def duty_u16(self, duty):
        self.duty = duty


class UART:
    def __init__(self, number, baudrate, **words):
        allowed = {"bits", "parity", "stop", "rxbuf", "tx", "rx", "timeout", "timeout_char"}
        assert set(words) <= allowed, words
        self.number = number

    def any(self):
        return 0

    def write(self, data):
        return len(data)

    def readinto(self, buf, size=0):
        return None

    def read(self, size=0):
        return None

    def flush(self):
        pass


class SPI:
    MSB = 0

    def __init__(self, number, baudrate=0, **words):
        self.number = number

    def write(self, data):
        if self.number == 3:
            BUS.write(data)

    def readinto(self, buf, value=0):
        if self.number == 3:
            BUS.readinto(buf)
            return
        for index in range(len(buf)):
            buf[index] = 0

    def write_readinto(self, data, buf):
        self.readinto(buf)


class Timer:
    PERIODIC, ONE_SHOT = 1, 0

    def __init__(self, number, mode=1, period=0, callback=None, hard=None):
        least = -1 if HARD else 0
        assert least <= number <= 3 and (least or number != -1), number
        assert HARD or hard is None, "this port's timers are soft"
        self.period, self.callback = period, callback
        timers.append(self)

    def deinit(self):
        timers.remove(self)


class WDT:
    fed = 0

    def __init__(self, id=0, timeout=0):
        assert timeout

    def feed(self):
        WDT.fed += 1


class RTC:
    _now = (2000, 1, 1, 5, 0, 0, 0, 0)

    def datetime(self, now=None):
        if now:
            RTC._now = now
        return RTC._now


def reset():
    raise AssertionError("the station has reset itself")


def disable_irq():
    return 0


def enable_irq(state):
    pass
