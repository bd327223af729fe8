"""The station as a process: the control protocol as boards/unix/README.md has it, its stream of events, its supervisor
and watchdog, power cuts at any moment, and whole sessions in a heap of 1 MiB."""

import asyncio
import contextlib
import json
import os
import re
import signal
from pathlib import Path

import pytest
import pytest_asyncio
from sessions import (
    CALM,
    begin,
    connector_is,
    finish,
    leap,
    logged,
    online,
    quiet,
    started,
    stopped,
    swipe,
    told,
    until,
)

from tools.control import Client, ControlError
from tools.frames import STATION
from tools.process import RESET_STATUS

ROOT = Path(__file__).parents[2]
README = ROOT / "boards" / "unix" / "README.md"
EXTENSION = Path(__file__).with_name("echo_extension.py")
VENDOR = "test.echo"
MAX_LINE = 65536
MAX_CLIENTS = 16


class Line:
    """A raw connection to the control port."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, text):
        """Sends a line (bytes, or what becomes JSON); returns the next line that comes."""
        self.send(text)
        return await self.read()

    def send(self, text):
        self.writer.write((text if isinstance(text, bytes) else json.dumps(text).encode()) + b"\n")

    async def read(self):
        return json.loads(await asyncio.wait_for(self.reader.readline(), 10))

    async def closed(self):
        """Waits until the station has closed it; what comes until then is thrown away."""
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self.reader.read(65536), 10):
                pass


@pytest_asyncio.fixture
async def line():
    """Opens a raw connection: `await line(box)`."""
    opened = []

    async def make(box):
        reader, writer = await asyncio.open_connection("127.0.0.1", box.port, limit=1 << 21)
        opened.append(writer)
        return Line(reader, writer)

    yield make
    for writer in opened:
        writer.close()


# --- the control protocol


async def test_the_first_line_is_the_control_port_and_it_answers(station, line):
    box = await station()
    client = await line(box)
    assert await client.ask({"id": 7, "cmd": "ping"}) == {"id": 7, "ok": True}
    assert 1024 < box.port < 65536


async def test_every_command_of_the_readme_is_taken(csms, station, line):
    """The examples of the manual, in their order, on a station with two connectors."""
    examples = re.findall(r'^    (\{"id": \d+, "cmd".*\})$', README.read_text(), re.MULTILINE)
    assert len(examples) >= 16
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    client = await line(box)
    for example in examples:
        client.send(example.encode())
        row = await client.read()
        while "event" in row:
            row = await client.read()
        assert (row["id"], row["ok"]) == (json.loads(example)["id"], True), row
    table = re.findall(r"^\| `(\w+)` \|[^|]*\| ", README.read_text().partition("| Command |")[2], re.MULTILINE)
    assert {json.loads(example)["cmd"] for example in examples} == set(table[:15])


@pytest.mark.parametrize("unique_id", [7, "seven", None, [1], {"a": 1}, 1.5])
async def test_an_id_comes_back_as_it_is(station, line, unique_id):
    client = await line(await station())
    assert await client.ask({"id": unique_id, "cmd": "ping"}) == {"id": unique_id, "ok": True}


WRONG = (
    ({"id": 1, "cmd": "dance"}, ("cmd", "plug", "dance")),
    ({"id": 1}, ("cmd", "plug")),
    ({"id": 1, "cmd": "plug"}, ("connector", "missing")),
    ({"id": 1, "cmd": "plug", "connector": 3}, ("connector", "1 to 2", "3")),
    ({"id": 1, "cmd": "plug", "connector": True}, ("connector", "1 to 2", "True")),
    ({"id": 1, "cmd": "plug", "connector": "1"}, ("connector", "integer")),
    ({"id": 1, "cmd": "plug", "connector": 1, "ev": 5}, ("ev", "object", "5")),
    ({"id": 1, "cmd": "plug", "connector": 1, "ev": {"colour": 1}}, ("ev", "current_a", "colour")),
    ({"id": 1, "cmd": "plug", "connector": 1, "ev": {"current_a": 81}}, ("ev.current_a", "0 to 80", "81")),
    ({"id": 1, "cmd": "plug", "connector": 1, "ev": {"phases": 1.5}}, ("ev.phases", "1.5")),
    ({"id": 1, "cmd": "unplug", "connector": 1}, ("connector 1", "no car")),
    ({"id": 1, "cmd": "ev_pause", "connector": 2}, ("connector 2", "no car")),
    ({"id": 1, "cmd": "swipe"}, ("token", "uid")),
    ({"id": 1, "cmd": "swipe", "uid": "04A1"}, ("uid", "4, 7 or 10 bytes")),
    ({"id": 1, "cmd": "swipe", "token": ""}, ("token", "1 to 64")),
    ({"id": 1, "cmd": "swipe", "token": "T", "connectors": [3]}, ("connectors", "1 to 2", "3")),
    ({"id": 1, "cmd": "swipe", "token": "T", "connectors": []}, ("connectors", "list")),
    ({"id": 1, "cmd": "fault", "connector": 1, "code": "Rain"}, ("code", "GroundFailure", "Rain")),
    ({"id": 1, "cmd": "fault", "connector": 1, "code": "GroundFailure", "on": 1}, ("on", "true or false")),
    ({"id": 1, "cmd": "break", "part": "door", "how": "open"}, ("part", "contactor", "door")),
    ({"id": 1, "cmd": "break", "part": "lock", "connector": 1, "how": "open"}, ("how", "jammed", "open")),
    ({"id": 1, "cmd": "break", "part": "lock", "how": "jammed"}, ("connector", "missing")),
    ({"id": 1, "cmd": "ws", "up": "yes"}, ("up", "true or false", "yes")),
    ({"id": 1, "cmd": "advance", "s": -1}, ("s must", "from 0", "-1")),
    ({"id": 1, "cmd": "ping", "more": 1}, ("ping", "more")),
)


async def test_what_is_wrong_is_said_with_what_is_allowed(station, line):
    client = await line(await station(connectors={"count": 2}))
    for request, words in WRONG:
        row = await client.ask(request)
        assert row["ok"] is False and row["id"] == 1, row
        assert [word for word in words if word not in row["error"]] == [], row
    assert (await client.ask({"id": 2, "cmd": "ping"}))["ok"]


async def test_what_is_no_command_is_answered_too(station, line):
    client = await line(await station())
    for text in (b"hello", b"[1]", b"7", b'"x"', b"null", b'{"id":', b"\xff\xfe", b"\x00"):
        row = await client.ask(text)
        assert row["id"] is None and row["ok"] is False and row["error"], text
    client.send(b"")  # an empty line is no request
    assert (await client.ask({"id": 1, "cmd": "ping"}))["ok"]


async def test_lines_may_come_in_pieces_and_together(station, line):
    client = await line(await station())
    for piece in (b'{"id":', b' 1, "cmd"', b': "ping"}', b'\n{"id": 2, "cmd": "ping"}\r\n{"id": 3, "cmd": "ping"}\n'):
        client.writer.write(piece)
        await client.writer.drain()
    assert [(await client.read())["id"] for _ in range(3)] == [1, 2, 3]


async def test_a_line_without_end_costs_its_client_the_connection(station, line):
    box = await station()
    client = await line(box)
    client.writer.write(b"x" * (MAX_LINE + 2000))
    row = await client.read()
    assert row["ok"] is False and str(MAX_LINE) in row["error"]
    await client.closed()
    assert await box.control("ping") == {}


async def test_two_clients_at_once(csms, station, line):
    box = await station(settings=CALM)
    await online(csms, box)
    one, other = await line(box), await line(box)
    for number in range(20):
        one.send({"id": number, "cmd": "ping"})
        other.send({"id": 100 + number, "cmd": "state"})
    assert [(await one.read())["id"] for _ in range(20)] == list(range(20))
    assert [(await other.read())["id"] for _ in range(20)] == list(range(100, 120))
    assert (await one.ask({"id": 1, "cmd": "plug", "connector": 1}))["ok"]
    assert (await other.ask({"id": 2, "cmd": "unplug", "connector": 1}))["ok"]


async def test_more_clients_than_there_may_be(station, line):
    """The harness has one connection of its own."""
    box = await station()
    clients = [await line(box) for _ in range(MAX_CLIENTS - 1)]
    for client in clients:
        assert (await client.ask({"id": 1, "cmd": "ping"}))["ok"]
    late = await line(box)
    row = await late.read()
    assert row["ok"] is False and str(MAX_CLIENTS) in row["error"]
    await late.closed()
    clients[0].writer.close()
    await clients[0].closed()

    async def let_in():
        client = await line(box)
        client.send({"id": 5, "cmd": "ping"})
        return (await client.read())["ok"]

    for _ in range(100):  # until the station has seen that one has gone
        if await let_in():
            return
    pytest.fail("nobody is let in any more")


async def test_a_command_is_answered_before_what_it_leads_to(csms, station, line):
    """Before any exchange with the backend: the answer comes although Authorize gets none."""
    go = asyncio.Event()

    async def late(_frame):
        await go.wait()

    csms.answer("Authorize", late)
    box = await station(settings=CALM)
    await online(csms, box)
    client = await line(box)
    for number, request in enumerate(({"cmd": "plug", "connector": 1}, {"cmd": "swipe", "token": "T"})):
        assert await client.ask({"id": number, **request}) == {"id": number, "ok": True}
    await csms.expect("Authorize")
    await connector_is(box, status="Preparing")
    go.set()
    await started(csms)


async def test_the_snapshot_has_what_the_manual_says(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box, 2, "CARD-2", current_a=10)
    await leap(csms, box, 3600)
    state = await box.state()
    assert {"connected", "online", "registration", "clock", "journal_depth", "restarts", "heap_bytes"} <= set(state)
    assert state["at_ms"] >= 3_600_000
    first, second = state["connectors"]
    assert (first["id"], first["status"], first["pilot"], first["ev"]) == (1, "Available", "A", None)
    assert first["transaction"] is None and first["contactor"] is False and first["power_w"] == 0
    assert (second["status"], second["error_code"], second["operative"]) == ("Charging", "NoError", True)
    assert second["transaction"]["transaction_id"] == session.transaction_id
    assert second["transaction"]["id_tag"] == "CARD-2"
    assert second["pilot"] == "C" and second["contactor"] and second["locked"]
    assert second["power_w"] == 3 * 230 * 10
    assert 6850 <= second["energy_wh"] <= 6950
    assert (second["ev"]["doing"], second["ev"]["current_a"], second["ev"]["phases"]) == ("charging", 10, 3)


# --- the stream of events


async def test_watch_tells_of_a_whole_session(csms, station):
    events = []
    box = await station(settings=CALM, on_event=events.append)
    await online(csms, box)
    session = await begin(csms, box)
    await leap(csms, box, 60)
    assert await swipe(box) == "stopped"
    await stopped(csms, session)
    await connector_is(box, contactor=False, locked=False)
    await box.unplug()
    await csms.status(1, "Available")
    await quiet(csms, box)

    def told_all():
        kinds = {event["event"] for event in events}
        pilots = [event["pilot"] for event in events if event["event"] == "ev"]
        last = [event["text"] for event in events if event["event"] == "frame"][-1:]
        caught_up = last == [csms.transcript.frames[-1].text] and pilots[-1:] == ["A"]
        return caught_up and kinds >= {"frame", "ev", "contactor", "lock", "meter", "status", "log"}

    for _ in range(200):
        if told_all():
            break
        await asyncio.sleep(0.02)
    assert told_all(), {event["event"] for event in events}
    frames = [event for event in events if event["event"] == "frame"]
    texts = [frame.text for frame in csms.transcript.frames]
    assert [event["text"] for event in frames] == texts[-len(frames) :]
    directions = {"out": STATION, "in": "csms"}
    assert [directions[event["dir"]] for event in frames] == [f.sender for f in csms.transcript.frames][-len(frames) :]
    assert [event["closed"] for event in events if event["event"] == "contactor"] == [True, False]
    assert [event["locked"] for event in events if event["event"] == "lock"] == [True, False]
    pilots = [event["pilot"] for event in events if event["event"] == "ev"]
    assert "C" in pilots and pilots.index("B") < pilots.index("C")
    meters = [event for event in events if event["event"] == "meter"]
    assert max(event["power_w"] for event in meters) == 11040
    assert meters[-1]["power_w"] == 0 and meters[-1]["energy_wh"] >= 180
    moments = [event["at_ms"] for event in events]
    assert moments == sorted(moments)


async def test_several_watch_and_one_that_does_not_read_is_dropped(csms, station, line):
    box = await station(settings=CALM)
    await online(csms, box)
    reader, sleeper = await line(box), await line(box)
    for client in (reader, sleeper):
        assert (await client.ask({"id": 1, "cmd": "watch"}))["ok"]
    sleeper.writer.transport.pause_reading()
    data = "x" * 12000
    seen = 0
    # until its end of the connection and 64 KiB in the station are full
    for number in range(1000):
        await csms.send_text([2, f"n{number}", "DataTransfer", {"vendorId": "v", "data": data}])
        await csms.answer_to(f"n{number}")
        while f'"n{number}"' not in (row := await reader.read()).get("text", "") or row["dir"] == "in":
            pass
        seen += 1
        if any("does not read" in text for text in box.log):
            break
    await logged(box, "a client that does not read is dropped")
    assert seen == number + 1
    sleeper.writer.transport.resume_reading()
    await sleeper.closed()
    assert (await box.state())["restarts"] == {}


async def test_a_client_that_goes_is_forgotten(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    for _ in range(3):
        client = await Client.open(box.port, lambda _event: None)
        await client.ask("watch", {})
        client.close()
    await begin(csms, box)
    with pytest.raises(ControlError, match="has a car already"):
        await box.plug()
    assert (await box.state())["restarts"] == {}


# --- tasks that die, and the watchdog


async def order(csms, message):
    answer = await csms.call("DataTransfer", vendorId=VENDOR, messageId=message)
    assert answer["status"] == "Accepted"


async def test_a_task_that_dies_is_logged_restarted_and_counted(csms, station):
    box = await station(extension=EXTENSION, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    for deaths in (1, 2):
        await order(csms, "die")
        await logged(box, "RuntimeError: died on demand")
        await box.control("ping")
        await box.advance(2 * deaths)  # the pause before it is started again grows
        await until(box, lambda state, deaths=deaths: state["restarts"] == {"mortal": deaths})
    await logged(box, "task mortal died")
    await logged(box, "task mortal restarts in 1000 ms")
    await logged(box, "task mortal restarts in 2000 ms")
    await finish(csms, box, session)


async def test_a_critical_task_that_keeps_dying_ends_in_a_reset(csms, station):
    """The watchdog is not fed while it is down. The transaction is told after the restart."""
    box = await station(extension=EXTENSION, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await order(csms, "doom")
    await logged(box, "RuntimeError: doomed")
    await box.restarted(2)
    assert box.exit_status == RESET_STATUS
    await logged(box, "watchdog: not fed")
    assert (await stopped(csms, session))["reason"] == "PowerLoss"


async def test_a_loop_that_hangs_ends_in_a_reset(csms, station):
    box = await station(extension=EXTENSION, settings=CALM)
    await online(csms, box)
    await csms.send_text([2, "hang", "DataTransfer", {"vendorId": VENDOR, "messageId": "hang"}])
    await box.restarted(2)
    assert box.exit_status == RESET_STATUS
    await logged(box, "watchdog: not fed")
    await until(box, lambda state: state["online"])


# --- power cuts


def cut_at_frame(csms, box, number):
    """Kills the process at the moment at which so many frames have been on the wire since now."""
    first = len(csms.transcript.frames)

    def count(frame):
        if frame.number == first + number:
            os.kill(box.pid, signal.SIGKILL)

    csms.transcript.on_frame = count


async def play(csms, box):
    """A session that may be cut off at any moment."""
    await box.plug()
    await connector_is(box, status="Preparing")
    await swipe(box)
    await csms.expect("StartTransaction")
    await connector_is(box, status="Charging")
    await swipe(box)
    await connector_is(box, transaction=None)
    await box.unplug()
    await csms.status(1, "Available")
    await quiet(csms, box)


@pytest.mark.parametrize("number", range(14))
async def test_a_power_cut_at_any_frame_of_a_session(csms, station, number):
    """After the restart each StartTransaction has its StopTransaction, once, and in order; the last cut is too late."""
    box = await station(settings={**CALM, "StopTxnSampledData": "Energy.Active.Import.Register"})
    await online(csms, box)
    cut_at_frame(csms, box, number)
    played, ended = asyncio.create_task(play(csms, box)), asyncio.create_task(box.ended(30))
    await asyncio.wait((played, ended), return_when=asyncio.FIRST_COMPLETED)
    for task in (played, ended):
        task.cancel()
    await asyncio.wait((played, ended))
    await box.kill()
    csms.transcript.on_frame = None
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    state = await box.state()
    row = state["connectors"][0]
    assert state["restarts"] == {} and not row["contactor"] and not row["locked"]
    wire = {}  # unique id -> payload: one that was not answered before the cut comes again under its id
    for call in csms.transcript.calls():
        if call.action in ("StartTransaction", "StopTransaction"):
            assert wire.setdefault(call.unique_id, (call.action, call.payload)) == (call.action, call.payload)
    actions = [action for action, _ in wire.values()]
    assert actions in ([], ["StartTransaction", "StopTransaction"])


async def test_a_world_that_outlives_the_board(csms, station):
    """Cars, meters and defects are as they were; the board begins with its coils off."""
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    await begin(csms, box, 1)
    await leap(csms, box, 3600)
    await box.control("break", part="lock", connector=2, how="jammed")
    await connector_is(box, 1, status="Charging")
    before = (await box.state())["connectors"]
    await box.kill()
    await box.start()
    after = (await box.state())["connectors"]
    assert after[0]["ev"]["phases"] == 3 and after[0]["contactor"] is False and after[0]["power_w"] == 0
    assert abs(after[0]["energy_wh"] - before[0]["energy_wh"]) <= 20
    assert after[1]["ev"] is None


async def test_two_stations_side_by_side(csms, make_csms, station):
    other = await make_csms()
    one, two = await station(settings=CALM), await station(settings=CALM, url=other.url)
    await online(csms, one)
    await online(other, two)
    await begin(csms, one)
    await begin(other, two)
    assert len(csms.connections) == len(other.connections) == 1


# --- memory


async def test_whole_sessions_on_two_connectors_in_a_heap_of_1280_kib(csms, station):
    settings = {
        **CALM,
        "MeterValueSampleInterval": "60",
        "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
        "StopTxnSampledData": "Energy.Active.Import.Register",
    }
    box = await station(connectors={"count": 2}, heap="1280K", settings=settings)
    await online(csms, box)
    for _ in range(2):
        one = await begin(csms, box, 1, "CARD-1")
        two = await begin(csms, box, 2, "CARD-2")
        for _ in range(5):
            count = len(csms.transcript.calls("MeterValues"))
            await leap(csms, box, 61)
            await csms.transcript.wait_for(
                lambda count=count: len(csms.transcript.calls("MeterValues")) >= count + 2 or None, 5, "two readings"
            )
            await told(csms, box)
        assert (await csms.call("GetConfiguration"))["configurationKey"]
        stops = [await finish(csms, box, one, "CARD-1"), await finish(csms, box, two, "CARD-2")]
        for stop in stops:
            assert stop["meterStop"] > 0
            assert len(stop["transactionData"]) >= 7
    assert len(csms.transcript.calls("MeterValues")) >= 20
    state = await box.state()
    assert state["restarts"] == {}
    assert state["heap_bytes"] < 1280 << 10
    assert not [text for text in box.log if "ERROR" in text or "MemoryError" in text]
