"""How long to stay away from a backend that cannot be reached.

`next_ms()` is the wait before the next attempt, `reset()` forgets the failures. The rule is that of OCPP 2.0.1
(Part 4 §5.3), whose keys it reads each time: the wait starts at RetryBackOffWaitMinimum seconds and doubles with
each failure, at most RetryBackOffRepeatTimes times; a random part of 0 to RetryBackOffRandomRange seconds is
added anew each time, so that the stations of a site do not come back all at once. Sans-I/O: it waits for nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.settings import Settings


class BackOff:
    """`settings`: the three keys, in whole seconds (the repeat times are a count). `random(n)` gives n random bytes."""

    def __init__(self, settings: "Settings", random: "Callable[[int], bytes]") -> None:
        self._settings = settings
        self._random = random
        self._doubled = 0

    def next_ms(self) -> int:
        """The wait before the next attempt, in ms; the one after it will be longer."""
        doublings = min(self._doubled, self._settings["RetryBackOffRepeatTimes"])
        # Counted no further than the key goes: a key that an operator lowers and raises again acts at once.
        self._doubled = doublings + 1
        wait = self._settings["RetryBackOffWaitMinimum"] * 1000 << doublings
        spread = self._settings["RetryBackOffRandomRange"] * 1000
        return wait + int.from_bytes(self._random(4), "big") % (spread + 1)

    def reset(self) -> None:
        """The backend has answered: the next failure starts from the minimum again."""
        self._doubled = 0
