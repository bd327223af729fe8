"""A car at the cable: what it shows to the pilot and how much it draws, as a function of time.

The station's side tells it what happens (`offer`, `energize`), a tester what it shall do (`pause`, `resume`); both at
a time `now` in ms. `state`, `current_ma` and `diode` then answer for any moment after that without anything running in
between: whatever the car will do by itself lies in a few times known beforehand, which `next_event` tells.
"""

from micropython import const

A = const(0)
B = const(1)
C = const(2)
D = const(3)

NEVER = const(1 << 60)  # ms; no interrupt touches it: on a 32-bit board it is a big integer

# parameter: lowest, highest, default; None is "not at all". Seconds, amperes, phases, yes or no.
PARAMETERS = {
    "plug_delay_s": (0, 86400, 0),
    "draw_delay_s": (0, 86400, 0),
    "ramp_s": (0, 86400, 0),
    "current_a": (0, 80, 16),
    "phases": (1, 3, 3),
    "auto_unplug_s": (0, 864000, None),
    "diode_fail_after_s": (0, 86400, None),
    "ventilation": (False, True, False),
}


def offered_ma(duty_u16: int, frequency: int) -> int:
    """The current in mA that a car takes for offered at this wave, IEC 61851-1 Annex A table A.8; 0 for none."""
    percent = duty_u16 * 100 / 65535
    if not 980 <= frequency <= 1020 or percent < 8 or percent > 97:
        return 0
    if percent <= 85:
        return max(6000, round(percent * 600))
    return min(80000, round((percent - 64) * 2500))


class EV:
    """One car, plugged at `at`. `parameters` has some of the names in PARAMETERS; the rest are the defaults."""

    def __init__(self, parameters: dict, at: int) -> None:
        self.parameters = parameters
        self.at = at
        self.paused = False
        self.on_change = None  # called when what it shows to the pilot changes by a tester's hand
        self.phases = self._get("phases")
        self.connect_at = at + self._ms("plug_delay_s")
        self.leave_at = self._after_connect("auto_unplug_s")
        self._diode_at = self._after_connect("diode_fail_after_s")
        self._draw_delay = self._ms("draw_delay_s")
        self._ramp = self._ms("ramp_s")
        self._current_ma = round(self._get("current_a") * 1000)
        self._asking = D if self._get("ventilation") else C
        self._offered_ma = 0
        self._draw_at = NEVER  # from then on the car is in C or D
        self._energized = False
        self._flow_at = NEVER  # from then on current flows

    def _get(self, name: str):
        return self.parameters.get(name, PARAMETERS[name][2])

    def _ms(self, name: str) -> int:
        return round(self._get(name) * 1000)

    def _after_connect(self, name: str) -> int:
        return NEVER if self._get(name) is None else self.connect_at + self._ms(name)

    def offer(self, milliamps: int, now: int) -> None:
        """The wave now offers so much; 0: no wave, and the car goes back to B at once."""
        if not milliamps:
            self._draw_at = NEVER
        elif not self._offered_ma:
            self._draw_at = max(now, self.connect_at) + self._draw_delay
        self._offered_ma = milliamps
        self._plan(now)

    def energize(self, on: bool, now: int) -> None:
        """The contact closed or opened."""
        if on != self._energized:
            self._energized = on
            self._flow_at = NEVER
            self._plan(now)

    def pause(self) -> None:
        """Back to B, though a current is offered."""
        self.paused = True
        self._flow_at = NEVER
        self._changed()

    def resume(self, now: int) -> None:
        self.paused = False
        self._plan(now)
        self._changed()

    def _changed(self) -> None:
        if self.on_change:
            self.on_change()

    def _plan(self, now: int) -> None:
        """Current flows `ramp_s` after all that it needs is there, and goes on flowing while it is."""
        if self.paused or not self._energized or self._draw_at == NEVER:
            self._flow_at = NEVER
        elif self._flow_at == NEVER:
            self._flow_at = max(now, self._draw_at) + self._ramp

    def state(self, now: int) -> int:
        """A before the plug is in, then B, C or D."""
        if now < self.connect_at or now >= self.leave_at:
            return A
        return B if self.paused or now < self._draw_at else self._asking

    def current_ma(self, now: int) -> int:
        """What flows in each of its phases."""
        if now < self._flow_at or self.state(now) < C:
            return 0
        return min(self._current_ma, self._offered_ma)

    def diode(self, now: int) -> bool:
        """Is the diode whole?"""
        return now < self._diode_at

    def turns(self) -> "list[int]":
        """The times at which what it shows to the pilot may change by itself."""
        return [self.connect_at, self._draw_at, self._diode_at, self.leave_at]

    def next_event(self, after: int) -> int:
        """The next time after `after` at which its current changes by itself, or NEVER."""
        event = NEVER
        if after < self._flow_at < event:
            event = self._flow_at
        if after < self._draw_at < event:
            event = self._draw_at
        if after < self.leave_at < event:
            event = self.leave_at
        return event

    def describe(self, now: int) -> dict:
        """For `state` and `watch`: what it does, and what it draws."""
        state = self.state(now)
        if state == A:
            doing = "arriving"
        elif self.paused:
            doing = "paused"
        elif state == B:
            doing = "connected"
        else:
            doing = "charging" if now >= self._flow_at else "waiting"
        return {"doing": doing, "current_a": self.current_ma(now) / 1000, "phases": self.phases}
