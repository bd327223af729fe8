"""The type check of `make lint` knows MicroPython: it must find what is wrong on a board, and only that."""

import pytest

from tools import typecheck

RIGHT = """
import asyncio
import time

async def wait() -> int:
    await asyncio.sleep_ms(3)
    return time.ticks_diff(time.ticks_ms(), 0)
"""
WRONG = (
    ("misspelt", "import time\n\ntime.ticks_mss()\n"),
    ("CPython's own", "import time\n\ntime.perf_counter()\n"),
    ("wrong type", 'import time\n\ntime.sleep_ms("3")\n'),
    ("machine", "import machine\n\nmachine.Pin(3, machine.Pin.OUT).toggle_it()\n"),
)


@pytest.fixture
def status(tmp_path):
    def of(text):
        path = tmp_path / "sample.py"
        path.write_text(text)
        return typecheck.check([path], cache=tmp_path / "cache")

    return of


def test_micropython_is_known(status):
    assert status(RIGHT) == 0


@pytest.mark.parametrize("text", [text for _, text in WRONG], ids=[name for name, _ in WRONG])
def test_errors_are_found(status, text):
    assert status(text) == 1


@pytest.mark.parametrize(
    ("port", "text", "expected"),
    [
        ("esp32", "import esp32\n\nesp32.Partition.find(esp32.Partition.TYPE_DATA)\n", 0),
        ("esp32", "import esp32\n\nesp32.Partition.locate()\n", 1),
        ("stm32", "import pyb\n\npyb.unique_id()\n", 0),
        ("stm32", "import esp32\n", 1),
        ("unix", "import esp32\n", 1),
    ],
)
def test_each_port_has_its_own_modules(port, text, expected, tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(text)
    assert typecheck.check([path], tmp_path / "cache", port) == expected
