"""ESP32-S3 with 8 MB flash and octal PSRAM, W5500 Ethernet, on a carrier for two connectors with fixed cables.

Pins, flash map, limits: README.md beside this file has the wiring and why each is as it is.
"""

import esp32_flash
import machine
import network as _network
import provision
from machine import SPI, Pin
from micropython import const

NAME = "esp32_s3_eth"
MAX_CONNECTORS = const(2)
HAS_LOCK = False
EXTENSIONS = ()

INTERLOCK_PERIOD_MS = const(10)
INTERLOCK_HARD = False  # the port's timers wait for the running bytecode, or for the C function that it calls
INTERLOCK_TIMER = const(0)
WATCHDOG_MS = const(8000)
# Whatever holds the timer up longer holds up the watchdog's feeding too: its reset opens, after up to 0.5 s of
# panic handler. Between 30 ms and that lie garbage collection, flash erases, TLS and name look-ups; see README.md.
INTERLOCK_OPENS_MS = const(8530)

PROVISION = "/" + provision.NAME

_ETHERNET_SPI = const(1)
_ETHERNET = {"sck": 13, "mosi": 11, "miso": 12, "cs": 14, "int": 10, "reset": 9}

# coil, feedback, pilot PWM, ADC of the high and of the low plateau, residual-current device
_CONNECTORS = ((15, 6, 16, 1, 2, 47), (17, 7, 18, 4, 5, 48))
_EMERGENCY_STOP = const(8)
_ENCLOSURE = const(21)

# The front end puts -12 V to +12 V of the pilot to 0.3 V to 2.7 V: 1.5 V + pilot / 10. With 11 dB the ADC's full scale
# is 3.1 V nominally: 1.5 V is 31710 of 65536, and 32768 counts are 1.55 V, which is 15.5 V of the pilot.
_PILOT_ZERO = const(31710)
_PILOT_SPAN_MV = const(15500)

COMPONENT_LINE = "meter"  # key of the UART: the charge controller is on the meters' RS-485
_UARTS = {
    "meter": {"id": 1, "tx": 38, "rx": 39, "direction": 40},
    "reader": {"id": 2, "tx": 41, "rx": 42, "direction": None},
}


def provisioning() -> bytes:
    """The provisioning file's JSON text; raises OSError if it is not there."""
    return provision.read(PROVISION)


def filesystem() -> None:
    """The port has mounted the partition `vfs` at "/" already; the application shares it."""
    return None


def region(name: str) -> tuple:
    """(device, first block, blocks) of a raw region: "journal", "cards", "cache", "boot", "update" or a slot."""
    return esp32_flash.region(name)


def mapped(name: str):
    """The flash of "slot_a" or "slot_b" as the processor reads it: a buffer."""
    return esp32_flash.mapped(name)


def base_places():
    """The two places for the base image, see boards/common/esp32_base.py."""
    from esp32_base import Places  # it is for an application, which boot.py has to choose first

    return Places()


def reset_by_watchdog() -> bool:
    """Was it the watchdog that began this start?"""
    return machine.reset_cause() == machine.WDT_RESET


def network():
    """The W5500, active; it gets its address by DHCP."""
    spi = SPI(
        _ETHERNET_SPI,
        baudrate=20_000_000,
        sck=Pin(_ETHERNET["sck"]),
        mosi=Pin(_ETHERNET["mosi"]),
        miso=Pin(_ETHERNET["miso"]),
    )
    lan = _network.LAN(  # type: ignore[call-arg]  # the stub knows those of another port
        0,
        phy_type=_network.PHY_W5500,
        phy_addr=0,
        spi=spi,
        cs=Pin(_ETHERNET["cs"]),
        int=Pin(_ETHERNET["int"]),
        reset=Pin(_ETHERNET["reset"]),
    )
    lan.active(True)
    return lan


def connector(i: int) -> dict:
    """What belongs to connector `i`, 1 or 2."""
    coil, feedback, pwm, high, low, residual = _CONNECTORS[i - 1]
    return {
        "contactor": {"poles": ((coil, (feedback,)),), "precharge": None, "min_off_ms": 500, "moves_ms": 100},
        "pilot": {"pwm": pwm, "high": high, "low": low, "zero": _PILOT_ZERO, "span_mv": _PILOT_SPAN_MV},
        "lock": None,
        "meter": {"uart": "meter", "address": i, "type": "SDM630"},
        "inputs": (
            (_EMERGENCY_STOP, "EmergencyStop", 0),
            (_ENCLOSURE, "EnclosureOpen", 0),
            (residual, "ResidualCurrent", 0),
        ),
        "leds": None,
        "led_active": 1,
    }


def readers() -> "tuple[dict, ...]":
    """The card readers: a serial one for both connectors."""
    return ({"kind": "serial", "uart": "reader", "connectors": (1, 2)},)


def uart(key: str) -> dict:
    """The arguments of machine.UART for "meter" (RS-485) or "reader"."""
    return _UARTS[key]


def spi(key: str) -> dict:
    """No device but the Ethernet chip is on a SPI bus."""
    raise KeyError(key)


async def started(app) -> None:
    """The station is built: nothing else to start here."""
