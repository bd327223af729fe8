"""What a port's `machine` has and the unix port's has not: timers, masking of interrupts, watchdog, clock.

`boards/unix/machine.py` gives all of it on; another board that shares those models has a `port.py` of its own.
"""

import _thread
import asyncio
import sys
import time

import machine
import micropython
import utime  # the built-in `time`, which `time.advance` does not move

RESET_STATUS = 75  # exit status that asks whoever started the process to start it again
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)

_irq = _thread.allocate_lock()  # held by whoever may not be interrupted, and by an interrupt while it runs
_main = _thread.get_ident()
_masked = False


def restart() -> None:
    """End the process; whoever started it starts it again."""
    sys.exit(RESET_STATUS)


def disable_irq() -> bool:
    """Let no timer interrupt come until `enable_irq` gets what this returns; nothing within one, as on a board."""
    global _masked  # noqa: PLW0603
    if _masked or _thread.get_ident() != _main:
        return False
    _irq.acquire()
    _masked = True
    return True


def enable_irq(state: bool) -> None:
    global _masked  # noqa: PLW0603
    if state:
        _masked = False
        _irq.release()


class Timer:
    """A timer, soft or hard. Time skipped by `time.advance` gives a soft one just one call.

    A soft one is a task of asyncio: late while the loop is busy. A hard one is a thread in the place of an interrupt:
    it calls while the loop computes, waits for a file or collects garbage, with the heap locked, and never within
    `disable_irq`. It counts real time. The port's threads run at once, not in turns, so what a callback and the rest of
    the firmware share must bear more than an interrupt would ask of it.
    """

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id: int = -1, **kw) -> None:
        self._task = None
        self._calling = False
        self._life = 0  # of the thread: one that finds another number here ends
        if kw:
            self.init(**kw)

    def init(self, *, mode: int = 1, period: int = -1, freq: int = -1, callback=None, hard: bool = False) -> None:
        if freq > 0:
            period = 1000 // freq
        if period < 1 or mode not in (Timer.ONE_SHOT, Timer.PERIODIC):
            raise ValueError("timer period must be at least 1 ms, got %r" % period)
        self.deinit()
        if hard:
            _thread.start_new_thread(self._interrupt, (self._life, mode, period * 1000, callback))
        else:
            self._task = asyncio.create_task(self._run(mode, period, callback))

    async def _run(self, mode: int, period: int, callback) -> None:
        task = asyncio.current_task()
        while True:
            await asyncio.sleep_ms(period)
            self._calling = True
            try:
                callback(self)
            except Exception as error:  # as ports do: shown, and the timer is off
                sys.print_exception(error, sys.stderr)
                return
            finally:
                self._calling = False
            if mode == Timer.ONE_SHOT or self._task is not task:
                return

    def _interrupt(self, life: int, mode: int, period_us: int, callback) -> None:
        due = utime.ticks_us()
        while True:
            due = utime.ticks_add(due, period_us)
            left = utime.ticks_diff(due, utime.ticks_us())
            if left < -period_us:  # the host had no time for us: what was missed is not made up for
                due = utime.ticks_us()
            while left > 0:  # a signal of the garbage collector wakes it early
                utime.sleep_us(left)
                left = utime.ticks_diff(due, utime.ticks_us())
            _irq.acquire()
            try:
                if self._life != life:
                    return
                micropython.heap_lock()
                try:
                    callback(self)
                finally:
                    micropython.heap_unlock()
            except Exception as error:
                sys.print_exception(error, sys.stderr)
                return
            finally:
                _irq.release()
            if mode == Timer.ONE_SHOT:
                return

    def deinit(self) -> None:
        self._life += 1
        task, self._task = self._task, None
        if task and not self._calling:  # else the call comes from the callback, and the task sees it
            task.cancel()


class WDT:
    """Resets the process if it is not fed for `timeout` ms of real time.

    It looks from a task of its own: a hang that lets no task run any more is not caught here, as it is on a board.
    """

    _timeout = _fed = 0
    _life = 0  # of the task that looks: one that finds another number here ends
    _task = None

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        if timeout < 1:
            raise ValueError("watchdog timeout must be at least 1 ms, got %r" % timeout)
        WDT._timeout = timeout  # there is one, whoever asks for it again sets its time
        self.feed()
        WDT._life += 1
        WDT._task = asyncio.create_task(WDT._run(WDT._life))

    def feed(self) -> None:
        WDT._fed = utime.ticks_ms()

    @staticmethod
    async def _run(life: int) -> None:
        while True:
            await asyncio.sleep_ms(min(100, WDT._timeout))
            if WDT._life != life:
                return
            if utime.ticks_diff(utime.ticks_ms(), WDT._fed) > WDT._timeout:
                print("watchdog: not fed for %d ms, reset" % WDT._timeout, file=sys.stderr)
                machine.reset(machine.WDT_RESET)


class RTC:
    """A clock without a battery: it starts on 2000-01-01 with the process."""

    _offset = 946_684_800 - int(time.time())  # s, from the host's clock to this one

    def datetime(self, value: "tuple | None" = None) -> "tuple | None":
        """(year, month, day, weekday, hours, minutes, seconds, subseconds), UTC; with a tuple sets it."""
        if value is None:
            year, month, day, hour, minute, second, weekday = time.gmtime(int(time.time()) + RTC._offset)[:7]
            return year, month, day, weekday, hour, minute, second, 0
        year, month, day, _, hour, minute, second = value[:7]
        if not (2000 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= 31):
            raise ValueError("date out of range: %r" % (value,))
        # `mktime` counts local time: find the day by its number in a year, as `gmtime` counts them
        days = (year - 1970) * 365 + (year - 1969) // 4 + _DAYS_BEFORE[month - 1] + day - 1
        if month > 2 and year % 4 == 0:  # true for all of 2000 to 2099
            days += 1
        RTC._offset = ((days * 24 + hour) * 60 + minute) * 60 + second - int(time.time())
        return None
