"""What board.py offers an application, and that its numbers are those of the other files of the board."""

import asyncio
import itertools
import re

import pytest
from chips import CHIPS
from stand_in import Loaded

from tools import partitions
from tools.boards import BOARDS

PASSES = 3  # of the interlock until it opens
CODES = {"EmergencyStop", "EnclosureOpen", "ResidualCurrent"}


@pytest.fixture(params=sorted(CHIPS))
def name(request):
    return request.param


@pytest.fixture
def board(name, monkeypatch):
    table = BOARDS[name].table
    return Loaded(name, monkeypatch, partitions.read(table) if table else ()).board


def test_its_limits(name, board):
    assert name == board.NAME
    assert board.INTERLOCK_OPENS_MS >= PASSES * board.INTERLOCK_PERIOD_MS
    if not board.INTERLOCK_HARD:
        # nothing else bounds a timer that waits for the interpreter
        assert board.INTERLOCK_OPENS_MS > board.WATCHDOG_MS
    assert BOARDS[name].constant("MAX_CONNECTORS") == board.MAX_CONNECTORS
    assert BOARDS[name].constant("HAS_LOCK") == board.HAS_LOCK
    assert BOARDS[name].constant("INTERLOCK_HARD") == board.INTERLOCK_HARD


def test_a_lock_where_it_says_so_and_only_there(board):
    for i in range(1, board.MAX_CONNECTORS + 1):
        assert bool(board.connector(i)["lock"]) == board.HAS_LOCK


def test_a_connector_too_many_is_refused(board):
    with pytest.raises((ValueError, IndexError)):
        board.connector(board.MAX_CONNECTORS + 1)


def test_the_pilot_fits_the_converter(board):
    """+12 V and -12 V, and 1 V beyond, must be within what the ADC can tell."""
    for i in range(1, board.MAX_CONNECTORS + 1):
        pilot = board.connector(i)["pilot"]
        for mv in (-13000, 13000):
            assert 0 < pilot["zero"] + mv * 32768 // pilot["span_mv"] < 65535


def test_every_reader_serves_connectors_that_there_are(board):
    for row in board.readers():
        assert set(row["connectors"]) <= set(range(1, board.MAX_CONNECTORS + 1))


def test_meters_on_one_line_have_addresses_of_their_own(board):
    rows = [board.connector(i)["meter"] for i in range(1, board.MAX_CONNECTORS + 1)]
    assert len({(row["uart"], row["address"]) for row in rows}) == len(rows)


def test_an_alarm_is_a_contact_that_a_cut_wire_opens(board):
    for i in range(1, board.MAX_CONNECTORS + 1):
        for _, code, closed in board.connector(i)["inputs"]:
            assert code in CODES
            assert closed == 0  # closed to ground; the pull-up makes a cut wire read 1


def test_a_missing_provisioning_file_says_how_to_get_one(board, tmp_path):
    import provision

    with pytest.raises(OSError, match="make provision"):
        provision.read(str(tmp_path / "provision.json"))
    (tmp_path / "provision.json").write_text("{}")
    assert provision.read(str(tmp_path / "provision.json")) == b"{}"
    assert board.PROVISION.endswith("/provision.json")


def test_started_is_a_coroutine(board):
    assert asyncio.run(board.started(None)) is None


@pytest.mark.parametrize("region", ["journal", "cards", "cache"])
def test_esp32_regions_are_partitions(region, monkeypatch):
    for name in ("esp32_eth", "esp32_s3_eth"):
        table = partitions.read(BOARDS[name].table)
        _, first, blocks = Loaded(name, monkeypatch, table).board.region(region)
        assert (first, blocks) == (0, next(part.size for part in table if part.name == region) // 4096)


def test_a_partition_that_is_missing_is_named(monkeypatch):
    with pytest.raises(OSError, match="no partition 'journal'"):
        Loaded("esp32_eth", monkeypatch).board.region("journal")


def test_nucleo_regions_do_not_overlap_and_fit_the_chip(monkeypatch):
    loaded = Loaded("nucleo_h743zi", monkeypatch)
    for name in ("journal", "cards", "cache"):
        loaded.board.region(name)
    loaded.board.filesystem()
    rows = sorted(arguments[2:] for arguments, _ in loaded.nor.made)
    for (first, blocks), (following, _) in itertools.pairwise(rows):
        assert first + blocks <= following
    assert sum(rows[-1]) * 4096 <= 16 << 20


def test_nucleo_linker_script_has_whole_sectors_that_do_not_overlap():
    text = (BOARDS["nucleo_h743zi"].folder / "board.ld").read_text()
    end = 0x08000000
    for origin, kib in re.findall(r"ORIGIN = (0x08\w+), LENGTH = (\d+)K", text):
        assert int(origin, 16) == end
        assert int(kib) % 128 == 0
        end += int(kib) * 1024
    assert end == 0x08000000 + BOARDS["nucleo_h743zi"].flash_bytes
