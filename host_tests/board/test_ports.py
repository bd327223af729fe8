"""The real boards against MicroPython's own sources, where those are at hand: its manifests, its pins."""

import csv
import importlib.util
import re
import subprocess
import sys

import pytest

from tools import manifest, sources
from tools.boards import BOARDS, ROOT

REAL = sorted(name for name, board in BOARDS.items() if board.port in ("esp32", "stm32"))


@pytest.fixture(scope="module")
def tree():
    return sources.micropython()


@pytest.fixture(scope="module")
def chips():
    path = ROOT / "host_tests" / "boards" / "chips.py"
    spec = importlib.util.spec_from_file_location("chips", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["chips"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", REAL)
def test_micropython_reads_the_manifest_as_we_do(name, tree, tmp_path):
    (tmp_path / "README.md").touch()
    board = BOARDS[name]
    words = [sys.executable, tree / "tools" / "manifestfile.py", "--freeze", "--lib", tmp_path, "--top", tree]
    words += ["--port", tree / "ports" / board.port, "--board", board.folder, board.folder / "manifest.py"]
    done = subprocess.run([*map(str, words)], check=False, capture_output=True, text=True, cwd=board.folder)
    assert done.returncode == 0, done.stderr
    theirs = set(re.findall(rf"full_path='({ROOT}/[^']+)'", done.stdout))
    theirs = {path for path in theirs if not path.startswith(str(tree))}
    ours = {str(path) for path in manifest.resolve(board.folder / "manifest.py").files.values()}
    assert theirs == ours


@pytest.mark.parametrize("name", REAL)
def test_the_port_takes_our_pins(name, tree, tmp_path):
    board = BOARDS[name]
    folder = tree / "ports" / board.port / "boards"
    out = ["--output-source", tmp_path / "pins.c", "--output-header", tmp_path / "pins.h"]
    words = [sys.executable, folder / "make-pins.py", "--board-csv", board.folder / "pins.csv", *out]
    if board.port == "stm32":
        words += ["--af-csv", folder / "stm32h743_af.csv", "--prefix", folder / "stm32f4xx_prefix.c"]
        words += ["--output-af-const", tmp_path / "af.h", "--output-af-defs", tmp_path / "defs.h"]
    else:
        words += ["--prefix", folder / "pins_prefix.c"]
    done = subprocess.run([*map(str, words)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(board.folder / "pins.csv", newline="") as file:
        for what, _ in csv.reader(file):
            assert what in (tmp_path / "pins.c").read_text() + (tmp_path / "pins.h").read_text()


def test_our_table_of_alternate_functions_is_micropythons(tree, chips):
    rows = {}
    with open(tree / "ports" / "stm32" / "boards" / "stm32h743_af.csv", newline="") as file:
        for row in csv.reader(file):
            if row[1].strip().startswith("P"):
                rows[row[1].strip()[1:]] = "/".join(cell.strip() for cell in row[2:])
    kinds = {"UART": ("USART", "UART"), "SPI": ("SPI",), "ETH": ("ETH",)}
    for (peripheral, signal), pins in chips.STM32_AF.items():
        kind, number = re.fullmatch(r"([A-Z]+)(\d?)", peripheral).groups()
        names = {f"{name}{number}_{signal}" for name in kinds[kind]}
        found = {pin for pin, functions in rows.items() if names & set(functions.split("/"))}
        assert pins <= found, (peripheral, signal)
    for pin in chips.STM32H743.adc & set(rows):
        assert "ADC" in rows[pin], pin
    for pin in chips.STM32H743.pwm:
        assert re.search(r"TIM\d+_CH\dN?", rows[pin]), pin


@pytest.mark.parametrize("name", [name for name in REAL if BOARDS[name].port == "esp32"])
def test_the_settings_that_the_board_builds_on_are_there(name, tree):
    port = tree / "ports" / "esp32"
    for line in re.findall(r"^ +(boards/\S+)$", (BOARDS[name].folder / "mpconfigboard.cmake").read_text(), re.M):
        assert (port / line).is_file(), line
