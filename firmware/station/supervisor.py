"""Keeps the station's tasks alive: one that dies is logged, counted and restarted after a pause.

`start` a task by name, or `start_critical` one without which the station must not go on, ask `healthy` each time the
watchdog may be fed, read `restarts`. A critical task reports in: to exist is not enough, it may wait for what never
comes. The pause grows with each death, so that a broken device does not fill the log; a time of health resets it.
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
        self._critical: "dict[str, _Pulse]" = {}
        self.down: "set[str]" = set()  # those that wait for their restart
        self.restarts: dict[str, int] = {}  # name -> times that it had to be restarted in this boot

    def start(self, name: str, run: "Callable[[], Coroutine[Any, Any, None]]") -> None:
        """Run the coroutine function `run` as a task, again whenever it raises; once it returns it is done.

        Raises ValueError if a task of that name runs already.
        """
        if name in self._tasks:
            raise ValueError("supervisor: task %r runs already" % name)
        self._tasks[name] = asyncio.create_task(self._keep(name, run))

    def start_critical(
        self, name: str, run: "Callable[[Callable[[], None]], Coroutine[Any, Any, None]]", patience: int
    ) -> None:
        """The same for a task that is missed: when it waits for its restart, when it has ended, and when it has not
        called the `report` that it is given in the last `patience` calls of `healthy`.
        """
        pulse = _Pulse(patience)
        self.start(name, lambda: run(pulse.report))
        self._critical[name] = pulse

    def healthy(self) -> bool:
        """Every critical task runs and has reported in. To be called regularly: it counts calls, not time, because a
        clock that was moved says nothing about a task.

        A task that keeps dying is missed in its pauses, which outgrow the watchdog's patience.
        """
        well = True
        for name, pulse in self._critical.items():
            was_well = pulse.misses <= pulse.patience
            if not pulse.look() or pulse.down:
                well = False
            if was_well and pulse.misses > pulse.patience:
                self._log.error("supervisor", "task %s has not reported in", name)
        return well

    def stop(self) -> None:
        """Cancel every task, but not the one that calls."""
        current = asyncio.current_task()
        for task in list(self._tasks.values()):
            if task is not current:
                task.cancel()

    async def _keep(self, name: str, run: "Callable[[], Coroutine]") -> None:
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
                self._miss(name, True)
                self.down.add(name)
                if time.ticks_diff(self._ticks_ms(), began) >= HEALTHY_AFTER_MS:
                    pause_ms = FIRST_PAUSE_MS
                self._log.info("supervisor", "task %s restarts in %d ms", name, pause_ms)
                await self._sleep_ms(pause_ms)
                self.down.discard(name)
                self.restarts[name] = self.restarts.get(name, 0) + 1
                pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
                self._miss(name, False)
        finally:
            del self._tasks[name]
            self._miss(name, True)

    def _miss(self, name: str, down: bool) -> None:
        """A task is down, or runs again."""
        pulse = self._critical.get(name)
        if pulse:
            pulse.down = down
            pulse.misses = 0


class _Pulse:
    """What is known of a critical task."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.misses = 0
        self.down = False
        self._reported = False

    def report(self) -> None:
        self._reported = True

    def look(self) -> bool:
        """Has it reported in lately?"""
        self.misses = 0 if self._reported else min(self.misses + 1, self.patience + 1)
        self._reported = False
        return self.misses <= self.patience
