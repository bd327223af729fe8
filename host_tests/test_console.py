"""What `make run` shows and how it judges a session, without a station."""

import asyncio
import io
import os
import pty
import re

import pytest

from tools import session
from tools.commands import Commands, Quit, UsageError
from tools.console import Console
from tools.frames import CSMS, STATION, Transcript, decode
from tools.prompt import Prompt

CALL = '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging"}]'


class Terminal(io.StringIO):
    def isatty(self):
        return True


def rendered(out, *texts, **options):
    console = Console(out, **options)
    for text in texts:
        console.frame(decode(text, STATION, at=0))
    return out.getvalue().splitlines()


# --- rendering


def test_frames_are_aligned():
    first, second, third = rendered(io.StringIO(), CALL, '[2,"2","Heartbeat",{}]', '[4,"3","InternalError","",{}]')
    assert "→  CALL    StatusNotification" in first
    assert first.index("{") == second.index("{") == third.index("{")


def test_a_payload_is_compact_and_whole():
    assert rendered(io.StringIO(), CALL)[0].endswith('{"connectorId":1,"errorCode":"NoError","status":"Charging"}')


def test_a_long_payload_stays_in_its_column():
    lines = rendered(io.StringIO(), CALL, width=75)
    assert len(lines) > 1
    column = lines[0].index("{")
    assert all(len(line) <= 75 for line in lines)
    assert "".join(line[column:] for line in lines) == '{"connectorId":1,"errorCode":"NoError","status":"Charging"}'
    assert all(line[:column].isspace() for line in lines[1:])


def test_what_is_no_ocpp_is_shown_as_it_is():
    assert rendered(io.StringIO(), "no JSON")[0].endswith("no JSON")


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in "".join(rendered(Terminal(), CALL))
    assert "\x1b[" not in "".join(rendered(io.StringIO(), CALL))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in "".join(rendered(Terminal(), CALL))


def test_a_connector_has_its_state_power_and_energy():
    out = io.StringIO()
    row = {"id": 1, "status": "Charging", "pilot": "C", "contactor": True, "power_w": 11040, "energy_wh": 926}
    Console(out).connector(row)
    assert re.search(r"connector 1 +Charging +pilot C +contactor closed +11\.04 kW +0\.926 kWh", out.getvalue())


# --- the prompt


@pytest.fixture
def terminal(monkeypatch):
    """(a function that types, the slave side as a file) of a pseudo terminal."""
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    with os.fdopen(slave, "r+b", buffering=0) as file:
        yield lambda text: os.write(master, text), file
    os.close(master)


@pytest.mark.parametrize(
    ("typed", "line"),
    (
        (b"plug 1\r", "plug 1"),
        (b"plxug\x7f\x7f\x7fug\n", "plug"),
        (b"nonsense\x15plug\r", "plug"),
        (b"swipe ABC\x17DEF\r", "swipe DEF"),
        (b"\x1b[Cplug\x1b[3~\r", "plug"),
        ("swipe ä\r".encode(), "swipe ä"),
    ),
)
async def test_a_line_can_be_edited(terminal, typed, line):
    write, file = terminal
    prompt = Prompt(file, Terminal())
    try:
        write(typed)
        assert await asyncio.wait_for(prompt.read(), 5) == line
    finally:
        prompt.close()


async def test_up_brings_back_what_was_typed(terminal):
    write, file = terminal
    prompt = Prompt(file, Terminal())
    try:
        write(b"plug\runplug\r\x1b[A\x1b[A\r\x04")
        lines = [await asyncio.wait_for(prompt.read(), 5) for _ in range(4)]
        assert lines == ["plug", "unplug", "plug", None]
    finally:
        prompt.close()


async def test_output_leaves_the_typed_characters_in_place(terminal):
    write, file = terminal
    out = Terminal()
    console = Console(out, colour=False, width=80)
    console.prompt = prompt = Prompt(file, out, text="> ")
    reading = asyncio.create_task(prompt.read())
    try:
        await asyncio.sleep(0)
        write(b"remote-st")
        while not out.getvalue().endswith("> remote-st"):
            await asyncio.wait_for(asyncio.sleep(0.01), 5)
        console.line("a frame")
        assert out.getvalue().endswith("> remote-st\r\x1b[Ka frame\n\r\x1b[K> remote-st")
        write(b"art\r")
        assert await asyncio.wait_for(reading, 5) == "remote-start"
    finally:
        prompt.close()


# --- commands


class NoStation:
    """Takes every command and does nothing."""

    async def take(self, *arguments):
        self.arguments = arguments

    plug = ws = fault = swipe = take

    async def hold(self, uid):
        self.held = uid


@pytest.mark.parametrize(
    ("line", "text"),
    (
        ("dance", "unknown"),
        ("plug one", "whole number"),
        ("plug 1 2", "usage: plug"),
        ("ws sideways", "up or down"),
        ("fault GroundFailure", "usage: fault"),
        ("remote-start", "not ours"),
    ),
)
async def test_a_mistake_is_explained(line, text):
    with pytest.raises(UsageError, match=text):
        await Commands(NoStation(), None).run(line)


async def test_words_become_arguments():
    station = NoStation()
    assert await Commands(station, None).run("fault GroundFailure off 2") == ""
    assert station.arguments == ("GroundFailure", False, 2)
    assert "remote-start" in await Commands(station, None).run("help")
    with pytest.raises(Quit):
        await Commands(station, None).run("quit")


@pytest.mark.parametrize("uid", ("04A1B2C3", "04a1b2c3d4e5f6", "04A1B2C3D4E5F6071829", session.UID))
async def test_a_uid_is_a_contactless_card(uid):
    station = NoStation()
    await Commands(station, None).run(f"swipe {uid}")
    assert station.held == uid


@pytest.mark.parametrize("token", ("BLOCKED", "04A1B2C", "04A1B2C3D4", "04A1B2CX"))
async def test_anything_else_is_for_the_serial_reader(token):
    station = NoStation()
    await Commands(station, None).run(f"swipe {token}")
    assert station.arguments == (token,)


# --- the verdict

SESSION = (
    ("BootNotification", {}, {"status": "Accepted"}),
    ("StatusNotification", {"connectorId": 1, "status": "Available"}, {}),
    ("StatusNotification", {"connectorId": 1, "status": "Preparing"}, {}),
    ("Authorize", {"idTag": "A"}, {"idTagInfo": {"status": "Accepted"}}),
    ("StartTransaction", {"connectorId": 1, "meterStart": 5}, {"transactionId": 7}),
    ("StatusNotification", {"connectorId": 1, "status": "Charging"}, {}),
    ("MeterValues", {"connectorId": 1}, {}),
    ("StopTransaction", {"transactionId": 7, "meterStop": 6}, {}),
    ("StatusNotification", {"connectorId": 1, "status": "Finishing"}, {}),
    ("StatusNotification", {"connectorId": 1, "status": "Available"}, {}),
)


def verdict(rows):
    transcript = Transcript()
    for number, (action, payload, answer) in enumerate(rows):
        transcript.add(_json([2, str(number), action, payload]), STATION)
        if answer is not None:
            transcript.add(_json([3, str(number), answer]), CSMS)
    return session.problems(transcript)


def _json(value):
    return str(value).replace("'", '"')


def changed(place, **values):
    """SESSION with another payload or answer in one row; None as answer: none came."""
    rows = [list(row) for row in SESSION]
    rows[place] = [rows[place][0], values.get("payload", rows[place][1]), values.get("answer", rows[place][2])]
    return rows


def test_a_right_session_has_no_problems():
    assert verdict(SESSION) == []


@pytest.mark.parametrize(
    ("rows", "text"),
    (
        (changed(0, answer={"status": "Pending"}), "BootNotification"),
        (changed(3, answer={"idTagInfo": {"status": "Blocked"}}), "Authorize"),
        (changed(4, answer=None), "0 StartTransaction"),
        (changed(7, answer=None), "0 StopTransaction"),
        (changed(7, payload={"transactionId": 8, "meterStop": 6}), "8 was stopped"),
        (changed(7, payload={"transactionId": 7, "meterStop": 5}), "no energy"),
        (changed(6, answer=None), "MeterValues"),
        (SESSION[:8] + SESSION[9:], "went through"),
        (SESSION[:-1], "went through"),
        (SESSION[:5] + SESSION[6:7] + SESSION[5:6] + SESSION[8:9] + SESSION[7:8], "went through"),
    ),
    ids=str,
)
def test_a_wrong_session_is_found_out(rows, text):
    assert any(text in problem for problem in verdict(rows))
