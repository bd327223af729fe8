"""`make run`: a station against a local backend, one session played, then a prompt.

    python -m tools.run [--backend URL] [--id ID] [--state DIR] [--board qemu_mps2] [--link SOCKET]

Without a terminal on stdin it ends after the session. Exit status: 0 if the session came out right, 1 if not, 130
after Ctrl-C. However it ends, the station ends with it.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time

from tools import session, workbench
from tools.backend import Csms
from tools.commands import Commands, Quit, UsageError
from tools.components.plant import Plant
from tools.console import LEGEND, Console
from tools.frames import CSMS, STATION, NoSuchFrame, Transcript
from tools.process import StationEnded, StationProcess
from tools.prompt import Prompt
from tools.provisioning import BASE, provisioning
from tools.relay import Local

FRAMES_KEPT = 2000
LOOK_PAUSE_S = 0.1  # between two looks at the station's state
METER_S = 1.0  # power and energy are shown this often while nothing else changes
LOG_TAIL = 20
INTERRUPTED = 130

# How often the session is metered: by the station's own clock if that can be moved, else while one watches.
SAMPLE_LEAPING_S, SAMPLE_S = 60, 2
SETTINGS = {
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
    "WebSocketPingInterval": "0",  # a pong takes real time, while the clock is moved
}
CARDS = {"BLOCKED": {"status": "Blocked"}, "EXPIRED": {"status": "Expired"}}


class Run:
    """One run: its station, backend (None if it is not ours), console and transcript."""

    def __init__(self, words, console, state):
        self.console = console
        self.transcript = Transcript(FRAMES_KEPT)
        self.transcript.on_frame = console.frame
        self.csms = None if words.backend else Csms(transcript=self.transcript)
        self._words, self._state = words, state
        self.station = None
        self._plant = None  # the components beside the station's board
        self._relay = None
        self._look = asyncio.Event()
        self._shown = {}  # connector id -> what was shown of it last, and when

    async def go(self):
        """Plays the session, serves the prompt if there is a terminal; returns the exit status."""
        prompt = Prompt(sys.stdin, sys.stdout, columns=columns) if sys.stdin.isatty() else None
        watcher = None
        try:
            await self._start()
            watcher = asyncio.create_task(self._watch())
            status = await self._play()
            if prompt:
                self.console.prompt = prompt
                await self._serve(prompt)
            return status
        finally:
            self.console.prompt = None
            if prompt:
                prompt.close()
            if watcher:
                watcher.cancel()
            if self.station:
                await self.station.stop()
            if self._relay:
                self._relay.close()
            if self._plant:
                await self._plant.stop()
            if self.csms:
                await self.csms.stop()

    async def _start(self):
        url = self._words.backend
        if self.csms:
            self.csms.cards.update(CARDS)
            await self.csms.start()
            url = self.csms.url
            if self._words.link:
                self._relay = await Local(self.csms).serve(self._words.link)
        options = {}
        if self._words.board == "unix":
            self._plant = Plant(workbench.VENDOR)
            await self._plant.start()
            options["options"] = self._plant.options()
        sample = SAMPLE_LEAPING_S if self.csms else SAMPLE_S
        parts = provisioning(
            url.rstrip("/"),
            identity={"charge_point_id": self._words.id},
            settings={**SETTINGS, "MeterValueSampleInterval": str(sample)},
            update=workbench.trust(self._words.board),
            components=self._plant.provisioning() if self._plant else {},
        )
        if self._words.key:
            parts["backend"]["authorization_key"] = self._words.key
        if self._words.ca:
            parts["backend"]["ca"] = self._words.ca.read()
        self.console.line(LEGEND)
        self.console.say(f"the station {self._words.id} boots; its backend is {url}")
        self.station = station_of(self._words.board)(parts, self._state, on_event=self._event, **options)
        if self.csms:
            self.station.on_advance = self.csms.shift_clock
        await self.station.start()

    def _event(self, event):
        """Takes an event of the station's `watch`."""
        self._look.set()
        if event["event"] == "frame" and self.csms is None:
            self.transcript.add(event["text"], STATION if event["dir"] == "out" else CSMS)

    async def _watch(self):
        """Shows each connector as it changes."""
        while True:
            await self._look.wait()
            self._look.clear()
            with contextlib.suppress(StationEnded, ConnectionError, asyncio.TimeoutError):
                for row in (await self.station.state())["connectors"]:
                    self._show(row)
            await asyncio.sleep(LOOK_PAUSE_S)

    def _show(self, row):
        now = time.monotonic()
        state, meter = (row["status"], row["contactor"]), (row["power_w"], row["energy_wh"])
        last_state, last_meter, at = self._shown.get(row["id"], (None, None, now))
        if state != last_state or (meter != last_meter and now - at >= METER_S):
            self._shown[row["id"]] = state, meter, now
            self.console.connector(row)

    async def _play(self):
        try:
            await session.play(self.station, self.transcript, self.console.say, leap=self.csms is not None)
        except (NoSuchFrame, TimeoutError, asyncio.TimeoutError, StationEnded, ConnectionError) as error:
            self.console.problem(str(error) or "no answer")
        found = session.problems(self.transcript, registered=self.csms is None)
        if self.csms:
            found += self.csms.violations
        for text in found:
            self.console.problem(text)
        await asyncio.sleep(2 * LOOK_PAUSE_S)  # the last change of the connector is shown, too
        if found:
            self.console.answer("the end of the station's log:\n" + self.station.log_text(LOG_TAIL))
        else:
            self.console.say("the session came out right")
        return 1 if found else 0

    async def _serve(self, prompt):
        """Does what is typed until the end of the input or `quit`."""
        self.console.say("your turn; `help` lists what can be typed")
        commands = Commands(self.station, self.csms)
        while (line := await prompt.read()) is not None:
            if not line.strip():
                continue
            try:
                self.console.answer(await commands.run(line))
            except UsageError as error:
                self.console.problem(str(error))
            except Quit:
                break


def station_of(board):
    """The class of a board's stations; an emulated board's image is built now, if need be."""
    if board == "unix":
        return StationProcess
    from tools import emulate  # its tools are there only where it was asked for

    emulate.prepare()
    return emulate.EmulatedStation


def columns():
    return shutil.get_terminal_size().columns


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m tools.run", description=__doc__.splitlines()[0])
    parser.add_argument("--backend", metavar="URL", help="another backend, ws:// or wss://, without the id")
    parser.add_argument("--id", metavar="ID", default=BASE["identity"]["charge_point_id"], help="charge point id")
    parser.add_argument("--key", help="Basic-auth key for the other backend")
    parser.add_argument("--ca", type=argparse.FileType(), metavar="FILE", help="CA certificate (PEM) for wss://")
    parser.add_argument("--board", choices=("unix", "qemu_mps2"), default="unix", help="what the station runs on")
    parser.add_argument("--link", metavar="SOCKET", help="where make update finds the local backend")
    parser.add_argument("--state", metavar="DIR", help="keep the station's flash here")
    return parser.parse_args(arguments)


async def run(words, state):
    """A Run that Ctrl-C, and the end of whoever reads the output, cancel."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    console = Console(sys.stdout)
    console.on_broken = task.cancel
    try:
        return await Run(words, console, state).go()
    except asyncio.CancelledError:
        return INTERRUPTED
    except StationEnded as error:
        console.problem(str(error))
        return 1


def main():
    words = parse(sys.argv[1:])
    sys.stdout.reconfigure(errors="replace", line_buffering=True)
    with contextlib.ExitStack() as stack:
        state = words.state or stack.enter_context(tempfile.TemporaryDirectory(prefix="ladepunkt-"))
        status = asyncio.run(run(words, state))
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.exit(status)
    os._exit(status)  # nobody reads: not even what the interpreter would still say


if __name__ == "__main__":
    main()
