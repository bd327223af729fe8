"""The unit tests of the firmware, `host_tests/unit`, on the emulated board: 32-bit objects, single floats, frozen code.

One emulator a module; each test of it is one here. What is left out has its reason in SKIPPED.
"""

import ast
import functools
import json
from pathlib import Path

import pytest

from host_tests.board.conftest import FAST
from tools import emulator

UNIT = Path(__file__).parent.parent / "unit"
SCRIPT = Path(__file__).with_name("unit_script.py")
WITHIN_S = 90

_UNIX = "about the unix board alone"
_LOOPBACK = "needs a loopback interface, which this board's lwIP has not"
_FILES = "keeps its world in files of the unix port"
_FLOATS = "makes its data with floats, which have 24 bits here"
_LONG = "thousands of cuts or steps: too long for this processor, the unix port does them"
# module, module.Case or module.Case.test: why not here
SKIPPED = {
    "test_flash": _UNIX + "; the flash of this one: host_tests/board/test_flash.py",
    "test_time": _UNIX,
    "test_machine.TestTimer": _UNIX + "; the timers of this one: host_tests/board/test_timing.py",
    "test_machine.TestMask": _UNIX,
    "test_machine.TestReset": _UNIX,
    "test_machine.TestRTC": _UNIX + "; the clock of this one: host_tests/board/test_timing.py",
    "test_cache.FlashTest": _LONG,
    "test_cache.MemoryTest": _LONG,
    "test_cache_model": _LONG,
    "test_card_table": _LONG,
    "test_card_table_cuts": _LONG,
    "test_card_table_faults": _LONG,
    "test_connector_walk": _LONG,
    "test_journal_faults": _LONG,
    "test_journal_thinning": _LONG,
    "test_mfrc522.TestModel.test_power_down_and_reset_by_pin": _UNIX + ", whose model of the chip it asks",
    "test_pilot_gated": _LONG,
    "test_rfid_reader": _LONG,
    "test_clock.IsoTest.test_agrees_with_the_ports_calendar": "MicroPython 1.26 has a 29th of February 2100 here",
    "test_clock.ClockTest.test_stamps_fit_in_32_bits_and_tell_boots_apart": "leaps farther than ticks of 30 bits tell",
    "test_filesystem.FilesystemTest.test_where_the_port_has_mounted_one_it_is_shared": _UNIX,
    "test_formats.DecimalTest.test_decimals": _FLOATS,
    "test_meter.TestScaled.test_beyond_the_single_s_step_it_is_exactly_the_register": _FLOATS,
    "test_meter_types.TestNumber.test_singles_in_both_orders": _FLOATS,
    "test_websocket.TestBounds.test_no_memory_for_a_message_closes_with_too_big": "asks for more than 32 bits can name",
    "test_world": _FILES,
    "test_app_meters": _FILES,
    "test_control": _LOOPBACK,
    "test_link": _LOOPBACK,
    "test_link_stream": _LOOPBACK,
    "test_transport": _LOOPBACK,
}


def unit_tests():
    """(module, Case.test) of each unit test, as host_tests/unit/conftest.py collects them."""
    for path in sorted(UNIT.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.bases and not node.name.startswith("_"):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef) and item.name.startswith("test"):
                        yield path.stem, f"{node.name}.{item.name}"


def reason(module, name):
    """Why a test is left out, or None."""
    case = name.partition(".")[0]
    return SKIPPED.get(module) or SKIPPED.get(f"{module}.{case}") or SKIPPED.get(f"{module}.{name}")


@functools.cache
def results():
    """{module: ({test: (outcome, text)}, what else was printed)}, filled as modules are run."""
    return {}


async def run(image, module):
    found = results().get(module)
    if found is None:
        skip = ":".join(name.partition(".")[2] for name in SKIPPED if name.startswith(f"{module}."))
        arguments = {"script": SCRIPT, "module": UNIT / f"{module}.py", "devices": "simulated", "heap": "12M"}
        arguments["skip"] = skip
        try:
            status, text = await emulator.run(image, arguments, within=WITHIN_S, icount=FAST, network=True)
        except emulator.EmulatorError as error:
            status, text = None, str(error)
        outcomes, other = {}, []
        for line in text.splitlines():
            try:
                row = json.loads(line)
                outcomes[row["test"]] = row["outcome"], row["text"]
            except (ValueError, KeyError, TypeError):
                other.append(line)
        found = results()[module] = outcomes, "\n".join([*other, f"exit status {status}"])
    return found


def skipping(module, name):
    why = reason(module, name)
    marks = [pytest.mark.xdist_group(module)]  # of one emulator
    if why:
        marks.append(pytest.mark.skip(reason=why))
    return pytest.param(module, name, marks=marks, id=f"{module}-{name}")


@pytest.mark.parametrize(("module", "name"), [skipping(*row) for row in unit_tests()])
async def test_unit(firmware, module, name):
    outcomes, other = await run(firmware, module)
    assert name in outcomes, "the board ended without running this test\n" + other
    outcome, text = outcomes[name]
    if outcome == "skipped":
        pytest.skip(text)
    assert outcome == "passed", f"{text}\n{other}"


def test_what_is_left_out_is_there():
    """Nothing is left out under a name that has changed."""
    names = {module for module, _ in unit_tests()}
    names |= {f"{module}.{name.partition('.')[0]}" for module, name in unit_tests()}
    names |= {f"{module}.{name}" for module, name in unit_tests()}
    assert set(SKIPPED) <= names
