"""Tests of the emulated board: `make test-board`. `make test` leaves them out: they want a compiler and QEMU.

`guest` runs a script on the board, with what it prints and its exit status coming back.
"""

import textwrap

import pytest

from tools import emulator, sources
from tools.build_qemu import image

EXACT = emulator.INSTRUCTION_SHIFT  # time follows the instructions: not later than the host happens to be busy
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
