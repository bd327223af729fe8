"""The nine statuses of a connector and the steps between them that OCPP 1.6 §4.9 allows.

`allowed(old, new)` reads the standard's table; `path(old, new)` gives the statuses to report, in order, so that
every step of a report is in the table even when the connector itself went faster than its reports.
"""

AVAILABLE = "Available"
PREPARING = "Preparing"
CHARGING = "Charging"
SUSPENDED_EV = "SuspendedEV"
SUSPENDED_EVSE = "SuspendedEVSE"
FINISHING = "Finishing"
RESERVED = "Reserved"
UNAVAILABLE = "Unavailable"
FAULTED = "Faulted"

_ORDER = (
    AVAILABLE,
    PREPARING,
    CHARGING,
    SUSPENDED_EV,
    SUSPENDED_EVSE,
    FINISHING,
    RESERVED,
    UNAVAILABLE,
    FAULTED,
)

# OCPP 1.6 §4.9: rows A to I are the status before, columns 1 to 9 the status after, both in `_ORDER`.
_TABLE = {
    #              1 2 3 4 5 6 7 8 9
    AVAILABLE: "   . x x x x . x x x",
    PREPARING: "   x . x x x x . . x",
    CHARGING: "    x . . x x x . x x",
    SUSPENDED_EV: "x . x . x x . x x",
    SUSPENDED_EVSE: "x . x x . x . x x",
    FINISHING: "   x x . . . . . x x",
    RESERVED: "    x x . . . . . x x",
    UNAVAILABLE: " x x x x x . . . x",
    FAULTED: "     x x x x x x x x .",
}

# Where the table has no direct step, the status that lies between. A cable that stays in after its chance to
# charge is gone is Finishing; a charging status always began with Preparing; the rest passes by Available.
_DETOURS = {
    (AVAILABLE, FINISHING): PREPARING,
    (PREPARING, UNAVAILABLE): FINISHING,
    (CHARGING, PREPARING): FINISHING,
    (SUSPENDED_EV, PREPARING): FINISHING,
    (SUSPENDED_EVSE, PREPARING): FINISHING,
    (FINISHING, CHARGING): PREPARING,
    (FINISHING, SUSPENDED_EV): PREPARING,
    (FINISHING, SUSPENDED_EVSE): PREPARING,
    (RESERVED, CHARGING): PREPARING,
    (RESERVED, SUSPENDED_EV): PREPARING,
    (RESERVED, SUSPENDED_EVSE): PREPARING,
    (RESERVED, FINISHING): PREPARING,
    (UNAVAILABLE, FINISHING): PREPARING,
}


def allowed(old: str, new: str) -> bool:
    """Is the step from `old` to `new` in the standard's table?"""
    return _TABLE[old].split()[_ORDER.index(new)] == "x"


def path(old: "str | None", new: str) -> "tuple[str, ...]":
    """The statuses to report after `old` (None: nothing reported yet) up to and with `new`."""
    if old is None or old == new or allowed(old, new):
        return (new,)
    between = _DETOURS.get((old, new), AVAILABLE)
    return (between,) + path(between, new)
