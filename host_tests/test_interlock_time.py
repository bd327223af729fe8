"""Each board states how soon its interlock opens: no less than the debouncing takes, no more than is allowed.

A board whose port has no hard interrupts opens later when something blocks, at the latest when its watchdog resets it,
and has to say so to whoever builds a station with it.
"""

import ast
from pathlib import Path

import pytest

BOARDS = Path(__file__).resolve().parent.parent / "boards"
INTERLOCK = BOARDS.parent / "firmware" / "station" / "charging" / "interlock.py"
ALLOWED_MS = 100  # IEC 61851-1, from the car's leaving C or D
RESET_MS = 1000  # from the watchdog's end to pins that are let go
NAMES = ("INTERLOCK_PERIOD_MS", "INTERLOCK_HARD", "INTERLOCK_TIMER", "INTERLOCK_OPENS_MS")


def constants(path):
    """{name: value} of the assignments of numbers and `const(numbers)` at the top of a module."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
                value = value.args[0]
            try:
                found[node.targets[0].id] = ast.literal_eval(value)
            except ValueError:
                pass
    return found


DEBOUNCE = constants(INTERLOCK)["_DEBOUNCE"]


@pytest.mark.parametrize("path", sorted(BOARDS.glob("*/board.py")), ids=lambda path: path.parent.name)
def test_the_board_states_how_soon_it_opens(path):
    board = constants(path)
    missing = [name for name in NAMES if name not in board]
    assert not missing, f"{path.parent.name} does not state {missing}"
    assert isinstance(board["INTERLOCK_HARD"], bool)
    least = DEBOUNCE * board["INTERLOCK_PERIOD_MS"]
    most = ALLOWED_MS if board["INTERLOCK_HARD"] else board["WATCHDOG_MS"] + RESET_MS
    assert least <= board["INTERLOCK_OPENS_MS"] <= most, (
        f"{path.parent.name}: {DEBOUNCE} samples of {board['INTERLOCK_PERIOD_MS']} ms are {least} ms, "
        f"it says {board['INTERLOCK_OPENS_MS']} ms, allowed are {most} ms"
    )
    if not board["INTERLOCK_HARD"]:
        assert least + board["WATCHDOG_MS"] <= board["INTERLOCK_OPENS_MS"], "what blocks the timer blocks the feeding"
        assert "INTERLOCK_OPENS_MS" in (path.parent / "README.md").read_text()
