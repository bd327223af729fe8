"""Each board states how soon its interlock opens: no less than the debouncing takes, no more than is allowed."""

import ast
from pathlib import Path

import pytest

BOARDS = Path(__file__).resolve().parent.parent / "boards"
INTERLOCK = BOARDS.parent / "firmware" / "station" / "charging" / "interlock.py"
ALLOWED_MS = 100  # IEC 61851-1, from the car's leaving C or D
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
    least = DEBOUNCE * board["INTERLOCK_PERIOD_MS"]
    assert least <= board["INTERLOCK_OPENS_MS"] <= ALLOWED_MS, (
        f"{path.parent.name}: {DEBOUNCE} samples of {board['INTERLOCK_PERIOD_MS']} ms are {least} ms, "
        f"it says {board['INTERLOCK_OPENS_MS']} ms"
    )
    assert isinstance(board["INTERLOCK_HARD"], bool)
