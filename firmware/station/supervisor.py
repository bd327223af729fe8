"""Keeps the station's tasks alive: one that dies is logged, counted and restarted after a pause.

`start` a task by name, ask `healthy` before the watchdog is fed, read `restarts`.
The pause grows with each death, so that a broken device does not fill the log; a time of health resets it.
"""

import asyncio
import gc
import time

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Coroutine

    from station.log import Log

FIRST_PAUSE_MS = const(1000)
LONGEST_PAUSE_MS = const(60_000)
HEALTHY_AFTER_MS = const(60_000)  # a task that ran this long is forgiven its earlier deaths


class Supervisor:
    """`sleep_ms` and `ticks_ms` stand for asyncio's and time's, so that a test need not wait."""

    def __init__(
        self,
        log: "Log",
        sleep_ms: "Callable[[int], Coroutine[Any, Any, None]] | None" = None,
        ticks_ms: "Callable[[], int] | None" = None,
    ) -> None:
        self._log = log
        self._sleep_ms = sleep_ms or asyncio.sleep_ms
        self._ticks_ms = ticks_ms or time.ticks_ms
        self._tasks: dict = {}
        self._down: set[str] = set()  # names of critical tasks that do not run at this moment
        self.restarts: dict[str, int] = {}  # name -> times that it had to be restarted in this boot

    def start(self, name: str, run: "Callable[[], Coroutine[Any, Any, None]]", critical: bool = False) -> None:
        """Run the coroutine function `run` as a task, again whenever it raises; once it returns it is done.

        Raises ValueError if a task of that name runs already.
        """
        if name in self._tasks:
            raise ValueError("supervisor: task %r runs already" % name)
        self._down.discard(name)
        self._tasks[name] = asyncio.create_task(self._keep(name, run, critical))

    def healthy(self) -> bool:
        """Every critical task runs.

        One that waits for its restart counts as down, so that the watchdog resets a board whose critical task
        keeps dying: its pause outgrows the watchdog's patience.
        """
        return not self._down

    def stop(self) -> None:
        """Cancel every task, but not the one that calls."""
        current = asyncio.current_task()
        for task in list(self._tasks.values()):
            if task is not current:
                task.cancel()

    async def _keep(self, name: str, run: "Callable[[], Coroutine]", critical: bool) -> None:
        pause_ms = FIRST_PAUSE_MS
        try:
            while True:
                began = self._ticks_ms()
                try:
                    await run()
                    return
                except Exception as error:
                    gc.collect()  # it may have died of a full heap; the log needs a little of it
                    self._log.exception("supervisor", "task %s died" % name, error)
                if critical:
                    self._down.add(name)
                if time.ticks_diff(self._ticks_ms(), began) >= HEALTHY_AFTER_MS:
                    pause_ms = FIRST_PAUSE_MS
                self._log.info("supervisor", "task %s restarts in %d ms", name, pause_ms)
                await self._sleep_ms(pause_ms)
                self.restarts[name] = self.restarts.get(name, 0) + 1
                pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
                self._down.discard(name)
        finally:
            del self._tasks[name]
            if critical:
                self._down.add(name)
