"""The control commands: one table of what there is and what it takes, one check for each kind of argument.

`run(cmd, arguments)` does a command at once and returns what the answer has besides "ok", or raises ValueError with a
text that names the argument, the value and what is allowed. README.md beside this file describes them to users.
"""

from binascii import unhexlify

from ev import PARAMETERS
from modbus_slave import HOWS as METER_HOWS
from outlet import ALARM_CODES, CONTACTOR_HOWS, LOCK_HOWS
from reader import HOWS as READER_HOWS

# command: arguments that it must have, arguments that it may have
COMMANDS = {
    "ping": ((), ()),
    "plug": (("connector",), ("ev",)),
    "unplug": (("connector",), ()),
    "swipe": ((), ("token", "uid", "connectors")),
    "card_in": (("uid",), ("connectors",)),
    "card_out": (("uid",), ("connectors",)),
    "ev_pause": (("connector",), ()),
    "ev_resume": (("connector",), ()),
    "fault": (("connector", "code"), ("on",)),
    "break": (("part", "how"), ("connector", "pole")),
    "meter": (("connector",), ("add_wh", "set_wh")),
    "ws": (("up",), ()),
    "advance": (("s",), ()),
    "state": ((), ()),
    "watch": ((), ()),
}
FOR_ALL = ("fault", "break")  # take connector 0 for all connectors
# codes that a part's defect brings about, besides those with an alarm contact
PART_CODES = (
    "ConnectorLockFailure",
    "EVCommunicationError",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
)
PARTS = {"contactor": CONTACTOR_HOWS, "lock": LOCK_HOWS, "meter": METER_HOWS, "reader": READER_HOWS}
MAX_TOKEN = 64  # characters; more than an id tag may have, so that a reader's nonsense can be tried
HEX_DIGITS = "0123456789ABCDEFabcdef"
MAX_ADVANCE_S = 366 * 86400
MAX_WH = 10**9  # no meter here shows more than 999,999 kWh


def _number(name: str, value, low, high, whole: bool = False):
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "an integer" if whole else "a number"
        raise ValueError("%s must be %s from %s to %s, got %r" % (name, kind, low, high, value))
    return value


def _flag(name: str, value) -> bool:
    if not isinstance(value, bool):
        raise ValueError("%s must be true or false, got %r" % (name, value))
    return value


def _choice(name: str, value, choices) -> str:
    if value not in choices:
        raise ValueError("%s must be one of %s, got %r" % (name, ", ".join(choices), value))
    return value


def _token(name: str, value) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TOKEN or "\n" in value:
        raise ValueError("%s must be a line of 1 to %d characters, got %r" % (name, MAX_TOKEN, value))
    return value


def _uid(name: str, value) -> bytes:
    if isinstance(value, str) and len(value) in (8, 14, 20) and not value.strip(HEX_DIGITS):
        return unhexlify(value)
    raise ValueError("%s must be 4, 7 or 10 bytes in hexadecimal, got %r" % (name, value))


def _ev(parameters) -> dict:
    if not isinstance(parameters, dict):
        raise ValueError("ev must be an object, got %r" % (parameters,))
    for name, value in parameters.items():
        low, high, default = PARAMETERS[_choice("ev parameter", name, sorted(PARAMETERS))]
        if low is False:
            _flag("ev." + name, value)
        elif value is not None or default is not None:
            _number("ev." + name, value, low, high, name == "phases")
    return parameters


class Commands:
    """`app` has `snapshot() -> dict` and `network(up: bool)`."""

    def __init__(self, world, app) -> None:
        self._world = world
        self._app = app

    def run(self, cmd, arguments: dict) -> dict:
        """Check and do; the world is saved before this returns."""
        must, may = COMMANDS[_choice("cmd", cmd, sorted(COMMANDS))]
        values = {}
        for name, value in arguments.items():
            values[name] = self._check(cmd, _choice(cmd + ": argument", name, must + may), value)
        for name in must:
            if name not in values:
                raise ValueError("%s: argument %s is missing" % (cmd, name))
        answer = getattr(self, "_do_" + cmd)(**values)
        self._world.save()
        return answer or {}

    def _check(self, cmd: str, name: str, value):
        """The value of an argument; raises ValueError if it cannot be one."""
        if name == "connector":
            return _number(name, value, 0 if cmd in FOR_ALL else 1, len(self._world.outlets), True)
        if name == "connectors":
            if not isinstance(value, list) or not value:
                raise ValueError("connectors must be a list of integers, got %r" % (value,))
            return [_number(name, number, 1, len(self._world.outlets), True) for number in value]
        if name in ("on", "up"):
            return _flag(name, value)
        if name == "pole":
            return _number(name, value, 1, len(self._world.outlets[0].poles), True)
        if name == "s":
            return _number(name, value, 0, MAX_ADVANCE_S)
        if name in ("add_wh", "set_wh"):
            return _number(name, value, -MAX_WH if name == "add_wh" else 0, MAX_WH, whole=True)
        if name == "ev":
            return _ev(value)
        if name == "code":
            return _choice(name, value, ALARM_CODES + PART_CODES)
        if name == "part":
            return _choice(name, value, sorted(PARTS))
        if name == "token":
            return _token(name, value)
        if name == "uid":
            return _uid(name, value)
        return value  # `how`, which depends on the part

    def _outlet(self, connector: int):
        return self._world.outlets[connector - 1]

    def _outlets(self, connector: int) -> tuple:
        """That outlet, or for 0 all."""
        return (self._outlet(connector),) if connector else self._world.outlets

    def _do_ping(self) -> None:
        pass

    def _do_plug(self, connector, ev=None) -> None:
        self._outlet(connector).plug(ev or {})

    def _do_unplug(self, connector) -> None:
        self._outlet(connector).unplug()

    def _do_swipe(self, token=None, uid=None, connectors=None) -> None:
        if (token is None) == (uid is None):
            raise ValueError("swipe: one of the arguments token and uid is needed")
        if uid is None:
            self._world.reader(connectors).swipe(token)
        else:
            self._world.chip(connectors).field.swipe(uid)

    def _do_card_in(self, uid, connectors=None) -> None:
        self._world.chip(connectors).field.card_in(uid)

    def _do_card_out(self, uid, connectors=None) -> None:
        self._world.chip(connectors).field.card_out(uid)

    def _do_ev_pause(self, connector) -> None:
        outlet = self._outlet(connector)
        outlet.settle()
        outlet.car().pause()

    def _do_ev_resume(self, connector) -> None:
        outlet = self._outlet(connector)
        now = outlet.settle()
        outlet.car().resume(now)

    def _do_fault(self, connector, code, on=True) -> None:
        for outlet in self._outlets(connector):
            if code in ALARM_CODES:
                outlet.alarm(code, on)
            elif code == "EVCommunicationError":
                outlet.shorted = on
            elif code == "PowerMeterFailure":
                outlet.meter.how = "silent" if on else "ok"
            elif code == "ConnectorLockFailure":
                outlet.break_lock("jammed" if on else "ok")
            elif code == "PowerSwitchFailure":
                # whichever of the two shows at once
                outlet.settle()
                broken = "stuck" if outlet.contactor.position else "welded"
                outlet.break_contactor(broken if on else "ok")
        if code == "ReaderFailure":
            for _, connectors in self._world.readers():
                if connector == 0 or connector in connectors:
                    self._world.break_readers(connectors, "silent" if on else "ok")

    def _do_break(self, part, how, connector=None, pole=0) -> None:
        _choice("how", how, PARTS[part])
        if pole and part != "contactor":
            raise ValueError("break: a %s has no poles" % part)
        if part == "reader":
            self._world.break_readers([connector] if connector else None, how)
            return
        if connector is None:
            raise ValueError("break: argument connector is missing")
        for outlet in self._outlets(connector):
            if part == "contactor":
                outlet.break_contactor(how, pole)
            elif part == "lock":
                outlet.break_lock(how)
            else:
                outlet.meter.how = how

    def _do_meter(self, connector, add_wh=None, set_wh=None) -> None:
        if (add_wh is None) == (set_wh is None):
            raise ValueError("meter: expected one of add_wh, set_wh")
        outlet = self._outlet(connector)
        wh = outlet.register_wh + add_wh if set_wh is None else set_wh
        outlet.turn_meter(_number("add_wh: the register then", wh, 0, MAX_WH, whole=True))

    def _do_ws(self, up) -> None:
        self._app.network(up)

    def _do_advance(self, s) -> None:
        self._world.advance(round(s * 1000))

    def _do_state(self) -> dict:
        """The firmware's view, and beside it what the world really is like."""
        state = self._app.snapshot()
        state["at_ms"] = self._world.now()
        state["flash_programmed"] = self._world.flash.bytes_programmed if self._world.flash else 0
        connectors = {row["id"]: row for row in state.get("connectors", ())}
        state["connectors"] = []
        for row in self._world.describe():
            merged = connectors.pop(row["id"], {})
            merged.update(row)
            state["connectors"].append(merged)
        return {"state": state}

    def _do_watch(self) -> None:
        pass  # the connection does it
