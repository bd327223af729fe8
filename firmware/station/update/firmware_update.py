"""An update from the backend's wish to its outcome: wait, download, stage, wait for the connectors, install, tell.

    update.request(location, retrieve_at, retries, retry_interval)    from any task; a later one replaces it
    await update.run()                                                the task

What is wished for is in a small file before it is begun, so that a power cut does not lose it: a download begins anew,
an installation goes on, see transaction.py. The file also has the sequence number of the last package that stayed, and
the last status until the backend has heard it.

`tell(status)` gets the statuses of OCPP 1.6 §7.25 in order: Downloading, Downloaded or DownloadFailed, Installing,
Installed or InstallationFailed. A running transaction is never ended: connectors are taken out of service as they fall
free, for FirmwareInstallWait seconds at most, and come back.
"""

import asyncio

from micropython import const

from station.storage import atomic
from station.update.components import ComponentError
from station.update.refused import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.clock import Clock
    from station.log import Log
    from station.settings import Settings
    from station.transfer.download import Download
    from station.update.installer import Installer
    from station.update.slots import Slots
    from station.update.transaction import Transaction

_POLL_MS = const(250)
_TELL_MS = const(15_000)  # so long the installation waits for the backend to be told


class FirmwareUpdate:
    """`point`: the charge point (`withhold`, `is_idle`). `make_installer()` and `download(location)` make their parts
    when there is something to do. `is_told()`: has the backend heard all that was told?
    """

    def __init__(
        self,
        path: str,
        slots: "Slots",
        transaction: "Transaction",
        point: "Any",
        settings: "Settings",
        clock: "Clock",
        make_installer: "Callable[[], Installer]",
        download: "Callable[[str], Download]",
        is_online: "Callable[[], bool]",
        tell: "Callable[[str], None]",
        is_told: "Callable[[], bool]",
        log: "Log",
    ) -> None:
        self._path = path
        self._slots = slots
        self._transaction = transaction
        self._point = point
        self._settings = settings
        self._clock = clock
        self._make_installer = make_installer
        self._download = download
        self._is_online = is_online
        self._tell = tell
        self._is_told = is_told
        self._log = log
        kept = atomic.load_json(path, log)
        kept = kept if isinstance(kept, dict) else {}
        self._job: "dict | None" = kept.get("job")
        self._sequence: int = kept.get("sequence", 0)
        self._status: str = kept.get("status", "")  # the outcome, until the backend has heard it
        self._task: "asyncio.Task | None" = None
        self._replaced = False
        self._installing = False
        self._downloading: "Download | None" = None
        self._why = ""  # the last one came to nothing before there was a transaction
        self._wished = asyncio.Event()
        if self._is_unsettled():
            point.withhold(True)

    def request(self, location: str, retrieve_at: int, retries: int, retry_interval: int) -> bool:
        """The backend wishes for an update, not before `retrieve_at` (s since 1970).

        False: one is being installed, or the wish cannot be stored, which is told.
        """
        if self.is_installing:
            self._log.warning("update", "not now: one is being installed")
            return False
        before = self._job
        self._job = {"location": location, "at": retrieve_at, "retries": retries, "interval": retry_interval}
        if not self._save():
            self._job = before
            self._tell("InstallationFailed")
            return False
        self._status = self._why = ""
        if self._task:
            self._replaced = True
            self._task.cancel()
        self._wished.set()
        return True

    @property
    def is_installing(self) -> bool:
        """From the first wait for the connectors to the outcome."""
        return self._installing or self._is_unsettled()

    def told(self) -> str:
        """How far it is, for people; "" if there is nothing to tell."""
        download, job = self._downloading, self._job
        if download:
            of = " of %d" % download.size if download.size >= 0 else ""
            return "downloading: %d%s bytes" % (download.received, of)
        if job and not self._clock.is_set:
            return "waiting for the clock"
        if job and self._clock.now() < job["at"]:
            return "waiting until " + self._clock.iso(job["at"])
        return self._why or self._transaction.told()

    def _is_unsettled(self) -> bool:
        """Is it open what is to run in the end?"""
        return self._slots.on_trial or self._transaction.is_open

    async def run(self) -> None:
        """The task; begins with the outcome of what was under way before the start."""
        if self._status:
            self._tell(self._status)
        await self._conclude()
        if self._job:
            self._wished.set()
        while True:
            await self._wish()
            self._task = asyncio.create_task(self._perform())
            try:
                await self._task
            except asyncio.CancelledError:
                if not self._replaced:
                    raise
                self._replaced = False
            finally:
                self._task = None
            await self._conclude()

    async def proven(self) -> None:
        """The application on trial is healthy: the update that it is part of goes on, and it stays if that does."""
        if self._transaction.is_open:
            await self._transaction.proceed()
        if self._slots.on_trial:  # it came without a transaction
            self._slots.confirm()
        if not self._transaction.outcome:
            self._point.withhold(False)

    async def _wish(self) -> None:
        """Until there is one. The file forgets what the backend has heard meanwhile."""
        while not self._wished.is_set():
            if not self._status:
                await self._wished.wait()
            elif self._is_told():
                self._status = ""
                self._save()
            else:
                await asyncio.sleep_ms(_POLL_MS)
        self._wished.clear()

    async def _conclude(self) -> None:
        """Bring what is being installed to its end, and tell of it."""
        transaction = self._transaction
        while self._slots.on_trial:  # its probation goes on with it
            await asyncio.sleep_ms(_POLL_MS)
        if transaction.is_open:
            await transaction.proceed()
        self._installing = False
        outcome = transaction.outcome
        if outcome is None:
            return
        if outcome[0]:
            self._sequence = transaction.sequence_number
            self._log.info("update", "installed: package %d", self._sequence)
        self._finish("Installed" if outcome[0] else "InstallationFailed")
        transaction.forget()

    async def _perform(self) -> None:
        """All up to the first change: from then on the transaction is open."""
        job = self._job
        if not job:
            return
        while not self._clock.is_set or self._clock.now() < job["at"]:
            await asyncio.sleep_ms(_POLL_MS)
        try:
            installer = self._make_installer()
            staged = await self._fetch(job, installer)
            if staged:
                await self._open(installer, *staged)
        except (Refused, ComponentError, OSError) as error:
            self._why = "%s: %s" % ("refused" if isinstance(error, Refused) else "failed", error)
            self._log.error("update", "%s", self._why)
            self._finish("InstallationFailed")
        except Exception as error:  # a certificate that is none, no memory: this job must not be begun for ever
            self._why = "failed: %r" % error
            self._log.exception("update", "failed", error)
            self._finish("InstallationFailed")

    async def _fetch(self, job: dict, installer: "Installer") -> "Any":
        """(manifest, parts) of what was staged; None if it could not be downloaded."""
        for attempt in range(job["retries"] + 1):
            if attempt:
                await asyncio.sleep(job["interval"])
            self._tell("Downloading")
            download = None
            try:
                download = self._downloading = self._download(job["location"])
                staged = await installer.stage(download.read_into, self._sequence)
                self._log.info("update", "downloaded: %d bytes", download.received)
                self._tell("Downloaded")
                self._why = ""
                return staged
            except OSError as error:
                self._why = "download: %s" % error
                self._log.warning("update", "%s", self._why)
                if not getattr(error, "retry", True):
                    break
            finally:
                self._downloading = None
                if download:
                    download.close()
        self._finish("DownloadFailed")
        return None

    async def _open(self, installer: "Installer", manifest: "Any", parts: "Any") -> None:
        """Wait until no connector is in use, and open the transaction."""
        self._installing = True
        self._point.withhold(True)
        try:
            left = self._settings["FirmwareInstallWait"] * 1000
            while not self._point.is_idle:
                if left <= 0:
                    raise OSError("connectors were not free in time")
                await asyncio.sleep_ms(_POLL_MS)
                left -= _POLL_MS
            self._tell("Installing")
            await self._told()
            self._transaction.begin(manifest.sequence_number, parts)
        except BaseException:
            self._installing = False
            self._point.withhold(False)
            await installer.discard()
            raise

    async def _told(self) -> None:
        waited = 0
        while waited < _TELL_MS and self._is_online() and not self._is_told():
            await asyncio.sleep_ms(_POLL_MS)
            waited += _POLL_MS

    def _finish(self, status: str) -> None:
        self._point.withhold(False)
        self._job, self._status = None, status
        self._save()
        self._tell(status)

    def _save(self) -> bool:
        """Put it into the file; False, and the log says so, if that cannot be done."""
        kept: dict = {"sequence": self._sequence}
        if self._job:  # then the outcome of the one before is with the backend, or on its way
            kept["job"] = self._job
        elif self._status:
            kept["status"] = self._status
        try:
            atomic.replace_json(self._path, kept)
        except OSError as error:
            self._log.error("update", "what is to be done cannot be stored: %s", error)
            return False
        return True
