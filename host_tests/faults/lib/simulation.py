"""An event loop that waits for nothing: where asyncio would wait, the simulated clock moves to the next timer.

`run(coroutine, flash)` runs until the coroutine is done, and raises PowerCut as soon as `flash` has lost its power:
then no task goes on, as in a board. Whatever tasks are left are forgotten.

The loop is asyncio's own. Its tasks and their queue are not: those of the port order what is ready by the real clock,
and no run would be like the one before. Here it is the simulated clock, and the order in which they became ready.
"""

import asyncio
import time
from asyncio import core

from flashes import PowerCut

_MOST_TURNS = 2_000_000  # of the loop: a firmware that never waits must not hang the test


class Runaway(BaseException):
    """The tasks go on and on; no handler of the firmware may take this for an error of its own."""


class Queue:
    """Tasks by the time at which they are due, equals as they came: the interface of asyncio's TaskQueue."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, due=None):
        task.data = None
        task.ph_key = due = time.ticks_ms() if due is None else due
        tasks = self._tasks
        at = len(tasks)
        while at and tasks[at - 1].ph_key > due:
            at -= 1
        tasks.insert(at, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """What asyncio's loop and its users ask of a task. The loop keeps in `state`: True while it runs, or a queue of
    those who wait for it; None when it is done, False when somebody has heard so. `data` is what it waits on, an
    exception to be thrown into it, and in the end the one that it ended with."""

    def __init__(self, coro, _globals=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = Queue()
        return self

    def __next__(self):
        if self.state:
            self.state.push(core.cur_task)
            core.cur_task.data = self
        elif self.data is None:
            raise StopIteration
        else:
            raise self.data

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        assert self is not core.cur_task, "a task cannot cancel itself"
        task = self
        while isinstance(task.data, Task):  # it waits for that one, which is cancelled in its place
            task = task.data
        if isinstance(task.data, Queue):
            task.data.remove(task)
            core._task_queue.push(task)
        elif task.ph_key > time.ticks_ms():
            core._task_queue.remove(task)
            core._task_queue.push(task)
        task.data = core.CancelledError
        return True


class _Sockets:
    """In the place of asyncio's queue of sockets: there are none."""

    def __init__(self, flash):
        self.map = {}
        self._flash = flash
        self._turns = 0

    def wait_io_event(self, wait_ms):
        if self._flash.dead:
            raise PowerCut("the flash has lost its power")
        self._turns += 1
        if self._turns > _MOST_TURNS:
            raise Runaway("%d turns of the loop" % self._turns)
        if wait_ms > 0:
            time.advance(wait_ms)


core.TaskQueue, core.Task = Queue, Task


def run(coroutine, flash):
    """What the coroutine returns."""
    core.new_event_loop()
    core._io_queue = _Sockets(flash)
    return asyncio.run(coroutine)
