"""GetDiagnostics (OCPP 1.6 §5.9): what the station is and what its log says, as a text that is made while it is sent.

    report = Report(head, settings, log, since, until)
    count = report.readinto(view)            0 at its end

First what the station is and counts, then its configuration keys, then the log's lines of the time window; lines that
were written before the clock was set have no time and are always in it. No secret is in any of them: the keys hold
none, and provisioning, which does, is not part of it. Memory: one line.

`Diagnostics` is the task that sends it, one at a time: a later wish replaces one that is still being tried.
"""

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Awaitable, Callable, Iterator

    from station.log import Log
    from station.settings import Settings


class Report:
    """`head`: (name, value) of what is counted; `since`, `until`: date-times as the log writes them, "" for none."""

    def __init__(self, head: "tuple", settings: "Settings", log: "Log", since: str = "", until: str = "") -> None:
        self._lines = self._all(head, settings, log, since, until)
        self._line = b""  # what is left of the present line

    def readinto(self, view: memoryview) -> int:
        """The next bytes; 0 at the end."""
        filled = 0
        while filled < len(view):
            if not self._line:
                line = next(self._lines, None)
                if line is None:
                    break
                self._line = line.encode() + b"\n"
            count = min(len(self._line), len(view) - filled)
            view[filled : filled + count] = self._line[:count]
            self._line = self._line[count:]
            filled += count
        return filled

    def _all(self, head, settings, log, since, until) -> "Iterator[str]":
        for name, value in head:
            yield "%s: %s" % (name, value)
        yield ""
        for name, _, value in settings.items():
            yield "%s = %s" % (name, value)
        yield ""
        for line in log.lines():
            stamp = line.split(" ", 1)[0]
            if stamp[:1] in "+-" or ((not since or stamp >= since) and (not until or stamp <= until)):
                yield line


class Diagnostics:
    """`name()` is that of a file, `report(since, until)` what is in it; `upload(location, name, read)` raises OSError,
    whose `retry`, if it has one, says whether another try makes sense; `tell(status)` gets Uploading, then Uploaded or
    UploadFailed.
    """

    def __init__(
        self,
        name: "Callable[[], str]",
        report: "Callable[[str, str], Report]",
        upload: "Callable[[str, str, Callable[[memoryview], int]], Awaitable[None]]",
        tell: "Callable[[str], None]",
        log: "Log",
    ) -> None:
        self._name = name
        self._report = report
        self._upload = upload
        self._tell = tell
        self._log = log
        self._wish: "tuple | None" = None
        self._wished = asyncio.Event()

    def request(self, location: str, retries: int, interval: int, since: str, until: str) -> str:
        """The name of the file that will be sent."""
        name = self._name()
        self._wish = location, retries, interval, since, until, name
        self._wished.set()
        return name

    async def run(self) -> None:
        """The task."""
        while True:
            await self._wished.wait()
            self._wished.clear()
            await self._send(*self._wish)

    async def _send(self, location, retries, interval, since, until, name) -> None:
        self._tell("Uploading")
        for attempt in range(retries + 1):
            if attempt:
                try:
                    await asyncio.wait_for(self._wished.wait(), interval)
                    break  # replaced
                except asyncio.TimeoutError:
                    pass
            try:
                await self._upload(location, name, self._report(since, until).readinto)
                self._log.info("diagnostics", "%s is sent", name)
                self._tell("Uploaded")
                return
            except OSError as error:
                self._log.warning("diagnostics", "%s: %s", name, error)
                if not getattr(error, "retry", True):
                    break
        self._tell("UploadFailed")
