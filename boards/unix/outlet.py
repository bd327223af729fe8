"""One connector's physical side: pilot line, contactor, lock, alarm contacts, meter, and the car, wired to each other.

Everything is a function of time, worked out when somebody looks (`settle`): between two looks the current is constant
but for the few times that the parts know beforehand, so that energy is exact however far apart the looks are.
Terminals are numbers from 0; `machine` calls `drive`, `level`, `wave`, `analog` for them. None of these allocates.
"""

import ev
from actuator import Actuator
from meter_models import MODELS
from micropython import const
from modbus_slave import Meter

# terminals
COIL = const(0)
COIL_FEEDBACK = const(1)
PILOT = const(2)
PILOT_HIGH = const(3)
PILOT_LOW = const(4)
LOCK = const(5)
LOCK_FEEDBACK = const(6)
ALARMS = const(8)  # the first of len(ALARM_CODES)
TERMINALS = const(20)

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
)
CONTACTOR_HOWS = ("ok", "welded", "stuck")
LOCK_HOWS = ("ok", "jammed")

VOLTAGE_DV = const(2300)
_CONTACTOR_MS = const(20)
_LOCK_MS = const(50)
_LEVELS_MV = (12000, 9000, 6000, 3000)  # high plateau in A, B, C, D
_WH = const(3_600_000_000)  # mW ms
_STEADY = const(65535)


class Outlet:
    """`now()` gives ms since the process began; `save()` is called when the meter's register was read. `meter` is a
    key of `meter_models.MODELS`, `address` its Modbus address."""

    def __init__(self, number: int, phases: int, now, save, meter: str = "SDM630", address: int = 1) -> None:
        self.number = number
        self.phases = phases
        self._now = now
        self.contactor = Actuator(_CONTACTOR_MS)
        self.lock = Actuator(_LOCK_MS)
        self.meter = Meter(MODELS[meter], self._measure, save, address)
        self.ev = None
        self.energy = 0  # mW ms
        self.alarms = 0  # a bit for each of ALARM_CODES
        self.shorted = False
        self.dirty = False  # something changed by itself that ought to outlive the process
        self._frequency = 0
        self._duty = 0
        self._settled = now()

    # --- time

    def settle(self) -> int:
        """Bring everything up to the present; returns it, in ms."""
        now = self._now()
        at = self._settled
        self._move(at)
        while at < now:
            until = now
            if at < self.contactor.moves_at < until:
                until = self.contactor.moves_at
            if self.ev:
                until = min(until, self.ev.next_event(at))
                self.energy += self._power_mw(at) * (until - at)
            at = until
            self._move(at)
        self._settled = now
        return now

    def _move(self, at: int) -> None:
        """What happens at this moment by itself."""
        if self.contactor.settle(at) and self.ev:
            self.ev.energize(self.contactor.position == 1, at)
        if self.lock.settle(at):
            self.dirty = True
        if self.ev and at >= self.ev.leave_at:
            self.ev = None
            self.dirty = True

    def _power_mw(self, at: int) -> int:
        return self.current_ma(at) * min(self.ev.phases, self.phases) * VOLTAGE_DV // 10 if self.ev else 0

    def current_ma(self, at: int) -> int:
        """In each phase that the car uses."""
        return self.ev.current_ma(at) if self.ev and self.contactor.position else 0

    # --- what `machine` does

    def drive(self, terminal: int, level: int) -> None:
        now = self.settle()
        if terminal == COIL:
            self.contactor.drive(level, now)
        elif terminal == LOCK:
            self.lock.drive(level, now)
        elif terminal != PILOT:
            raise ValueError("nothing takes an output at terminal %d" % terminal)

    def level(self, terminal: int) -> int:
        if terminal >= ALARMS:
            return self.alarms >> (terminal - ALARMS) & 1
        self.settle()
        if terminal == COIL_FEEDBACK:
            return self.contactor.position
        if terminal == LOCK_FEEDBACK:
            return self.lock.position
        return 0

    def wave(self, terminal: int, frequency: int, duty_u16: int) -> None:
        now = self.settle()
        if terminal != PILOT:
            raise ValueError("nothing takes a wave at terminal %d" % terminal)
        self._frequency, self._duty = frequency, duty_u16
        if self.ev:
            self.ev.offer(ev.offered_ma(duty_u16, frequency), now)

    def analog(self, terminal: int) -> int:
        """The plateaus of the pilot, -15 V to +15 V as 0 to 65535."""
        millivolts = 0
        if terminal in (PILOT_HIGH, PILOT_LOW):
            millivolts = self._pilot_mv(terminal == PILOT_LOW, self.settle())
        return 32768 + millivolts * 32768 // 15000

    def _pilot_mv(self, low: bool, now: int) -> int:
        if self.shorted:
            return 0
        state = self.ev.state(now) if self.ev else ev.A
        if self._duty and not (low and self._duty < _STEADY):
            return _LEVELS_MV[state]
        if state == ev.A or self.ev.diode(now):
            return -12000
        return -_LEVELS_MV[state]

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

    def arrive(self, parameters: dict, at: int) -> None:
        now = self.settle()
        self.ev = ev.EV(parameters, at)
        self.ev.offer(ev.offered_ma(self._duty, self._frequency), now)
        self.ev.energize(self.contactor.position == 1, now)

    def unplug(self) -> None:
        """The car's end of the cable is pulled; the lock holds only ours."""
        self.settle()
        self.car()
        self.ev = None

    def car(self) -> "ev.EV":
        """The car; raises ValueError if there is none."""
        if self.ev is None:
            raise ValueError("connector %d has no car" % self.number)
        return self.ev

    def alarm(self, code: str, on: bool) -> None:
        """Open or close the alarm contact of one of ALARM_CODES."""
        bit = 1 << ALARM_CODES.index(code)
        self.alarms = self.alarms | bit if on else self.alarms & ~bit

    def break_contactor(self, how: str) -> None:
        """One of CONTACTOR_HOWS: welded is closed whatever the coil says, stuck is open."""
        now = self.settle()
        if how == "ok":
            self.contactor.release()
        else:
            self.contactor.hold(how, 1 if how == "welded" else 0)
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

    def describe(self) -> dict:
        """For the control commands `state` and `watch`."""
        now = self.settle()
        state = "ABCD"[self.ev.state(now)] if self.ev else "A"
        if self.shorted:
            state = "E"
        elif not self._duty:
            state = "F"
        return {
            "id": self.number,
            "pilot": state,
            "contactor": self.contactor.position == 1,
            "coil_ms": self.contactor.driven_at,
            "locked": self.lock.position == 1,
            "power_w": self._power_mw(now) // 1000,
            "energy_wh": self.energy // _WH,
            "ev": self.ev.describe(now) if self.ev else None,
        }
