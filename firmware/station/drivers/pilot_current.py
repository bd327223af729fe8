"""Duty cycle and current, IEC 61851-1 Annex A table A.8, both ways: `duty_of`, `current_of`, `is_digital`.

Currents are in 0.1 A, duties as `PWM.duty_u16` takes them, 0 to 65535.
"""

from micropython import const

MINIMUM = const(60)  # 0.1 A
MAXIMUM = const(800)  # 0.1 A
DIGITAL = const(3277)  # 5 %: the current is agreed on by digital communication (ISO 15118)

_WHOLE = const(65535)


def duty_of(deciamps: int) -> int:
    """The duty that offers a current: 0.6 A per % up to 51 A, 2.5 A per % from 64 % above.

    Never offers more than asked: 51.1 A to 52.5 A have no duty of their own and become 51 A.
    Raises ValueError outside 6 A to 80 A.
    """
    if not MINIMUM <= deciamps <= MAXIMUM:
        raise ValueError("offered current must be %d to %d (0.1 A), got %r" % (MINIMUM, MAXIMUM, deciamps))
    if deciamps > 525:
        return (deciamps + 1600) * _WHOLE // 2500
    return min(deciamps, 510) * _WHOLE // 600


def current_of(duty_u16: int) -> int:
    """The current that a car may draw at this duty; 0 where the duty offers none by itself.

    8 % to 10 % are 6 A, 96 % to 97 % are 80 A. Below 8 % and above 97 % nothing may be drawn, unless `is_digital`
    and the digital communication says so.
    """
    if duty_u16 * 100 < 8 * _WHOLE or duty_u16 * 100 > 97 * _WHOLE:
        return 0
    if duty_u16 * 100 <= 85 * _WHOLE:
        return max(MINIMUM, (duty_u16 * 600 + _WHOLE // 2) // _WHOLE)
    return min(MAXIMUM, (duty_u16 * 2500 + _WHOLE // 2) // _WHOLE - 1600)


def is_digital(duty_u16: int) -> bool:
    """3 % to 7 %: the car may draw only what digital communication allows."""
    return 3 * _WHOLE <= duty_u16 * 100 <= 7 * _WHOLE
