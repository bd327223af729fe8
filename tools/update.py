"""`make update`: offers a package from a local web server and lets the local backend send UpdateFirmware.

    python -m tools.update [--package PACKAGE.suit] [--version 1.1.0] [--link build/run.sock]

To the station of a `make run` that is running beside it, else to one that is started for that, with router, PLC and
charge controller beside it. Shows how far the download is, what the station says of its components, and what came of
it. Exit status: 0 if the package was installed, 1 if not, 130 after Ctrl-C.
"""

import argparse
import asyncio
import contextlib
import datetime
import re
import signal
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from tools import application, mpy, workbench
from tools.backend import Csms
from tools.components.plant import Plant
from tools.console import Console
from tools.packing import PackError
from tools.process import StationEnded, StationProcess
from tools.provisioning import provisioning
from tools.relay import BackendError, Local, Relay
from tools.web import serving

LOOK_S = 0.5
LOOKS = 20  # for a component that does not answer
BAR = 32  # characters
LIMIT_S = 900
ENDS = {"Installed": 0, "InstallationFailed": 1, "DownloadFailed": 1}
KEYS = ("UpdateState", "ComponentVersions", "ApplicationSlot", "ApplicationFallback")
PROGRESS = re.compile(r"downloading: (\d+) of (\d+) bytes")
INTERRUPTED = 130


@contextlib.asynccontextmanager
async def offer(path, context=None):
    """The URL of a file on a web server of this machine; a broken download of it can go on. `context`: for TLS."""
    async with serving([("GET", "/" + path.name, lambda request: web.FileResponse(path))], context) as url:
        yield f"{url}/{path.name}"


class Screen:
    """The lines of a Console, and below them, on a terminal, a bar."""

    def __init__(self, out):
        self._console = Console(out)
        self._out = out
        self._bar = ""
        self._draws = out.isatty()
        self._tenth = -1

    def line(self, text):
        self._clear()
        self._console.say(text)
        self._show()

    def problem(self, text):
        self._clear()
        self._console.problem(text)
        self._bar = ""

    def progress(self, sent, size):
        """So many bytes of so many."""
        part = sent / size if size else 1
        if self._draws:
            self._clear()
            filled = round(BAR * part)
            self._bar = f"  {'█' * filled}{'░' * (BAR - filled)} {part:4.0%}  {sent:,} of {size:,} bytes"
            self._show()
        elif int(10 * part) > self._tenth:
            self._tenth = int(10 * part)
            self._console.say(f"downloaded {part:.0%}")

    def done(self):
        """The bar goes."""
        self._clear()
        self._bar = ""

    def _clear(self):
        if self._draws and self._bar:
            self._out.write("\r\x1b[K")

    def _show(self):
        if self._draws and self._bar:
            self._out.write(self._bar)
            self._out.flush()


async def install(backend, location, screen):
    """One update from the wish to its outcome; the exit status."""
    since = await backend.frames()
    await _show_versions(backend, screen)
    shown = await _keys(backend)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    await backend.call("UpdateFirmware", location=location, retrieveDate=now, retries=3, retryInterval=5)
    screen.line(f"UpdateFirmware is sent: {location}")
    told = 0
    while True:
        statuses = await backend.statuses(since)
        for status in statuses[told:]:
            if status != "Downloading":
                screen.done()
            screen.line(status)
            if status in ENDS:
                await _show_changes(backend, screen, shown)
                await _show_versions(backend, screen)
                return ENDS[status]
        told = len(statuses)
        await _show_changes(backend, screen, shown)
        await asyncio.sleep(LOOK_S)


async def _show_changes(backend, screen, shown):
    """What the station says of the update, where that is not what was `shown` of it last."""
    with contextlib.suppress(BackendError):  # while it restarts
        for key, value in (await _keys(backend)).items():
            if progress := PROGRESS.fullmatch(value):
                screen.progress(*map(int, progress.groups()))
            elif key != "ComponentVersions" and value != shown.get(key):
                shown[key] = value
                if value:
                    screen.line(f"{key}: {value}")


async def _keys(backend):
    answer = await backend.call("GetConfiguration", key=list(KEYS))
    return {row["key"]: row.get("value", "") for row in answer.get("configurationKey", [])}


async def _show_versions(backend, screen):
    """What the station has, once it can say so of all."""
    value = ""
    for _ in range(LOOKS):
        with contextlib.suppress(BackendError):
            value = (await _keys(backend)).get("ComponentVersions", "")
            if value and "?" not in value:
                break
        await asyncio.sleep(LOOK_S)
    for row in value.split(","):
        screen.line("  " + row)


@contextlib.asynccontextmanager
async def own_station(screen):
    """A backend and a station with its components, for as long as this lasts; the backend."""
    screen.line("no make run is running beside: a station is started")
    async with contextlib.AsyncExitStack() as stack:
        csms, plant = Csms(), Plant(workbench.VENDOR)
        await csms.start()
        stack.push_async_callback(csms.stop)
        await plant.start()
        stack.push_async_callback(plant.stop)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ladepunkt-"))
        words = provisioning(csms.url, update=workbench.trust("unix"), components=plant.provisioning())
        box = StationProcess(words, folder, options=plant.options())
        stack.push_async_callback(box.stop)
        await box.start()
        await csms.connected()
        await csms.expect("StatusNotification")
        yield Local(csms)


async def update(words, screen):
    async with contextlib.AsyncExitStack() as stack:
        relay = await Relay.open(words.link)
        if relay:
            stack.callback(relay.close)
        path = words.package
        if path is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ladepunkt-")))
            screen.line(f"a package with version {words.version} of everything is made of this working copy")
            path = workbench.package(folder, words.version)
        backend = relay or await stack.enter_async_context(own_station(screen))
        location = await stack.enter_async_context(offer(path))
        try:
            return await asyncio.wait_for(install(backend, location, screen), LIMIT_S)
        except asyncio.TimeoutError:
            screen.problem(f"no outcome within {LIMIT_S} s")
            return 1


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m tools.update", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--package", type=Path, metavar="PACKAGE.suit", help="one is made of this working copy if absent"
    )
    parser.add_argument("--version", default="1.1.0", help="of the package that is made (1.1.0)")
    parser.add_argument("--link", default="build/run.sock", metavar="SOCKET", help="of make run (build/run.sock)")
    words = parser.parse_args(arguments)
    if words.package and not words.package.is_file():
        parser.error(f"--package: there is no file {words.package}")
    return words


async def run(words):
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    screen = Screen(sys.stdout)
    try:
        return await update(words, screen)
    except asyncio.CancelledError:
        screen.done()
        return INTERRUPTED
    except (PackError, application.ApplicationError, mpy.CompileError, BackendError, StationEnded, EOFError) as error:
        screen.problem(str(error))
        return 1


def main():
    words = parse(sys.argv[1:])
    sys.stdout.reconfigure(errors="replace", line_buffering=True)
    sys.exit(asyncio.run(run(words)))


if __name__ == "__main__":
    main()
