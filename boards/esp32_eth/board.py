"""ESP32 with 4 MB flash and a LAN8720 (WT32-ETH01), on a carrier for one connector with a fixed cable.

Pins, flash map, limits: README.md beside this file has the wiring and why each is as it is.
"""

import esp32_flash
import machine
import network as _network
import provision
from machine import Pin
from micropython import const

NAME = "esp32_eth"
MAX_CONNECTORS = const(1)
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

_PHY = {"mdc": 23, "mdio": 18, "power": 16, "ref_clk": 0}  # 16 turns the 50 MHz oscillator on that clocks 0
_PHY_ADDRESS = const(1)

_COIL = const(4)  # the one that is pulled down, and keeps still, from reset on
_FEEDBACK = const(35)
_PILOT_PWM = const(32)
_PILOT_HIGH = const(36)
_PILOT_LOW = const(39)
_ALARM = const(14)

# The front end puts -12 V to +12 V of the pilot to 0.33 V to 2.37 V, where the ADC is straight: 1.35 V + 0.085 x pilot.
# With 11 dB and the nominal reference of 1.1 V a reading is 142 mV + 0.8056 mV x raw, and read_u16 is 16 x raw:
# 1.35 V is 23997, and 32768 counts are 1.65 V, which is 19.4 V of the pilot.
_PILOT_ZERO = const(23997)
_PILOT_SPAN_MV = const(19412)

COMPONENT_LINE = "meter"  # key of the UART: the charge controller is on the meters' RS-485
_UARTS = {
    "meter": {"id": 1, "tx": 17, "rx": 5, "direction": 33},
    "reader": {"id": 2, "tx": 2, "rx": 15, "direction": None},
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


def reset_by_watchdog() -> bool:
    """Was it the watchdog that began this start?"""
    return machine.reset_cause() == machine.WDT_RESET


def network():
    """The LAN8720, active; it gets its address by DHCP."""
    lan = _network.LAN(  # type: ignore[call-arg]  # the stub knows those of another port
        0,
        phy_type=_network.PHY_LAN8720,
        phy_addr=_PHY_ADDRESS,
        mdc=Pin(_PHY["mdc"]),
        mdio=Pin(_PHY["mdio"]),
        power=Pin(_PHY["power"]),
        ref_clk=Pin(_PHY["ref_clk"]),
        ref_clk_mode=Pin.IN,
    )
    lan.active(True)
    return lan


def connector(i: int) -> dict:
    """What belongs to the one connector; raises ValueError for another number."""
    if i != 1:
        raise ValueError("connector %d: this board has pins for one" % i)
    return {
        "contactor": {"poles": ((_COIL, (_FEEDBACK,)),), "precharge": None, "min_off_ms": 500, "moves_ms": 100},
        "pilot": {
            "pwm": _PILOT_PWM,
            "high": _PILOT_HIGH,
            "low": _PILOT_LOW,
            "zero": _PILOT_ZERO,
            "span_mv": _PILOT_SPAN_MV,
        },
        "lock": None,
        "meter": {"uart": "meter", "address": 1, "type": "SDM630"},
        # one loop through emergency stop, enclosure contact and residual-current device: there is one pin left
        "inputs": ((_ALARM, "EmergencyStop", 0),),
        "leds": None,
        "led_active": 1,
    }


def readers() -> "tuple[dict, ...]":
    """The card readers: a serial one."""
    return ({"kind": "serial", "uart": "reader", "connectors": (1,)},)


def uart(key: str) -> dict:
    """The arguments of machine.UART for "meter" (RS-485) or "reader"."""
    return _UARTS[key]


def spi(key: str) -> dict:
    """No pins are left for a SPI bus."""
    raise KeyError(key)


async def started(app) -> None:
    """The station is built: nothing else to start here."""
