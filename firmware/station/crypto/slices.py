"""Long computations in slices: a generator does a part of the work between two `yield`s and gives its result last.

`run` does all of it at once; `run_in_slices` lets other tasks have the loop in between.
"""

import asyncio
import time

from micropython import const

_SLICE_MS = const(10)  # half of what a task may hold the loop for; a part of the work adds to it

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator


def run(work: "Iterator[bool | None]") -> bool:
    """What `work` gives last."""
    last = None
    for result in work:
        last = result
    return bool(last)


async def run_in_slices(work: "Iterator[bool | None]") -> bool:
    """What `work` gives last; the loop is held for 10 ms and one part of the work at most."""
    last = None
    began = time.ticks_ms()
    for result in work:
        last = result
        if time.ticks_diff(time.ticks_ms(), began) >= _SLICE_MS:
            await asyncio.sleep_ms(0)
            began = time.ticks_ms()
    return bool(last)
