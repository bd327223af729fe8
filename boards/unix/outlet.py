"""One connector's physical side: pilot line, contactor, lock, alarm contacts, meter, and the car, wired to each other.

Everything is a function of time, worked out when somebody looks (`settle`): between two looks the current is constant
but for the few times that the parts know beforehand, so that energy is exact however far apart the looks are.
Terminals are numbers from 0; `machine` calls `drive`, `level`, `wave`, `analog` for them. `level`, `analog` and `drive`
for a coil may come from a hard interrupt, also in the midst of `settle`: they look at the clock, touch nothing but
actuators and pilot line, and allocate nothing.
"""

import time

import ev
from actuator import Actuator
from meter_models import MODELS
from micropython import const
from modbus_slave import Meter
from pilot_line import PilotLine

# terminals
COIL = const(0)
COIL_FEEDBACK = const(1)
PILOT = const(2)
PILOT_HIGH = const(3)  # the plateaus, held
PILOT_LOW = const(4)
LOCK = const(5)
LOCK_FEEDBACK = const(6)
ALARMS = const(8)  # the first of len(ALARM_CODES)
LEDS = const(24)  # red, green, blue
COIL_2 = const(30)
COIL_2_FEEDBACK = const(31)
MIRROR = const(32)  # of the first pole: closed while the pole is open (IEC 60947-4-1 annex F)
MIRROR_2 = const(33)
PRECHARGE = const(34)
PILOT_WAVE = const(35)  # the line as it is at the moment
PILOT_SENSE = const(36)  # the level of the wave
TERMINALS = const(40)

# what has an alarm contact
ALARM_CODES = (
    "EmergencyStop",
    "GroundFailure",
    "OverCurrentFailure",
    "HighTemperature",
    "OverVoltage",
    "UnderVoltage",
    "OtherError",
    "InternalError",
    "WeakSignal",
    "ResetFailure",
    "EnclosureOpen",
    "ResidualCurrent",
)
CONTACTOR_HOWS = ("ok", "welded", "stuck")
LOCK_HOWS = ("ok", "jammed")
COLOURS = ("dark", "red", "green", "yellow", "blue", "magenta", "cyan", "white")  # by the diodes that shine, as bits

VOLTAGE_DV = const(2300)
_CONTACTOR_MS = const(20)
_LOCK_MS = const(50)
_LEVELS_V = (12, 9, 6, 3)  # high plateau in A, B, C, D; frozen in a tuple, 12000 would be a big integer
_WH = const(3_600_000_000)  # mW ms
_HORIZON_MS = const(1 << 28)  # that ticks can tell apart


class Outlet:
    """`now()` gives ms since the process began; `save()` is called when the meter's register was read.

    `poles`: 1 or 2, one coil each. `meter` is a key of `meter_models.MODELS`, `address` its Modbus address.
    `ticks_ms` and `ticks_us` stand for those of `time`, which go with `now`.
    """

    def __init__(
        self,
        number: int,
        phases: int,
        now,
        save,
        poles: int = 1,
        meter: str = "SDM630",
        address: int = 1,
        ticks_ms=time.ticks_ms,
        ticks_us=time.ticks_us,
    ) -> None:
        self.number = number
        self.phases = phases
        self._now = now
        self._ticks_ms = ticks_ms
        self.poles = tuple([Actuator(_CONTACTOR_MS, ticks_ms) for _ in range(poles)])
        self.contactor = self.poles[0]
        self._second = self.poles[-1]
        self.precharge = Actuator(_CONTACTOR_MS, ticks_ms)
        self.lock = Actuator(_LOCK_MS, ticks_ms)
        self.line = PilotLine(ticks_ms, ticks_us)
        self.meter = Meter(MODELS[meter], self._measure, save, address)
        self.ev = None
        self.energy = 0  # mW ms
        self.alarms = 0  # a bit for each of ALARM_CODES
        self.dirty = False  # something changed by itself that ought to outlive the process
        self._leds = [0, 0, 0]  # duty of red, green, blue
        self._shorted = False
        self._frequency = 0
        self._duty = 0
        self._settled = now()
        self._plan_at = 0

    # --- time

    def settle(self) -> int:
        """Bring everything up to the present; returns it, in ms. Not from an interrupt."""
        now = self._now()
        ticks = self._ticks_ms()
        at = self._settled
        for part in self.poles:
            part.take(now, ticks, at)
        self.precharge.take(now, ticks, at)
        self.lock.take(now, ticks, at)
        self._move(at)
        while at < now:
            until = now
            for pole in self.poles:
                event = pole.next_event(at)
                if at < event < until:
                    until = event
            if self.ev:
                until = min(until, self.ev.next_event(at))
                self.energy += self._power_mw(at) * (until - at)
            at = until
            self._move(at)
        self._settled = now
        if now >= self._plan_at:
            self._plan(now, ticks)
        return now

    def skipped(self) -> None:
        """The clocks have leapt forward: settle, and tell the pins' side, whose ticks may have gone round."""
        for part in self.poles + (self.precharge, self.lock):
            part.skipped()
        self._replan()

    def _move(self, at: int) -> None:
        """What happens at this moment by itself."""
        for pole in self.poles:
            pole.settle(at)
        if self.ev:
            self.ev.energize(self.is_live(), at)
        self.precharge.settle(at)
        if self.lock.settle(at):
            self.dirty = True
        if self.ev and at >= self.ev.leave_at:
            self.ev = None
            self.dirty = True

    def is_live(self) -> bool:
        """Are all poles closed, as of the last `settle`?"""
        return self.contactor.position == 1 and self._second.position == 1

    def _power_mw(self, at: int) -> int:
        return self.current_ma(at) * min(self.ev.phases, self.phases) * VOLTAGE_DV // 10 if self.ev else 0

    def current_ma(self, at: int) -> int:
        """In each phase that the car uses."""
        return self.ev.current_ma(at) if self.ev and self.is_live() else 0

    # --- what `machine` does

    def drive(self, terminal: int, level: int) -> None:
        if terminal == COIL:
            self.contactor.drive(level)
        elif terminal == COIL_2:
            self._second.drive(level)
        elif terminal == PRECHARGE:
            self.precharge.drive(level)
        elif terminal == LOCK:
            self.lock.drive(level)
        elif LEDS <= terminal < LEDS + 3:
            self._leds[terminal - LEDS] = 65535 if level else 0
        elif terminal != PILOT:
            raise ValueError("nothing takes an output at terminal %d" % terminal)

    def level(self, terminal: int) -> int:
        if terminal == COIL_FEEDBACK:
            return self.contactor.level()
        if terminal == LOCK_FEEDBACK:
            return self.lock.level()
        if terminal == PILOT_SENSE:
            return self.line.sense()
        if terminal == COIL_2_FEEDBACK:
            return self._second.level()
        if terminal == MIRROR:
            return 1 - self.contactor.level()
        if terminal == MIRROR_2:
            return 1 - self._second.level()
        if ALARMS <= terminal < ALARMS + len(ALARM_CODES):
            return self.alarms >> (terminal - ALARMS) & 1
        return 0

    def wave(self, terminal: int, frequency: int, duty_u16: int) -> None:
        if LEDS <= terminal < LEDS + 3:
            self._leds[terminal - LEDS] = duty_u16
            return
        now = self.settle()
        if terminal != PILOT:
            raise ValueError("nothing takes a wave at terminal %d" % terminal)
        self._frequency, self._duty = frequency, duty_u16
        if self.ev:
            self.ev.offer(ev.offered_ma(duty_u16, frequency), now)
        self._replan()
        self.line.wave(frequency, duty_u16)

    def analog(self, terminal: int) -> int:
        """The pilot, -15 V to +15 V as 0 to 65535."""
        if terminal == PILOT_WAVE:
            millivolts = self.line.wave_mv()
        elif terminal in (PILOT_HIGH, PILOT_LOW):
            millivolts = self.line.held(terminal == PILOT_LOW)
        else:
            millivolts = 0
        return 32768 + millivolts * 32768 // 15000

    def _replan(self) -> None:
        """What the pins see of the pilot has changed otherwise than by the passing of time."""
        self._plan(self.settle(), self._ticks_ms())

    def _plan(self, now: int, ticks: int) -> None:
        """Lay out the pilot line from `now` on."""
        turns = self.ev.turns() if self.ev else ()
        times = [now] + sorted([at for at in turns if now < at < now + _HORIZON_MS])
        self.line.plan([(time.ticks_add(ticks, at - now), self._plateau(at, 1), self._plateau(at, 0)) for at in times])
        self._plan_at = now + _HORIZON_MS // 2

    def _plateau(self, at: int, high: int) -> int:
        """The voltage of a plateau at a time, in mV."""
        if self._shorted:
            return 0
        state = self.ev.state(at) if self.ev else ev.A
        if high:
            return _LEVELS_V[state] * 1000
        if state == ev.A or self.ev.diode(at):
            return -12000
        return -1000 * _LEVELS_V[state]

    def _measure(self) -> "tuple[int, int, int, int]":
        now = self.settle()
        phases = min(self.ev.phases, self.phases) if self.ev else 0
        return self.energy // _WH, self.current_ma(now), phases, VOLTAGE_DV

    # --- what a tester does

    def plug(self, parameters: dict) -> None:
        """A car arrives; raises ValueError if there is one."""
        now = self.settle()
        if self.ev:
            raise ValueError("connector %d has a car already: unplug it first" % self.number)
        self.arrive(parameters, now)

    def arrive(self, parameters: dict, at: int, paused: bool = False) -> None:
        now = self.settle()
        self.ev = ev.EV(parameters, at)
        self.ev.paused = paused
        self.ev.on_change = self._replan
        self.ev.offer(ev.offered_ma(self._duty, self._frequency), now)
        self.ev.energize(self.is_live(), now)
        self._replan()

    def unplug(self) -> None:
        """The car's end of the cable is pulled; the lock holds only ours."""
        self.settle()
        self.car()
        self.ev = None
        self._replan()

    @property
    def shorted(self) -> bool:
        """Is the pilot shorted to earth?"""
        return self._shorted

    @shorted.setter
    def shorted(self, on: bool) -> None:
        self._shorted = on
        self._replan()

    def car(self) -> "ev.EV":
        """The car; raises ValueError if there is none."""
        if self.ev is None:
            raise ValueError("connector %d has no car" % self.number)
        return self.ev

    def alarm(self, code: str, on: bool) -> None:
        """Open or close the alarm contact of one of ALARM_CODES."""
        bit = 1 << ALARM_CODES.index(code)
        self.alarms = self.alarms | bit if on else self.alarms & ~bit

    def break_contactor(self, how: str, pole: int = 0) -> None:
        """One of CONTACTOR_HOWS: welded is closed whatever the coil says, stuck is open. `pole`: 1 or 2, 0 is all.

        Raises ValueError if there is no such pole.
        """
        if not 0 <= pole <= len(self.poles):
            raise ValueError("pole must be an integer from 0 to %d, got %r" % (len(self.poles), pole))
        now = self.settle()
        for part in self.poles[pole - 1 : pole] if pole else self.poles:
            if how == "ok":
                part.release()
            else:
                part.hold(how, 1 if how == "welded" else 0)
        self._move(now)

    def turn_meter(self, wh: int) -> None:
        """The meter's register jumps to so many Wh, as it does when the meter is exchanged or goes wrong."""
        self.settle()
        self.energy = wh * _WH

    @property
    def register_wh(self) -> int:
        """What the meter has counted."""
        self.settle()
        return self.energy // _WH

    def break_lock(self, how: str) -> None:
        """One of LOCK_HOWS: jammed stays where it is."""
        self.settle()
        if how == "ok":
            self.lock.release()
        else:
            self.lock.hold(how, self.lock.position)

    def lamp(self) -> "tuple[str, int]":
        """(one of COLOURS, its intensity in %)"""
        lit = [1 << at for at, duty in enumerate(self._leds) if duty]
        return COLOURS[sum(lit)], (max(self._leds) * 100 + 32767) // 65535

    def describe(self) -> dict:
        """For the control commands `state` and `watch`."""
        now = self.settle()
        state = "ABCD"[self.ev.state(now)] if self.ev else "A"
        if self._shorted:
            state = "E"
        elif not self._duty:
            state = "F"
        return {
            "id": self.number,
            "pilot": state,
            "contactor": self.is_live(),
            "poles": [pole.position == 1 for pole in self.poles],
            "coil_ms": max([pole.driven_at for pole in self.poles]),
            "locked": self.lock.position == 1,
            "lamp": self.lamp()[0],
            "lamp_percent": self.lamp()[1],
            "power_w": self._power_mw(now) // 1000,
            "energy_wh": self.energy // _WH,
            "ev": self.ev.describe(now) if self.ev else None,
        }
