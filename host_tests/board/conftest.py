"""Tests of the emulated board: `make test-board`. `make test` leaves them out: they want a compiler and QEMU.

`guest` runs a script on the board, with what it prints and its exit status coming back.
"""

import sys
import textwrap
from pathlib import Path

import pytest
import pytest_asyncio

from tools import emulator, sources
from tools.build_qemu import image
from tools.emulate import EmulatedStation
from tools.provisioning import provisioning

STATION_TESTS = Path(__file__).parent.parent / "station"
sys.path.append(str(STATION_TESTS))  # their helpers serve here, too

from host_tests.station.conftest import (  # noqa: E402, F401
    LOG_TAIL,
    SETTINGS,
    csms,
    make_csms,
    pytest_runtest_makereport,
    show,
)

EXACT = emulator.INSTRUCTION_SHIFT  # time follows the instructions: not later than the host happens to be busy
FAST = 2  # the same at 250 million instructions a second, about those of a plain ESP32
SKIPPING = f"{EXACT},sleep=off"  # and what is waited for comes at once; the emulator is up to 70 ms late then


@pytest.fixture(scope="session")
def firmware():
    """The path of the firmware's image."""
    sources.programs("qemu-system-arm")
    return image("firmware")


@pytest.fixture(scope="session")
def stock():
    """The path of the stock image."""
    sources.programs("qemu-system-arm")
    return image("stock")


@pytest.fixture
def script(tmp_path):
    """Writes a script for the board; returns the argument that runs it."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(text))
        return {"script": path}

    return write


@pytest.fixture
def guest(firmware, script):
    """Runs a script to its end; returns the lines that it printed. Another status than 0, if not asked for, fails."""

    async def run(text, arguments=None, *, status=0, **options):
        ended, printed = await emulator.run(firmware, {**script(text), **(arguments or {})}, **options)
        assert ended == status, printed
        return [line for line in printed.splitlines() if not line.startswith(emulator.PROGRAM)]

    return run


@pytest.fixture
def blocking():
    """The extension that holds the event loop up, see there."""
    return STATION_TESTS / "blocking_extension.py"


@pytest_asyncio.fixture
async def station(firmware, tmp_path, request):
    """Starts the firmware: `await station(csms, connectors={"count": 2}, settings={…})`, see `tools.provisioning`.

    Beside parts of the provisioning file it takes arguments of EmulatedStation, and `start=False`.
    """
    started = []

    async def make(peer, *, settings=None, start=True, heap=None, extension=None, arguments=None, **parts):
        number = len(started) + 1
        words = provisioning(peer.url, settings={**SETTINGS, **(settings or {})}, **parts)
        state = tmp_path / f"station{number}"
        box = EmulatedStation(words, state, heap=heap, extension=extension, arguments=arguments, icount=FAST)
        box.elf = firmware
        box.on_advance = peer.shift_clock
        started.append(box)
        show(request, f"log of station {number}", lambda: box.log_text(LOG_TAIL))
        if start:
            await box.start()
        return box

    yield make
    for box in started:
        await box.kill()
