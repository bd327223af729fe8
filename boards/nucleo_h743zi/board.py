"""Nucleo-144 with an STM32H743ZI (2 MB flash, LAN8742), on a carrier for two connectors and with a 16 MB SPI flash.

Pins, flash map, limits: README.md beside this file has the wiring and why each is as it is. Pins are named by the
chip (`Pin.cpu`): as text "D12" would be the Arduino header's D12 where the stock firmware runs.
"""

import os

import machine
import network as _network
import nor_flash
import provision
import rom_flash
import vfs
from machine import SPI, Pin
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "nucleo_h743zi"
MAX_CONNECTORS = const(2)
HAS_LOCK = True
EXTENSIONS = ()

INTERLOCK_PERIOD_MS = const(10)
INTERLOCK_HARD = True  # MicroPython 1.27 or newer
INTERLOCK_TIMER = const(-1)  # the port's only kind: driven by SysTick, run at PendSV
# 3 passes, and 10 ms for what else runs at PendSV (lwIP) or masks it; Python, garbage collection, TLS and flash do not
INTERLOCK_OPENS_MS = const(40)
WATCHDOG_MS = const(8000)

PROVISION = "/flash/" + provision.NAME

_FILESYSTEM = (0, 256)  # first block, blocks of 4 KiB
_REGIONS = {
    "journal": (256, 256),
    "cards": (512, 2048),
    "cache": (2560, 32),
    "boot": (2592, 2),
    "update": (2594, 4),
}
_SLOTS = ("slot_a", "slot_b")
_NOR_SPI = const(3)
_NOR_BAUD = const(20_000_000)

_PINS: "Any" = Pin.cpu  # the stub has those of a smaller chip
_NOR_SELECT = _PINS.A4
# first pole, its feedback, second pole, its feedback, pilot PWM, ADC of the high and the low plateau, lock, its contact
_CONNECTORS = (
    (_PINS.G0, _PINS.E7, _PINS.G1, _PINS.E8, _PINS.D12, _PINS.A3, _PINS.C0, _PINS.F0, _PINS.E10),
    (_PINS.G2, _PINS.E12, _PINS.G3, _PINS.E14, _PINS.D13, _PINS.B1, _PINS.F10, _PINS.F1, _PINS.E15),
)
_RESIDUAL = (_PINS.F2, _PINS.F3)
_LEDS = ((_PINS.D0, _PINS.D1, _PINS.D3), (_PINS.D7, _PINS.D14, _PINS.D15))
_EMERGENCY_STOP = _PINS.B10
_ENCLOSURE = _PINS.B11
_READER_SELECT = _PINS.E4
_READER_RESET = _PINS.E3

# The front end puts -12 V to +12 V of the pilot to 0.45 V to 2.85 V: 1.65 V + pilot / 10, and 3.3 V is 65535.
_PILOT_ZERO = const(32768)
_PILOT_SPAN_MV = const(16500)

# The port knows the pins of a UART and of a SPI bus by its number.
COMPONENT_LINE = "meter"  # key of the UART: the charge controller is on the meters' RS-485
_UARTS = {"meter": {"id": 2, "direction": _PINS.D4}, "reader": {"id": 6, "direction": None}}
_SPIS = {"reader": {"id": 4}}


def _flash(first: int, blocks: int) -> nor_flash.NorFlash:
    spi = SPI(_NOR_SPI, baudrate=_NOR_BAUD)
    return nor_flash.NorFlash(spi, Pin(_NOR_SELECT, Pin.OUT, value=1), first, blocks)


def _has_own() -> bool:
    """Has the port mounted a file system of its own at /flash? The stock firmware does, our image does not."""
    try:
        os.stat("/flash")
    except OSError:
        return False
    return True


def provisioning() -> bytes:
    """The provisioning file's JSON text; raises OSError if it is not there."""
    if _has_own():
        return provision.read(PROVISION)
    try:
        littlefs = vfs.VfsLfs2(filesystem())  # type: ignore[abstract, arg-type]  # the stub takes both for interfaces
    except OSError as error:
        raise OSError("%s: no file system on the SPI flash (%s): make provision makes one" % (PROVISION, error))
    return provision.read(provision.NAME, littlefs)


def filesystem() -> "nor_flash.NorFlash | None":
    """The block device of the littlefs; None where the stock firmware has a file system at /flash, which we share."""
    return None if _has_own() else _flash(*_FILESYSTEM)


def region(name: str) -> tuple:
    """(device, first block, blocks) of a raw region: one of _REGIONS, or a slot of the application."""
    if name in _SLOTS:
        device = rom_flash.RomFlash(_SLOTS.index(name))
        return device, 0, len(device.memory) // device.ioctl(5, 0)
    first, blocks = _REGIONS[name]
    return _flash(first, blocks), 0, blocks


def mapped(name: str):
    """The flash of "slot_a" or "slot_b" as the processor reads it: a buffer."""
    return rom_flash.RomFlash(_SLOTS.index(name)).memory


def reset_by_watchdog() -> bool:
    """Was it the watchdog that began this start?"""
    return machine.reset_cause() == machine.WDT_RESET


def network():
    """The LAN8742, active; it gets its address by DHCP."""
    lan = _network.LAN()
    lan.active(True)
    return lan


def connector(i: int) -> dict:
    """What belongs to connector `i`, 1 or 2."""
    first, first_feedback, second, second_feedback, pwm, high, low, lock, locked = _CONNECTORS[i - 1]
    return {
        "contactor": {
            "poles": ((first, (first_feedback,)), (second, (second_feedback,))),
            "precharge": None,
            "min_off_ms": 500,
            "moves_ms": 100,
        },
        "pilot": {"pwm": pwm, "high": high, "low": low, "zero": _PILOT_ZERO, "span_mv": _PILOT_SPAN_MV},
        "lock": (lock, locked),
        "meter": {"uart": "meter", "address": i, "type": "SDM630"},
        "inputs": (
            (_EMERGENCY_STOP, "EmergencyStop", 0),
            (_ENCLOSURE, "EnclosureOpen", 0),
            (_RESIDUAL[i - 1], "ResidualCurrent", 0),
        ),
        "leds": _LEDS[i - 1],
        "led_active": 1,
    }


def readers() -> "tuple[dict, ...]":
    """The card readers: a serial one, and an MFRC522, each for both connectors."""
    return (
        {"kind": "serial", "uart": "reader", "connectors": (1, 2)},
        {
            "kind": "mfrc522",
            "spi": "reader",
            "select": _READER_SELECT,
            "reset": _READER_RESET,
            "connectors": (1, 2),
        },
    )


def uart(key: str) -> dict:
    """The arguments of machine.UART for "meter" (RS-485) or "reader"."""
    return _UARTS[key]


def spi(key: str) -> dict:
    """The arguments of machine.SPI for "reader", the MFRC522."""
    return _SPIS[key]


async def started(app) -> None:
    """The station is built: nothing else to start here."""
