"""The board as a whole: `reset()` it, and its real-time clock as seconds since 1970.

The clock of a board without a battery starts in 2000; what lies before 2024 counts as unset.
"""

import time

import machine
from micropython import const

_FIRST_YEAR = const(2024)
# ports count from 1970 or from 2000
_PORT_EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0


def reset() -> None:
    """Restart the board at once, as the reset button does; never returns."""
    machine.reset()


def rtc_read() -> int:
    """Seconds since 1970, UTC; 0 if the clock is unset."""
    year, month, day, _, hour, minute, second = machine.RTC().datetime()[:7]
    if year < _FIRST_YEAR:
        return 0
    # days since 1970: years that begin in March put the leap day last
    if month < 3:
        year -= 1
        month += 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def rtc_set(epoch: int) -> None:
    """Set the clock to `epoch` seconds since 1970, UTC."""
    year, month, day, hour, minute, second, weekday = time.gmtime(epoch - _PORT_EPOCH)[:7]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
