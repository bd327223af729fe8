"""Stand-ins for the parts that nearly every part is given: a log that keeps its lines, a clock set by hand."""


class FakeLog:
    """`lines` is a list of (level, area, text); `levels()` and `text()` help assertions."""

    def __init__(self):
        self.lines = []

    def debug(self, area: str, text: str, *args) -> None:
        self._keep("debug", area, text, args)

    def info(self, area: str, text: str, *args) -> None:
        self._keep("info", area, text, args)

    def warning(self, area: str, text: str, *args) -> None:
        self._keep("warning", area, text, args)

    def error(self, area: str, text: str, *args) -> None:
        self._keep("error", area, text, args)

    def exception(self, area: str, text: str, exc: BaseException) -> None:
        self._keep("error", area, text + ": " + repr(exc), ())

    def _keep(self, level, area, text, args):
        # formatted at once, so that a wrong number of arguments fails the test that wrote it
        self.lines.append((level, area, text % args if args else text))

    def at(self, level: str) -> list:
        """The texts of one level, in order."""
        return [text for kept, _, text in self.lines if kept == level]


class FakeClock:
    """The surface of `station.clock.Clock`; time moves only by `set` and `advance`.

    `base` is the epoch second at uptime 0, or 0 while the clock is unset. It is boot 0, and knows no other.
    """

    boot = 0

    def __init__(self, epoch: int = 0, uptime: int = 0):
        self._uptime = uptime
        self.base = epoch - uptime if epoch else 0
        self._waiting = []

    @property
    def is_set(self) -> bool:
        return self.base != 0

    def now(self) -> int:
        return self.base + self._uptime if self.base else 0

    def uptime(self) -> int:
        return self._uptime

    def set(self, epoch: int) -> int:
        """Returns the seconds by which the clock moved, 0 if it was unset."""
        before, self.base = self.base, epoch - self._uptime
        if before:
            return self.base - before
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()
        return 0

    def advance(self, seconds: int) -> None:
        self._uptime += seconds

    def on_set(self, callback) -> None:
        self._waiting.append(callback)

    def stamp(self) -> int:
        return self.now() or self._uptime

    def resolve(self, stamp: int) -> int:
        """A stamp taken before the clock was set is an uptime, less than any epoch second of use."""
        if stamp >= 1 << 30:
            return stamp
        return self.base + stamp if self.base else 0

    def learn(self, boot: int, base: int) -> None:
        pass

    def seen(self, stamp: int) -> None:
        pass

    def iso(self, stamp: int) -> str:
        from station.clock import format_iso

        return format_iso(self.resolve(stamp))
