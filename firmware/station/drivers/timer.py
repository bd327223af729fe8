"""A periodic call from the soonest timer that the port has: `every(period_ms, callback)`."""

from machine import Timer


def every(period_ms: int, callback, hard: bool = False, timer_id: int = -1) -> Timer:
    """Call `callback(timer)` every `period_ms`; `.deinit()` of what is returned ends it.

    `hard` asks for a call within the interrupt, on ports that have that; the callback must not allocate then.
    `timer_id` is a hardware timer's number, or -1 for a virtual one.
    """
    if hard:
        return Timer(timer_id, mode=Timer.PERIODIC, period=period_ms, callback=callback, hard=True)
    return Timer(timer_id, mode=Timer.PERIODIC, period=period_ms, callback=callback)
