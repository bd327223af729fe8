"""The unix board: what is connected where, its flash map, and the world around it.

`setup()` comes first and is this board's alone; the rest is what an application may ask of any board.
"""

import json
import os

import machine
import outlet
from control import Control
from flash import FileFlash, Slice
from micropython import const
from world import SPI_BUS, World

NAME = "unix"
INTERLOCK_PERIOD_MS = const(10)
INTERLOCK_HARD = False  # a task of the event loop: as late as the loop is busy
WATCHDOG_MS = const(8000)
MAX_CONNECTORS = const(8)
EXTENSIONS = ()  # names of modules with `extend(app)`; start.py adds the one of its command line

_BLOCK = const(4096)
_FILESYSTEM = (0, 256)  # first block, blocks
_REGIONS = {"journal": (256, 256), "cards": (512, 2048), "cache": (2560, 32)}
_BLOCKS = const(2592)
_METER_ADDRESS = const(1)

_provisioning = b""
_flash = None
_world = None
_control_port = None


def setup(provision_path: str, state_dir: str, control_port: "int | None" = None) -> None:
    """Make the world around the board; raises OSError or ValueError whose text says which file and what is wrong.

    `control_port` None is no control port, 0 any free one.
    """
    global _provisioning, _flash, _world, _control_port  # noqa: PLW0603 - there is one board
    try:
        with open(provision_path, "rb") as file:
            _provisioning = file.read()
    except OSError as error:
        raise OSError("%s: cannot read the provisioning file (%r)" % (provision_path, error))
    _make_directory(state_dir)
    count, phases = _fittings(_provisioning)
    _flash = FileFlash(state_dir + "/flash.bin", _BLOCKS, _BLOCK)
    _world = World(count, phases, state_dir + "/world.json")
    _control_port = control_port
    machine.attach(_world)


def _make_directory(path: str) -> None:
    try:
        os.stat(path)
    except OSError:
        os.mkdir(path)


def _fittings(text: bytes) -> "tuple[int, int]":
    """(connectors, phases) that the station is built with; a wrong file is the application's to refuse, not ours."""
    try:
        fitted = json.loads(text)["connectors"]
        count, phases = fitted.get("count", 1), fitted.get("phases", 3)
        if 1 <= count <= MAX_CONNECTORS and phases in (1, 3):
            return count, phases
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return 1, 3


def provisioning() -> bytes:
    """The provisioning file's JSON text."""
    return _provisioning


def filesystem() -> Slice:
    """The block device of the littlefs."""
    return Slice(_flash, *_FILESYSTEM)


def region(name: str) -> tuple:
    """(device, first block, blocks) of the raw region "journal", "cards" or "cache"."""
    first, blocks = _REGIONS[name]
    return _flash, first, blocks


def connector(i: int) -> dict:
    """What belongs to connector `i`, counted from 1: pins, and its meter's UART and Modbus address."""
    base = i * outlet.TERMINALS
    alarms = [(base + outlet.ALARMS + bit, code) for bit, code in enumerate(outlet.ALARM_CODES)]
    return {
        "contactor": (base + outlet.COIL, base + outlet.COIL_FEEDBACK),
        "pilot": (base + outlet.PILOT, base + outlet.PILOT_HIGH, base + outlet.PILOT_LOW),
        "lock": (base + outlet.LOCK, base + outlet.LOCK_FEEDBACK),
        "meter": (i, _METER_ADDRESS),
        "faults": tuple(alarms),
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
    control = Control(_world, app)
    if _control_port is not None:
        print(json.dumps({"control": await control.listen(_control_port)}))
    control.start()
