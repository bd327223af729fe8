"""A station as a child process.

`StationProcess` starts it, starts it again when it resets itself (exit status 75), kills it (a power cut) and
never leaves it behind. `control` sends it one command, `on_event` gets its stream of changes. A station that
does not start or ends unasked raises `StationEnded` with the tail of its log.
"""

import asyncio
import collections
import contextlib
import json
import sys
from pathlib import Path

from tools.control import LINE_LIMIT, Client

RESET_STATUS = 75
START_S = 15.0  # from start to the control port, on a busy machine
ANSWER_S = 10.0  # a control command is answered at once; this is for a busy machine
STOP_S = 2.0  # from SIGTERM to SIGKILL
LOG_LINES = 5000
GLIDE_S, GLIDE_PAUSE_S = 2, 0.01


class StationEnded(Exception):
    """The station's process ended, or did not start."""


def announced(line):
    """The control port that a line of output announces, `{"control": PORT}`, or None."""
    try:
        return json.loads(line)["control"]
    except (ValueError, TypeError, KeyError):
        return None


class StationProcess:
    """One station on the unix board; `provisioning`: a dict or a file's path, `state`: a directory, kept."""

    def __init__(
        self,
        provisioning,
        state,
        *,
        heap="2M",
        control_port=0,
        extension=None,
        options=(),
        on_event=None,
        on_log=None,
    ):
        self.state_dir = Path(state)
        self.provisioning = provisioning
        self.heap = heap
        self.control_port = control_port  # 0: any free one
        self.extension = extension  # a file to load, see boards/unix/README.md
        self.options = options  # more words of tools.station: ("--poles", "2")
        self.on_event = on_event  # called with each event of `watch`, if set before `start`
        self.on_log = on_log  # called with each line of the log
        self.on_advance = None  # called with the seconds by which the clock is going to be moved
        self.log = collections.deque(maxlen=LOG_LINES)
        self.starts = 0
        self.exit_status = None  # of the last run; negative: the signal that ended it
        self.port = None
        self._process = None
        self._keeper = None
        self._client = self._watcher = None
        self._ready = None  # future: the control port of the present run answers
        self._wanted = False
        self._changed = asyncio.Event()

    # --- life

    start_s = START_S
    preexec = None  # what the new process does before it becomes the station

    async def start(self):
        """Starts the station and waits until its control port answers."""
        if self._keeper and not self._keeper.done():
            raise RuntimeError("the station runs already")
        self._wanted = True
        self._ready = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep())
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), self.start_s)
        except asyncio.TimeoutError:
            await self.kill()
            raise StationEnded(f"no control port within {self.start_s:g} s\n{self.log_text(20)}") from None

    async def stop(self):
        """Ends the station for good: asks, then kills."""
        self._wanted = False
        process = self._process
        if process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except asyncio.TimeoutError:
                pass
        await self.kill()

    async def kill(self):
        """Cuts the power. `start` brings the station up again on what its flash held at this moment."""
        self._wanted = False
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._keeper:
            await asyncio.wait((self._keeper,))

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    @property
    def running(self):
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self):
        return self._process.pid

    async def restarted(self, starts, within=START_S):
        """Waits until the station has come up for the `starts`-th time (from 1)."""
        await self._until(lambda: self.starts >= starts, within, f"start number {starts}")

    async def ended(self, within=START_S):
        """Waits until the process has ended and is not started again; returns its exit status."""
        await self._until(self._keeper.done, within, "end of the process")
        return self.exit_status

    async def logged(self, text, within=START_S):
        """Waits for a line of the log that holds `text`, from the start of the first run on; returns the line."""

        def found():
            return next((line for line in self.log if text in line), None)

        await self._until(found, within, f"{text!r} in the log")
        return found()

    def log_text(self, tail=None):
        """The last `tail` lines of the log, as text."""
        lines = list(self.log)
        return "\n".join(f"  {line}" for line in (lines[-tail:] if tail else lines))

    # --- control

    async def control(self, cmd, /, **arguments):
        """Sends a control command and returns the answer without `id` and `ok`; ControlError says why not.

        While the station restarts, waits until it is up again.
        """
        if self._keeper is None:
            raise StationEnded("the station was never started")
        if self._client and self._client.closed:  # it resets itself just now
            await self._until(lambda: self._client is None, START_S, "end of this run")
        await asyncio.wait_for(asyncio.shield(self._ready), START_S)
        try:
            return await asyncio.wait_for(self._client.ask(cmd, arguments), ANSWER_S)
        except ConnectionError:
            raise StationEnded(f"the station ended before it answered {cmd!r}\n{self.log_text(20)}") from None

    async def state(self):
        """A snapshot: {"connectors": [{"id", "status", "pilot", …}], "connected", …}."""
        return (await self.control("state"))["state"]

    async def plug(self, connector=1, **ev):
        """Plugs an EV in; its parameters are those of the control command."""
        return await self.control("plug", connector=connector, ev=ev)

    async def unplug(self, connector=1):
        return await self.control("unplug", connector=connector)

    async def swipe(self, token, **arguments):
        return await self.control("swipe", token=token, **arguments)

    async def hold(self, uid, **arguments):
        """Holds a contactless card to the reader until it was read; its UID in hexadecimal."""
        return await self.control("swipe", uid=uid, **arguments)

    async def fault(self, code, on=True, connector=1):
        return await self.control("fault", connector=connector, code=code, on=on)

    async def ws(self, up):
        """Takes the station off the network (False) or lets it back (True)."""
        return await self.control("ws", up=up)

    async def advance(self, seconds):
        """Moves the station's clock forward, at once."""
        if self.on_advance:
            self.on_advance(seconds)
        return await self.control("advance", s=seconds)

    async def glide(self, seconds):
        """Moves the station's clock forward in small steps: what waits for an answer has the time to get it."""
        while seconds > 0:
            await self.advance(min(seconds, GLIDE_S))
            await asyncio.sleep(GLIDE_PAUSE_S)
            seconds -= GLIDE_S

    # --- inside

    async def _keep(self):
        """Runs the station again and again as long as it resets itself."""
        try:
            while self._wanted:
                await self._run_once()
                if self.exit_status != RESET_STATUS:
                    break
        finally:
            if not self._ready.done():
                why = f"the station ended with status {self.exit_status}\n{self.log_text(20)}"
                self._ready.set_exception(StationEnded(why))
                self._ready.exception()  # whoever waits has it; nobody may be waiting
            self._tell()

    async def _run_once(self):
        self._process = process = await asyncio.create_subprocess_exec(
            *self._words(),
            cwd=Path(__file__).parent.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is ours to handle
            preexec_fn=self.preexec,
        )
        log = asyncio.create_task(self._read_log(process.stderr))
        try:
            if not self._wanted:
                process.kill()
            while line := await process.stdout.readline():
                port = announced(line)
                if port is None:
                    self._add_log(line)
                else:
                    await self._connect(port)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._disconnect()
            await log
            self.exit_status = process.returncode
            self._tell()

    async def _connect(self, port):
        """The station is up, and its control port open; also when it has begun anew without the process's ending."""
        self._disconnect()
        self.port = self._host_port(port)
        with contextlib.suppress(OSError):
            self._client = await Client.open(self.port)
            if self.on_event:
                self._watcher = await Client.open(self.port, self.on_event)
                await self._watcher.ask("watch", {})
            self.starts += 1
            self._ready.set_result(None)
            self._tell()

    def _disconnect(self):
        for client in (self._client, self._watcher):
            if client:
                client.close()
        self._client = self._watcher = None
        if self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()

    def _host_port(self, port):
        """Where the control port that the station has announced is reached."""
        return port

    def _words(self):
        self.state_dir.mkdir(parents=True, exist_ok=True)
        path = self.provisioning
        if isinstance(path, dict):
            path = self.state_dir / "provision.json"
            path.write_text(json.dumps(self.provisioning, indent=1))
        words = [sys.executable, "-m", "tools.station", str(path), "--tied", "--state", str(self.state_dir)]
        if self.extension:
            words += ["--extension", str(self.extension)]
        words += self.options
        return [*words, "--control", str(self.control_port), "--heap", self.heap]

    async def _read_log(self, stream):
        while line := await stream.readline():
            self._add_log(line)

    def _add_log(self, line):
        line = line.decode(errors="replace").rstrip()
        self.log.append(line)
        if self.on_log:
            self.on_log(line)
        self._tell()

    def _tell(self):
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, condition, within, what):
        deadline = asyncio.get_running_loop().time() + within
        while not condition():
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                raise StationEnded(f"no {what} within {within:g} s\n{self.log_text(20)}") from None
