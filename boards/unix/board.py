"""The unix board: what is connected where, its flash map, and the world around it.

`setup()` comes first and is this board's alone; the rest is what an application may ask of any board.
"""

import json
from tty import Tty

import machine
import outlet
import store
from flash import FileFlash
from flash_slice import Slice
from meter_models import MODELS
from micropython import const
from world import SPI_BUS, World

NAME = "unix"
INTERLOCK_PERIOD_MS = const(10)
INTERLOCK_HARD = True  # a thread in the place of an interrupt
INTERLOCK_TIMER = const(-1)
INTERLOCK_OPENS_MS = const(50)  # 3 passes, and 20 ms for a host that is busy
WATCHDOG_MS = const(8000)
MAX_CONNECTORS = const(8)
COMPONENT_LINE = None  # key of the UART to the station's other components; setup() gives it
EXTENSIONS = ()  # names of modules with `extend(app)`; start.py adds the one of its command line

_BLOCK = const(4096)
_FILESYSTEM = (0, 256)  # first block, blocks
_REGIONS = {
    "journal": (256, 256),
    "cards": (512, 2048),
    "cache": (2560, 32),
    "slot_a": (2592, 128),
    "slot_b": (2720, 128),
    "boot": (2848, 2),
    "update": (2850, 4),
}
_BLOCKS = const(2854)
_METER_ADDRESS = const(1)
_LINE = const(30)  # UART
_METER_TYPE = "SDM630"
PILOTS = ("held", "gated")  # front ends, see `pilot_of`

_provisioning = b""
_flash = None
_world = None
_control_port = None
_poles = 1
_pilot_kind = PILOTS[0]
_maps = {}  # slot: its flash


def setup(
    provision_path: str,
    state_dir: str,
    control_port: "int | None" = None,
    poles: int = 1,
    pilot: str = PILOTS[0],
    line: "str | None" = None,
    flash=FileFlash,
) -> None:
    """Make the world around the board; raises OSError or ValueError whose text says which file and what is wrong.

    `control_port` None is no control port, 0 any free one. `poles`: of each contactor, 1 or 2. `pilot`: one of PILOTS.
    `line`: a tty with the station's other components, None for none. `flash(path, blocks, block_size)` makes the flash
    chip.
    """
    global _provisioning, _flash, _world, _control_port, _poles, _pilot_kind  # noqa: PLW0603 - there is one board
    global COMPONENT_LINE  # noqa: PLW0603
    try:
        _provisioning = store.read(provision_path)
    except OSError as error:
        raise OSError("%s: cannot read the provisioning file (%r)" % (provision_path, error))
    store.folder(state_dir)
    count, phases, meter, addresses = _fittings(_provisioning)
    _flash = flash(state_dir + "/flash.bin", _BLOCKS, _BLOCK)
    _world = World(count, phases, state_dir + "/world.json", poles, meter, addresses)
    _poles, _pilot_kind = poles, pilot
    _control_port = control_port
    _world.flash = _flash
    machine.attach(_world)
    if line:
        _world.plug_line(_LINE, Tty(line))
        COMPONENT_LINE = _LINE


def _fittings(text: bytes) -> tuple:
    """(connectors, phases, type of the meters, their addresses) that the station is built with.

    A wrong file is the application's to refuse, not ours.
    """
    try:
        given = json.loads(text)
        fitted, meter = given["connectors"], given.get("meter", {})
        count, phases = fitted.get("count", 1), fitted.get("phases", 3)
        kind, address = meter.get("type", _METER_TYPE), meter.get("address", _METER_ADDRESS)
        addresses = tuple(address) if isinstance(address, list) else (address,) * count
        if 1 <= count <= MAX_CONNECTORS and phases in (1, 3) and kind in MODELS and len(addresses) == count:
            return count, phases, kind, addresses
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return 1, 3, _METER_TYPE, (_METER_ADDRESS,)


def world() -> World:
    """What is around the board."""
    return _world


def provisioning() -> bytes:
    """The provisioning file's JSON text."""
    return _provisioning


def filesystem() -> Slice:
    """The block device of the littlefs."""
    return Slice(_flash, *_FILESYSTEM)


def network() -> None:
    """The host's network serves: there is no interface to watch."""
    return None


def region(name: str) -> tuple:
    """(device, first block, blocks) of a raw region, see _REGIONS."""
    first, blocks = _REGIONS[name]
    return _flash, first, blocks


def mapped(name: str):
    """The flash of "slot_a" or "slot_b", as it is at this start, where the processor reads it: a buffer."""
    if name not in _maps:
        _maps[name] = _flash.mapped(*_REGIONS[name])
    return _maps[name]


def reset_by_watchdog() -> bool:
    """Was it the watchdog that began this start?"""
    return machine.reset_cause() == machine.WDT_RESET


def contactor_of(base: int, poles: int) -> dict:
    """One pole with one feedback contact, or two with their mirror contacts and a pre-charge relay.

    `base`: the connector's first pin.
    """
    first = (base + outlet.COIL, (base + outlet.COIL_FEEDBACK,))
    found = {"poles": (first,), "precharge": None, "min_off_ms": 100, "moves_ms": 150}
    if poles == 2:
        first = (first[0], first[1] + ((base + outlet.MIRROR, 0),))
        second = (base + outlet.COIL_2, (base + outlet.COIL_2_FEEDBACK, (base + outlet.MIRROR_2, 0)))
        found["poles"] = (first, second)
        found["precharge"] = (base + outlet.PRECHARGE, 50)
    return found


def pilot_of(base: int, kind: str) -> dict:
    """`kind` "held": two channels with the plateaus; "gated": one with the wave, and a pin that senses its level."""
    found = {"pwm": base + outlet.PILOT, "zero": 32768, "span_mv": 15000}
    if kind == "gated":
        found["adc"] = base + outlet.PILOT_WAVE
        found["sense"] = base + outlet.PILOT_SENSE
    else:
        found["high"] = base + outlet.PILOT_HIGH
        found["low"] = base + outlet.PILOT_LOW
    return found


def connector(i: int) -> dict:
    """What belongs to connector `i`, counted from 1: pins, and its meter: line, Modbus address and type."""
    base = i * outlet.TERMINALS
    alarms = [(base + outlet.ALARMS + bit, code, 0) for bit, code in enumerate(outlet.ALARM_CODES)]
    return {
        "contactor": contactor_of(base, _poles),
        "pilot": pilot_of(base, _pilot_kind),
        "lock": (base + outlet.LOCK, base + outlet.LOCK_FEEDBACK),
        "meter": {"uart": i, "address": _METER_ADDRESS, "type": _METER_TYPE},
        "inputs": tuple(alarms),
        "leds": (base + outlet.LEDS, base + outlet.LEDS + 1, base + outlet.LEDS + 2),
    }


def uart(key: int) -> dict:
    """The arguments of machine.UART for a serial line: here its number is all there is to it."""
    return {"id": key, "direction": None}


def spi(key: int) -> dict:
    """The arguments of machine.SPI for a bus: here its number is all there is to it."""
    return {"id": key}


def readers() -> "tuple[dict, ...]":
    """The card readers: a serial one and an MFRC522 for all connectors and, if there are several, at each."""
    rows = [{"kind": "serial", "uart": uart_id, "connectors": served} for uart_id, served in _world.readers()]
    for select, reset, served in _world.contactless():
        rows.append({"kind": "mfrc522", "spi": SPI_BUS, "select": select, "reset": reset, "connectors": served})
    return tuple(rows)


async def started(app) -> None:
    """The station is built: open the control port and print it, as the process's first line, and keep the world."""
    from control import Control

    control = Control(_world, app)
    if _control_port is not None:
        print(json.dumps({"control": await control.listen(_control_port)}))
    control.start()
