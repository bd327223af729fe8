"""An update from the backend's wish to its outcome: wait, download, stage, wait for the connectors, restart, tell.

    update.request(location, retrieve_at, retries, retry_interval)    from any task; a later one replaces it
    await update.run()                                                the task

What is wished for is in a small file before it is begun, so that a power cut does not lose it: a download begins anew,
an installation is looked at after the restart. The file also has the sequence number of the last package that stayed.

`tell(status)` gets the statuses of OCPP 1.6 §7.25 in order: Downloading, Downloaded or DownloadFailed, Installing,
Installed or InstallationFailed. A running transaction is never ended: connectors are taken out of service as they fall
free, for FirmwareInstallWait seconds at most, and come back.
"""

import asyncio

from micropython import const

from station.storage import atomic
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

_POLL_MS = const(500)
_TELL_MS = const(15_000)  # so long the restart waits for the backend to be told


class FirmwareUpdate:
    """`point`: the charge point (`withhold`, `is_idle`, `is_well`). `make_installer()` and
    `download(location)` make their parts when there is something to do. `is_told()`: has the backend heard all that
    was told? `restart()` returns, the board restarts soon.
    """

    def __init__(
        self,
        path: str,
        slots: "Slots",
        point: "Any",
        settings: "Settings",
        clock: "Clock",
        make_installer: "Callable[[], Installer]",
        download: "Callable[[str], Download]",
        is_online: "Callable[[], bool]",
        tell: "Callable[[str], None]",
        is_told: "Callable[[], bool]",
        restart: "Callable[[], None]",
        log: "Log",
    ) -> None:
        self._path = path
        self._slots = slots
        self._point = point
        self._settings = settings
        self._clock = clock
        self._make_installer = make_installer
        self._download = download
        self._is_online = is_online
        self._tell = tell
        self._is_told = is_told
        self._restart = restart
        self._log = log
        kept = atomic.load_json(path, log)
        kept = kept if isinstance(kept, dict) else {}
        self._job: "dict | None" = kept.get("job")
        self._sequence: int = kept.get("sequence", 0)
        self._task: "asyncio.Task | None" = None
        self._replaced = False
        self._installing = False
        self._wished = asyncio.Event()

    def request(self, location: str, retrieve_at: int, retries: int, retry_interval: int) -> bool:
        """The backend wishes for an update, not before `retrieve_at` (s since 1970). False: one is being installed."""
        if self._installing or self._slots.on_trial:
            self._log.warning("update", "not now: one is being installed")
            return False
        job = {"location": location, "at": retrieve_at, "retries": retries, "interval": retry_interval}
        self._save(job)
        if self._task:
            self._replaced = True
            self._task.cancel()
        self._wished.set()
        return True

    async def run(self) -> None:
        """The task; begins with the outcome of what was under way before the start."""
        await self._conclude()
        if self._job:
            self._wished.set()
        while True:
            await self._wished.wait()
            self._wished.clear()
            self._task = asyncio.create_task(self._perform())
            try:
                await self._task
            except asyncio.CancelledError:
                if not self._replaced:
                    raise
                self._replaced = False
            finally:
                self._task = None

    async def _conclude(self) -> None:
        """Was something being installed when the board restarted? It stays, or it came back."""
        job = self._job
        if not job or "slot" not in job:
            return
        self._installing = True
        while self._slots.on_trial:
            await asyncio.sleep_ms(_POLL_MS)
        self._installing = False
        if self._slots.running == job["slot"]:
            self._sequence = job["sequence"]
            self._log.info("update", "installed: version %s", self._slots.version)
            self._finish("Installed")
        else:
            self._log.error("update", "not installed: %s", self._slots.told_fallback() or "it never started")
            self._finish("InstallationFailed")

    async def _perform(self) -> None:
        job = self._job
        if not job:
            return
        while not self._clock.is_set or self._clock.now() < job["at"]:
            await asyncio.sleep_ms(_POLL_MS)
        try:
            installer = self._make_installer()
            manifest = await self._fetch(job, installer)
            if manifest:
                await self._install(job, installer, manifest)
        except Refused as error:
            self._log.error("update", "refused: %s", error)
            self._finish("InstallationFailed")
        except OSError as error:
            self._log.error("update", "failed: %s", error)
            self._finish("InstallationFailed")
        finally:
            self._installing = False

    async def _fetch(self, job: dict, installer: "Installer") -> "Any":
        """The manifest of what was staged; None if it could not be downloaded."""
        for attempt in range(job["retries"] + 1):
            if attempt:
                await asyncio.sleep(job["interval"])
            self._tell("Downloading")
            download = None
            try:
                download = self._download(job["location"])
                manifest = await installer.stage(download.read_into, self._sequence)
                self._log.info("update", "downloaded: %d bytes", download.received)
                self._tell("Downloaded")
                return manifest
            except OSError as error:
                self._log.warning("update", "download: %s", error)
                if not getattr(error, "retry", True):
                    break
            finally:
                if download:
                    download.close()
        self._finish("DownloadFailed")
        return None

    async def _install(self, job: dict, installer: "Installer", manifest: "Any") -> None:
        self._installing = True
        self._point.withhold(True)
        try:
            left = self._settings["FirmwareInstallWait"] * 1000
            while not self._point.is_idle:
                if left <= 0:
                    installer.discard()
                    self._log.error("update", "connectors were not free in time")
                    self._finish("InstallationFailed")
                    return
                await asyncio.sleep_ms(_POLL_MS)
                left -= _POLL_MS
            self._tell("Installing")
            await self._told()
            self._save({"slot": self._slots.target, "sequence": manifest.sequence_number})
            installer.activate(self._is_online(), self._point.is_well)
        except BaseException:
            self._point.withhold(False)
            raise
        self._restart()
        await asyncio.Event().wait()  # nothing else is to be done until then

    async def _told(self) -> None:
        waited = 0
        while waited < _TELL_MS and self._is_online() and not self._is_told():
            await asyncio.sleep_ms(_POLL_MS)
            waited += _POLL_MS

    def _finish(self, status: str) -> None:
        self._point.withhold(False)
        self._tell(status)
        self._save(None)

    def _save(self, job: "dict | None") -> None:
        self._job = job
        kept: dict = {"sequence": self._sequence}
        if job:
            kept["job"] = job
        try:
            atomic.replace_json(self._path, kept)
        except OSError as error:
            self._log.error("update", "what is to be done cannot be stored: %s", error)
