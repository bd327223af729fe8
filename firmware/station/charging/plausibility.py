"""Is what the energy register shows possible? A bill is made of two of its readings, so a third must not spoil it.

Within a transaction the register only grows, and not by more than the connector can deliver in the time. A reading
that breaks this does not count: the highest plausible one stands. Between transactions anything may happen, a meter
is exchanged: then the new register is the base of what follows, and the log tells of it.
"""

from micropython import const

# what may come on top at once: the step of a coarse register (100 Wh), readings late by seconds, mains above 230 V
_SLACK_WH = const(500)
_VOLTS = const(230)
_MARGIN_PERCENT = const(125)


class Register:
    """One connector's energy register. `current_da` (0.1 A) on `phases` is the most that it can deliver."""

    def __init__(self, current_da: int, phases: int) -> None:
        self._most_w = current_da * phases * _VOLTS * _MARGIN_PERCENT // 1000
        self.restart()

    def restart(self) -> None:
        """Know nothing: the next reading is the base."""
        self._wh = -1  # the highest plausible reading
        self._at = 0  # s, uptime before which it was not read
        self._surplus = 0  # J, by how much it grew faster than it can; it wears off with time
        self._astray = -1  # Wh, the newest reading of a register that jumped
        self._astray_at = 0

    def judge(self, wh: int, asked: int, now: int, bound: bool) -> "tuple[int, str]":
        """(Wh that count, what is wrong or "") of a reading that was taken between the uptimes `asked` and `now` (s).

        `bound`: within a transaction. Else the reading counts whatever it is, and the text is for the log.
        """
        wrong = self._wrong(wh, now)
        if not bound and wrong:
            self.restart()
        elif wrong:
            return self._wh, wrong
        self._surplus = self._surplus_with(wh, now) if bound and self._wh >= 0 else 0
        self._wh, self._at, self._astray = wh, asked, -1
        return wh, wrong

    def _wrong(self, wh: int, now: int) -> str:
        if self._wh < 0:
            return ""
        if wh < self._wh:
            self._astray = -1
            return "the register ran backwards from %d to %d Wh" % (self._wh, wh)
        # A register that jumped goes on from there. Time alone must not make it plausible.
        goes_on = self._astray >= 0 and 0 <= wh - self._astray <= self._deliverable(now - self._astray_at) + _SLACK_WH
        if goes_on or self._surplus_with(wh, now) > _SLACK_WH * 3600:
            self._astray, self._astray_at = wh, now
            return "the register jumped from %d to %d Wh within %d s" % (self._wh, wh, now - self._at)
        return ""

    def _surplus_with(self, wh: int, now: int) -> int:
        return max(0, self._surplus + (wh - self._wh) * 3600 - self._most_w * (now - self._at))

    def _deliverable(self, seconds: int) -> int:
        return self._most_w * seconds // 3600
