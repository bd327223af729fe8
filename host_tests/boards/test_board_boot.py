"""The whole station starts on each real board's board.py: what App asks of a board is there, and fits its parts.

In MicroPython's unix port, with stand-ins for the port's modules (`port/`): what the pins do is not tested here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import partitions
from tools.boards import BOARDS, ROOT, STOCK_TABLE
from tools.provisioning import provisioning

HERE = Path(__file__).parent
REAL = sorted(name for name, board in BOARDS.items() if board.port in ("esp32", "stm32"))


def boot(name, tmp_path, table="partitions.csv", **connectors):
    """What the script says of a station with these `connectors` in its provisioning."""
    board = BOARDS[name]
    blocks = None
    if board.table:
        blocks = {part.name: part.size // 4096 for part in partitions.read(board.folder / table) if part.type}
    connectors = {"count": board.constant("MAX_CONNECTORS"), "lock": board.constant("HAS_LOCK"), **connectors}
    text = json.dumps(provisioning("ws://127.0.0.1:9/ocpp", connectors=connectors))
    arguments = tmp_path / "arguments.json"
    hard = board.constant("INTERLOCK_HARD")
    arguments.write_text(json.dumps({"provisioning": text, "partitions": blocks, "hard": hard}))
    parts = ("boards/common", "host_tests/unit/lib", "firmware", "boards/unix")  # the last for what the models lean on
    folders = (HERE / "port", board.folder, *[ROOT / part for part in parts])
    done = subprocess.run(
        [Path(sys.executable).with_name("micropython"), "-X", "heapsize=64M", HERE / "boot_script.py", arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MICROPYPATH": ":".join([*map(str, folders), ".frozen"])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("name", REAL)
def test_it_starts_with_all_connectors(name, tmp_path):
    found, log = boot(name, tmp_path)
    most = BOARDS[name].constant("MAX_CONNECTORS")
    assert [row["status"] for row in found["connectors"]] == ["Available"] * most, log
    assert found["network"] == [True]
    assert found["fed"] > 0, log
    assert found["timers"] == [10]
    assert found["journal_depth"] == 0


@pytest.mark.parametrize("name", [name for name in REAL if BOARDS[name].table])
def test_it_starts_under_the_stock_image_too(name, tmp_path):
    found, log = boot(name, tmp_path, STOCK_TABLE)
    assert {row["status"] for row in found["connectors"]} == {"Available"}, log


def test_room_for_cards(tmp_path):
    """What the boards' README.md say, in the log of a start."""
    rooms = {"esp32_s3_eth": 30072, "esp32_eth": 10584, "nucleo_h743zi": 101304}
    for name, cards in rooms.items():
        assert f"room for {cards}" in boot(name, tmp_path)[1]
        readme = (BOARDS[name].folder / "README.md").read_text()
        assert f"{cards // 1000},{cards // 100 % 10}00 cards" in readme


def test_connectors_or_locks_that_the_board_has_not(tmp_path):
    found, _ = boot("esp32_eth", tmp_path, count=2)
    assert found["error"] == "connectors.count: expected at most 1 on this board, got 2"
    found, _ = boot("esp32_s3_eth", tmp_path, lock=True)
    assert found["error"] == "connectors.lock: expected false, this board has no lock, got True"
