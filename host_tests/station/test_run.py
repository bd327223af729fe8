"""`make run` and the station's process as a user has them: exit statuses, and that nothing is left behind."""

import asyncio
import json
import os
import pty
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import pytest
import pytest_asyncio
from ocpp.exceptions import InternalError

from tools.process import StationEnded

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60


def processes(word):
    """The pids of the processes that have `word` on their command line, `tools.run` left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if str(word).encode() in line and b"tools.run" not in line:
            found.append(int(path.parent.name))
    return found


async def no_process(word):
    for _ in range(100):
        if not processes(word):
            return True
        await asyncio.sleep(0.05)
    return False


@pytest_asyncio.fixture
async def run(tmp_path):
    """Starts `python -m tools.run --state DIR …`; `terminal` as its stdin and stdout."""
    started = []

    async def start(*words, terminal=None):
        standard = terminal if terminal is not None else DEVNULL
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tools.run", "--state", str(tmp_path / "run"), *words),
            cwd=ROOT,
            stdin=standard,
            stdout=PIPE if terminal is None else terminal,
            stderr=STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Screen:
    """What a program writes to a pseudo terminal."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.text = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self):
        try:
            self.text += os.read(self.master, 65536).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self.master)
        self._more.set()

    async def shows(self, text, after=0):
        async def wait():
            while text not in self.text[after:]:
                self._more.clear()
                await self._more.wait()

        try:
            await asyncio.wait_for(wait(), WITHIN_S)
        except asyncio.TimeoutError:
            raise AssertionError(f"{text!r} is not in:\n{self.text}") from None

    async def type(self, line, until):
        place = len(self.text)
        os.write(self.master, line.encode() + b"\r")
        await self.shows(until, place)

    def close(self):
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)


@pytest_asyncio.fixture
async def screen():
    screen = Screen()
    yield screen
    screen.close()


async def test_without_a_terminal_it_plays_the_session_and_ends(run, tmp_path):
    process = await run()
    out, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    text = out.decode()
    assert process.returncode == 0, text
    places = [text.index(word) for word in ("BootNotification", "Authorize", "StartTransaction", "StopTransaction")]
    assert places == sorted(places)
    assert "\x1b" not in text
    assert await no_process(tmp_path)


async def test_another_backend(run, csms, tmp_path):
    process = await run("--backend", csms.url, "--id", "CP 7")
    out, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0, out.decode()
    assert csms.connections[0].path.endswith("/CP%207")
    assert csms.transcript.calls("StopTransaction")
    assert "StopTransaction" in out.decode()


async def test_a_session_that_goes_wrong_is_status_1(run, csms, tmp_path):
    csms.answer("StopTransaction", InternalError())
    process = await run("--backend", csms.url)
    out, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 1, out.decode()
    assert "0 StopTransaction" in out.decode()
    assert await no_process(tmp_path)


async def test_the_prompt_plays_another_session(run, screen, tmp_path):
    process = await run(terminal=screen.slave)
    await screen.shows("your turn")
    await screen.type("plug", "Preparing")
    await screen.type("remote-start", "Charging")
    await screen.type("remote-stop", "Finishing")
    await screen.type("unplug", "Available")
    await screen.type("swipe BLOCKED", "Blocked")
    await screen.type("swipe 04A1B2C3", '{"idTag":"04A1B2C3"}')
    await screen.type("config HeartbeatInterval", "HeartbeatInterval")
    await screen.type("dance", "unknown")
    os.write(screen.master, b"quit\r")
    assert await asyncio.wait_for(process.wait(), WITHIN_S) == 0
    assert await no_process(tmp_path)


async def test_ctrl_c_ends_all_of_it(run, screen, tmp_path):
    process = await run(terminal=screen.slave)
    await screen.shows("your turn")
    assert processes(tmp_path)
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), WITHIN_S) == 130
    assert await no_process(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
async def test_even_killing_it_leaves_no_station_behind(run, screen, tmp_path):
    process = await run(terminal=screen.slave)
    await screen.shows("BootNotification")
    assert processes(tmp_path)
    process.kill()
    await process.wait()
    assert await no_process(tmp_path)


async def test_a_station_that_hangs_is_killed(station, tmp_path):
    box = await station()
    os.kill(box.pid, signal.SIGSTOP)
    await box.stop()
    assert not box.running
    assert await no_process(tmp_path)


async def test_wrong_provisioning_names_the_key(station):
    with pytest.raises(StationEnded, match=r"status 2\n(.*\n)*.*connectors\.count"):
        await station(connectors={"count": 99})


async def test_a_reset_starts_it_again_on_the_same_flash(csms, station):
    box = await station()
    await csms.status(1, "Available")
    assert await csms.call("ChangeConfiguration", key="HeartbeatInterval", value="77") == {"status": "Accepted"}
    pid = box.pid
    assert await csms.call("Reset", type="Hard") == {"status": "Accepted"}
    await csms.connected(number=2)
    await box.restarted(2)
    assert box.pid != pid
    answer = await csms.call("GetConfiguration", key=["HeartbeatInterval"])
    assert answer["configurationKey"][0]["value"] == "77"


async def test_the_documented_command(tmp_path):
    """`python -m tools.station` is all that a user's own test needs."""
    from tools.provisioning import provisioning

    path = tmp_path / "provision.json"
    path.write_text(json.dumps(provisioning("ws://127.0.0.1:9/ocpp")))
    words = (sys.executable, "-m", "tools.station", str(path), "--state", str(tmp_path / "state"))
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=PIPE, stderr=DEVNULL)
    try:
        port = json.loads(await asyncio.wait_for(process.stdout.readline(), WITHIN_S))["control"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b'{"id":7,"cmd":"ping"}\n')
        assert json.loads(await asyncio.wait_for(reader.readline(), WITHIN_S)) == {"id": 7, "ok": True}
        writer.close()
    finally:
        process.kill()
        await process.wait()
