"""The hardware watchdog: resets the board unless `feed()` comes at least every `timeout_ms`. It cannot be stopped."""

from machine import WDT


class Watchdog:
    def __init__(self, timeout_ms: int) -> None:
        self._wdt = WDT(timeout=timeout_ms)

    def feed(self) -> None:
        self._wdt.feed()
