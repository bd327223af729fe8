"""The emulated board: the unix board's devices at the pins of a 32-bit chip, with its own timer, network and flash.

`setup()` comes first and is this board's alone; the rest is what an application may ask of any board. What is wired
where is told by `boards/unix/board.py`, whose simulated devices these are.
"""

import asyncio
import json

import network as port_network
import qemu
import umachine
import unix.board as simulated
from flash import CutFlash, FileFlash
from micropython import const
from unix.board import (  # noqa: F401
    MAX_CONNECTORS,
    connector,
    contactor_of,
    filesystem,
    mapped,
    pilot_of,
    provisioning,
    region,
    spi,
    uart,
    world,
)

NAME = "qemu_mps2"
INTERLOCK_PERIOD_MS = const(10)
INTERLOCK_HARD = True
INTERLOCK_TIMER = const(0)
INTERLOCK_OPENS_MS = const(32)  # 3 passes; the interrupts are never held back for longer than a millisecond
WATCHDOG_MS = const(8000)
LOG_BYTES = const(2048)  # as a chip with little memory would have it
EXTENSIONS = ()  # names of modules with `extend(app)`; start.py adds that of the argument `extension`

CONTROL_PORT = const(8080)
_CONTROL_HOST = "0.0.0.0"
_LOOK_MS = const(20)
_CABLE_MS = const(5000)  # the control port is announced with an address, or after so long without one

models_bytes = 0  # of the heap that the simulated devices take
_lan = None
_control = None


def setup() -> None:
    """Make the world around the board from the arguments `provision` and `state`, a file and a folder of the host.

    With `control` the control port is open, at CONTROL_PORT. `cut` and `cut_how`: see `flash.CutFlash`. Raises OSError
    or ValueError whose text says what is wrong.
    """
    global _control  # noqa: PLW0603 - there is one board
    provision, state = qemu.argument("provision"), qemu.argument("state")
    if not provision or not state:
        raise ValueError("provision=FILE and state=FOLDER are needed")
    _control = qemu.argument("control")
    simulated.setup(provision, state, flash=_flash)


def _flash(path: str, blocks: int, block_size: int):
    cut = qemu.argument("cut")
    if cut is None:
        return FileFlash(path, blocks, block_size)
    return CutFlash(path, blocks, block_size, int(cut), qemu.argument("cut_how") or "undone")


def readers() -> "tuple[dict, ...]":
    """Those of `boards/unix/board.py`; with the argument `readers=N` the first N of them."""
    rows = simulated.readers()
    return rows[: int(qemu.argument("readers") or len(rows))]


def reset_by_watchdog() -> bool:
    """Was it the watchdog that began this start?"""
    return umachine.reset_cause() == umachine.WDT_RESET


def network():
    """The Ethernet chip, with an address by DHCP."""
    global _lan  # noqa: PLW0603
    if _lan is None:
        _lan = port_network.LAN()
        _lan.active(True)
    return _lan


async def started(app) -> None:
    """The station is built: open the control port, say so in a line `{"control": PORT}`, and keep the world."""
    if _control is None:
        return
    from control import Control  # takes no memory where nobody asks for it

    control = Control(world(), app)
    port = await control.listen(CONTROL_PORT, _CONTROL_HOST)
    waited = 0
    while waited < _CABLE_MS and not _lan.isconnected():
        await asyncio.sleep_ms(_LOOK_MS)
        waited += _LOOK_MS
    print(json.dumps({"control": port}))
    control.start()
