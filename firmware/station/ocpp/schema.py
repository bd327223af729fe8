"""The interpreter of payload shapes, and the OCPP error code that each violation of a shape earns.

`check` holds a payload, as `json.loads` gave it, against a shape of `messages.py`: None, or a Violation. It changes
nothing and allocates only to report.

A shape is a tuple of constants, so that it stays in flash where the code is frozen:

    ("object", n, (name, shape, name, shape, …))   the first n properties are required
    ("array", least, shape)                        at least so many items
    ("text", most)                                 a string of at most so many characters
    ("enum", (value, …))                           one of these strings
    ("integer", least)                             not below it; None: any
    ("decimal", None)                              a number with at most one digit after the point
    ("string", None), ("boolean", None)            any
    ("dateTime", None), ("anyURI", None)           strings of these formats

Codes (OCPP-J 1.6 §4.2.3):

* FormationViolation, not the structure of the action's PDU: the payload is no object, or holds an unknown property.
* OccurenceConstraintViolation (so spelled in the standard): a required property is missing, a list is too short.
* TypeConstraintViolation, another JSON type: null is of no type here, true is no integer, nor is 1.0.
* PropertyConstraintViolation, an invalid value: too long, not in the enumeration, out of range, not of the format.

Of several violations the first one counts: an object's properties in the order of its shape, each with all that is
inside it, then unknown properties.
"""

import micropython
from micropython import const

from station.ocpp.formats import is_date_time, is_decimal, is_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    Shape = tuple

FORMATION = "FormationViolation"
OCCURENCE = "OccurenceConstraintViolation"
TYPE = "TypeConstraintViolation"
PROPERTY = "PropertyConstraintViolation"

_SHOWN = const(32)  # characters of an offending value or name that a text shows

_TYPES = {
    "object": dict,
    "array": list,
    "text": str,
    "enum": str,
    "integer": int,
    "decimal": float,
    "string": str,
    "boolean": bool,
    "dateTime": str,
    "anyURI": str,
}
_TYPE_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
}


class Violation:
    """What is wrong with a payload.

    `code` is the errorCode of the CALLERROR; `path` the property ("chargingProfile.chargingSchedule.duration", empty
    for the payload itself); `text` says path, value and what is allowed.
    """

    __slots__ = ("code", "path", "reason")

    def __init__(self, code: str, reason: str, path: str = ""):
        self.code = code
        self.reason = reason
        self.path = path

    @property
    def text(self) -> str:
        return (self.path or "payload") + ": " + self.reason

    def within(self, name: str) -> "Violation":
        """The same, seen from the object or list around it."""
        dot = "" if not self.path or self.path.startswith("[") else "."
        self.path = name + dot + self.path
        return self


def check(shape: "Shape", payload, strict: bool = True) -> "Violation | None":
    """None if `payload` keeps to `shape`, which is that of an object; else its first Violation.

    `strict=False` is for answers to our own requests, which are judged by what we need of them: unknown properties are
    ignored, an optional property that is null counts as absent, a date-time may lack its offset (`clock` takes it for
    UTC then).
    """
    if type(payload) is not dict:
        return Violation(FORMATION, _shown(payload) + " is not an object")
    return _check(shape, payload, strict)


def check_item(shape: "Shape", item) -> "Violation | None":
    """The same for an item of a list, which is of the wrong type if it is no object; always strict."""
    return _check(shape, item, True)


@micropython.native
def _check(shape, value, strict, typeof=type, size=len, types=_TYPES):
    # The last three are never passed: they make globals and built-ins locals, which are much faster.
    kind = shape[0]
    limit = shape[1]
    if typeof(value) is not types[kind] and not (kind == "decimal" and typeof(value) is int):
        return _wrong_type(kind, value)
    if kind == "object":
        fields = shape[2]
        get = value.get
        found = 0
        i = 0
        end = size(fields)
        while i < end:
            item = get(fields[i])
            if item is not None:
                found += 1
                wrong = _check(fields[i + 1], item, strict)
                if wrong is not None:
                    return wrong.within(fields[i])
            elif i < limit + limit:
                return _missing(fields[i], fields[i + 1], value)
            i += 2
        if strict and found != size(value):
            return _surplus(fields, value)
    elif kind == "text":
        if size(value) > limit:
            return _unfit(value, "has %d characters, at most %d are allowed" % (size(value), limit))
    elif kind == "integer":
        if limit is not None and value < limit:
            return _unfit(value, "is less than %d" % limit)
    elif kind == "enum":
        if value not in limit:
            return _unfit(value, "is none of " + ", ".join(limit))
    elif kind == "dateTime":
        if not is_date_time(value, size(value)) and (strict or not is_date_time(value + "Z", size(value) + 1)):
            return _unfit(value, "is no date-time of RFC 3339")
    elif kind == "array":
        if size(value) < limit:
            return Violation(OCCURENCE, "%d items, at least %d are required" % (size(value), limit))
        inner = shape[2]
        for item in value:
            wrong = _check(inner, item, strict)
            if wrong is not None:
                return wrong.within("[%d]" % _index(value, item))
    elif kind == "decimal":
        if not is_decimal(value):
            return _unfit(value, "is no number with at most one digit after the point")
    elif kind == "anyURI" and not is_uri(value):
        return _unfit(value, "is no URI of RFC 3986")
    return None


def _missing(name, shape, value):
    if name in value:
        return _wrong_type(shape[0], None).within(name)
    return Violation(OCCURENCE, "is missing", name)


def _surplus(fields, value):
    """The violation of an object with more properties than were found: one of them is null, or is unknown."""
    known = []
    for i in range(0, len(fields), 2):
        name = fields[i]
        known.append(name)
        if name in value and value[name] is None:
            return _wrong_type(fields[i + 1][0], None).within(name)
    name = sorted([name for name in value if name not in known])[0]
    return Violation(FORMATION, "unknown, known are: " + (", ".join(known) or "none"), name[:_SHOWN])


def _index(items, item):
    """Where this item stands, or the first that is the same object: it breaks the same rule."""
    return [one is item for one in items].index(True)


def _wrong_type(kind, value):
    return Violation(TYPE, _shown(value) + " is not " + _TYPE_NAMES[_TYPES[kind]])


def _unfit(value, reason):
    return Violation(PROPERTY, _shown(value) + " " + reason)


def _shown(value) -> str:
    """`value` as JSON has it, cut; lists and objects only by their type, as they may be long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return '"%s"' % value if len(value) <= _SHOWN else '"%s…"' % value[:_SHOWN]
    return _TYPE_NAMES[type(value)]
