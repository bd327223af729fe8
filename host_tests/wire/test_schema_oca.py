"""`schema.check` against the OCA's JSON schemas, on CPython and inside MicroPython, for each message of the table.

For each message three things are proven: the OCA's schema and ours agree on generated payloads; they agree on each slip
that can be made in the fullest payload; and where ours is stricter, that is one of the lines of `STRICTER`.
"""

import calendar
import copy
import decimal
import json
import re
from importlib import resources

import pytest
from frames_peer import MicroPython
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft4Validator, FormatChecker
from station.ocpp import messages, schema

CORE = [
    "Authorize",
    "BootNotification",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "DataTransfer",
    "GetConfiguration",
    "Heartbeat",
    "MeterValues",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
    "UnlockConnector",
]
LOCAL_AUTH_LIST = ["GetLocalListVersion", "SendLocalList"]
FIRMWARE = ["DiagnosticsStatusNotification", "FirmwareStatusNotification", "GetDiagnostics", "UpdateFirmware"]
ACTIONS = CORE + LOCAL_AUTH_LIST + FIRMWARE
MESSAGES = [(action, direction) for action in ACTIONS for direction in ("request", "response")]

# Where the text of OCPP 1.6 rules out what its schemas take: message, property, keyword, value; a payload of the
# property that only the OCA takes. Beyond that, each dateTime is one of RFC 3339 (OCPP 1.6 §3, "Time notations").
PERIODS = "chargingProfile.chargingSchedule.chargingSchedulePeriod"
STRICTER = [
    ("ChangeAvailability", "connectorId", "minimum", 0, -1),
    ("MeterValues", "connectorId", "minimum", 0, -1),
    ("RemoteStartTransaction", "connectorId", "minimum", 1, 0),
    ("RemoteStartTransaction", "chargingProfile.stackLevel", "minimum", 0, -1),
    ("RemoteStartTransaction", PERIODS, "minItems", 1, []),
    ("StartTransaction", "connectorId", "minimum", 1, 0),
    ("StatusNotification", "connectorId", "minimum", 0, -1),
    ("StopTransaction", "transactionData[0].sampledValue", "minItems", 1, []),
    ("UnlockConnector", "connectorId", "minimum", 1, 0),
]
CODES = {
    "type": schema.TYPE,
    "required": schema.OCCURENCE,
    "minItems": schema.OCCURENCE,
    "additionalProperties": schema.FORMATION,
    "maxLength": schema.PROPERTY,
    "enum": schema.PROPERTY,
    "minimum": schema.PROPERTY,
    "multipleOf": schema.PROPERTY,
    "format": schema.PROPERTY,
}


@pytest.fixture(scope="module")
def micropython():
    process = MicroPython()
    yield process
    process.close()


# ---- the OCA's side


def oca(action, direction, parse_float=decimal.Decimal):
    name = action + ("Response" if direction == "response" else "") + ".json"
    text = (resources.files("ocpp.v16") / "schemas" / name).read_text("utf-8-sig")
    return json.loads(text, parse_float=parse_float)


def with_prose(action, direction):
    """The OCA's schema with the lines of STRICTER written into it."""
    changed = oca(action, direction)
    for line_action, path, keyword, value, _ in STRICTER:
        if (line_action, "request") == (action, direction):
            place = changed
            for step in path.replace("[0]", ".items").split("."):
                place = place["items"] if step == "items" else place["properties"][step]
            place[keyword] = value
    return changed


formats = FormatChecker(())


@formats.checks("date-time")
def is_date_time(text):
    """RFC 3339 §5.6, less its blank for the T; written apart from `formats.py`."""
    if not isinstance(text, str):
        return True
    shape = r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):(\d\d))"
    found = re.fullmatch(shape, text, re.ASCII | re.IGNORECASE)
    if not found:
        return False
    year, month, day, hour, minute, second, off_hour, off_minute = (int(group or 0) for group in found.groups())
    days = 1 <= month <= 12 and calendar.monthrange(2000 + year % 400, month)[1]
    return 1 <= day <= days and hour < 24 and minute < 60 and second <= 60 and off_hour < 24 and off_minute < 60


loose_formats = FormatChecker(())


@loose_formats.checks("date-time")
def is_loose_date_time(text):
    return is_date_time(text) or is_date_time(text + "Z")


def path_of(error, more=None):
    path = ""
    for step in [*error.absolute_path, *([] if more is None else [more])]:
        path += f"[{step}]" if isinstance(step, int) else ("." if path else "") + step
    return path


def violations(validator, payload):
    """{(code, path)} of all errors that the validator sees, in our words."""
    found = set()
    for error in validator.iter_errors(payload):
        code = CODES[error.validator]
        names = [None]
        if error.validator == "required":
            names = [name for name in error.validator_value if name not in error.instance]
        elif error.validator == "additionalProperties":
            names = [name[:32] for name in error.instance if name not in error.schema.get("properties", {})]
        found.update((code, path_of(error, name)) for name in names)
    return found


def exact(payload):
    """The payload with decimal numbers, as `ocpp` reads it: 21.4 is no multiple of 0.1 in binary."""
    return json.loads(json.dumps(payload), parse_float=decimal.Decimal)


class Message:
    """A message of the table: our shape, the OCA's schema, that with the prose, and that as it is for answers."""

    def __init__(self, action, direction):
        self.action, self.direction = action, direction
        self.shape = getattr(messages, direction)(action)
        self.oca = Draft4Validator(oca(action, direction))
        self.prose = Draft4Validator(with_prose(action, direction), format_checker=formats)
        self.loose = Draft4Validator(with_prose(action, direction), format_checker=loose_formats)

    def agree(self, micropython, payload):
        """Assert that all say the same of the payload; return (code, path) or None."""
        text = json.dumps(payload, ensure_ascii=False)
        want = violations(self.prose, exact(payload))
        ours = schema.check(self.shape, json.loads(text))
        got = ours and (ours.code, ours.path)
        assert (got in want) if want else got is None, (text, want, ours and ours.text)
        if got:
            code, path = got
            assert code == schema.TYPE or (schema.TYPE, path) not in want, "a wrong type is nothing else"
        theirs = micropython.check(self.direction, self.action, text.encode())
        assert theirs == (ours and [ours.code, ours.path, ours.text]), "MicroPython differs from CPython"
        return got


# ---- payloads


def tenths(value):
    """The payload with floats cut to tenths: the generator's multiples of 0.1 are those of binary fractions."""
    if isinstance(value, float):
        return round(max(-1e9, min(1e9, value)), 1)
    if isinstance(value, list):
        return [tenths(item) for item in value]
    if isinstance(value, dict):
        return {name: tenths(item) for name, item in value.items()}
    return value


def fullest(rule):
    """A payload with all that the schema knows, as short as may be; a list has two items."""
    if "enum" in rule:
        return rule["enum"][-1]
    match rule["type"]:
        case "object":
            return {name: fullest(inner) for name, inner in rule["properties"].items()}
        case "array":
            return [fullest(rule["items"]), fullest(rule["items"])]
        case "string":
            return (
                "2026-11-22T11:00:00.000+01:00" if rule.get("format") == "date-time" else "x" * rule.get("maxLength", 3)
            )
        case "integer":
            return 1
        case "number":
            return 21.4
        case "boolean":
            return True
    raise AssertionError(rule)


VALUES = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**31,
        -(2**70),
        1.0,
        0.0,
        -0.5,
        0.1,
        2.1,
        0.3,
        16.05,
        1e-9,
        12345678.9,
        12345678.91,
    ),
    *("", "x", "Accepted", "accepted", "Accepted ", "A", "y" * 20, "y" * 21, "ü" * 20, "😀" * 20, "😀" * 21),
    *("y" * 25, "y" * 26, "y" * 50, "y" * 51, "y" * 255, "y" * 256, "y" * 500, "y" * 501, "y" * 2000),
    *("2026-11-22T11:00:00Z", "2026-11-22T11:00:00", "2026-02-30T11:00:00Z", "2026-11-22", "Hertz"),
    *([], [None], [1], ["x"], ["y" * 51], [[]], [{}], {}, {"x": 1}, {"status": "Accepted"}, {"value": "1"}),
]


def slips(rule, payload):
    """Each payload that differs from `payload` by one slip: a value, a missing or an unknown property or item."""
    yield from VALUES
    if isinstance(payload, dict):
        for name in payload:
            yield {key: value for key, value in payload.items() if key != name}
            for slip in slips(rule["properties"][name], payload[name]):
                yield {**payload, name: slip}
        for name in ("x", "Status", "idtag", "é" * 100):
            yield {**payload, name: 1}
            yield {**payload, name: None}
    elif isinstance(payload, list):
        yield payload[:1]
        yield payload * 2
        for slip in slips(rule["items"], payload[1]):
            yield [payload[0], slip]
    elif isinstance(payload, str):
        yield from rule.get("enum", ())


# ---- tests


def test_the_table_is_that_of_the_profiles():
    assert {messages.profile(action) for action in CORE} == {"Core"}
    assert {messages.profile(action) for action in LOCAL_AUTH_LIST} == {"LocalAuthListManagement"}
    assert {messages.profile(action) for action in FIRMWARE} == {"FirmwareManagement"}
    everything = resources.files("ocpp.v16") / "schemas"
    known = {file.name.removesuffix(".json").removesuffix("Response") for file in everything.iterdir()}
    assert {name for name in known if not messages.is_known(name)} == set()
    built = {name for name in known if messages.request(name) or messages.response(name)}
    assert built == set(ACTIONS)


@pytest.mark.parametrize("action, direction", MESSAGES)
def test_each_slip(micropython, action, direction):
    message = Message(action, direction)
    rule = oca(action, direction)
    payload = fullest(rule)
    assert message.agree(micropython, payload) is None
    seen = {message.agree(micropython, slip) for slip in slips(rule, payload) if isinstance(slip, dict)}
    if payload:
        assert {code for code, _ in filter(None, seen)} >= {schema.FORMATION, schema.TYPE}


@pytest.mark.parametrize("action, direction", MESSAGES)
def test_what_is_no_object(action, direction):
    shape = getattr(messages, direction)(action)
    for payload in (None, True, 1, 1.5, "x", [], [{}]):
        for strict in (True, False):
            violation = schema.check(shape, payload, strict)
            assert (violation.code, violation.path) == (schema.FORMATION, "")


@pytest.mark.parametrize("action, direction", MESSAGES)
def test_generated_payloads(micropython, action, direction):
    message = Message(action, direction)
    rule = short_lists(oca(action, direction, float))

    @settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck), database=None)
    @given(data=st.data(), payload=from_schema(rule).map(tenths))
    def agree(data, payload):
        message.agree(micropython, payload)
        near = data.draw(st.sampled_from([slip for slip in slips_of(rule, payload) if isinstance(slip, dict)]))
        message.agree(micropython, near)

    agree()


def short_lists(rule):
    """The schema with at most three items a list: to generate longer ones takes long and shows no more."""
    if rule["type"] == "object":
        return {**rule, "properties": {name: short_lists(inner) for name, inner in rule["properties"].items()}}
    return {**rule, "maxItems": 3, "items": short_lists(rule["items"])} if rule["type"] == "array" else rule


def slips_of(rule, payload):
    """`slips` for payloads that need not be the fullest: of a list only the last item is changed."""
    yield payload
    for name, value in payload.items():
        yield {key: value for key, value in payload.items() if key != name}
        for other in VALUES:
            yield {**payload, name: other}
        inner = rule["properties"].get(name, {})
        if isinstance(value, dict):
            for slip in slips_of(inner, value):
                yield {**payload, name: slip}
        elif isinstance(value, list) and value and isinstance(value[-1], dict):
            for slip in slips_of(inner["items"], value[-1]):
                yield {**payload, name: [*value[:-1], slip]}
    yield {**payload, "unknown": 1}


@pytest.mark.parametrize("action, path, keyword, value, only_oca", STRICTER)
def test_stricter_by_prose(micropython, action, path, keyword, value, only_oca):
    message = Message(action, "request")
    payload = fullest(oca(action, "request"))
    place, steps = payload, re.findall(r"\w+", path)
    for step in steps[:-1]:
        place = place[int(step) if step.isdigit() else step]
    place[steps[-1]] = only_oca
    assert message.oca.is_valid(exact(payload))
    assert message.agree(micropython, payload) == (CODES[keyword], path)
    if keyword == "minimum":
        place[steps[-1]] = value
        assert message.agree(micropython, payload) is None


def test_nothing_else_is_stricter():
    """Each rule of ours that the OCA's schemas have not is in STRICTER, by a walk through all shapes."""
    extra = []

    def walk(action, shape, rule, path):
        kind, limit = shape[0], shape[1]
        if kind == "object":
            names = shape[2][::2]
            assert set(names) == set(rule["properties"])
            assert set(names[:limit]) == set(rule.get("required", ()))
            for name, inner in zip(names, shape[2][1::2], strict=True):
                walk(action, inner, rule["properties"][name], (path + "." if path else "") + name)
        elif kind == "array":
            if limit != rule.get("minItems", 0):
                extra.append((action, path, "minItems", limit))
            walk(action, shape[2], rule["items"], path + "[0]")
        elif kind == "integer":
            if limit is not None:
                extra.append((action, path, "minimum", limit))
        elif kind == "text":
            assert limit == rule["maxLength"]
        elif kind == "enum":
            assert sorted(limit) == sorted(rule["enum"])
        else:
            # a location that is no URI is told by a status, as one that nobody serves
            formats = {("dateTime", "date-time"), ("string", "uri"), *((kind, None) for kind in PLAIN)}
            assert (kind, rule.get("format")) in formats

    for action, direction in MESSAGES:
        walk(action, getattr(messages, direction)(action), oca(action, direction), "")
    assert extra == [line[:4] for line in STRICTER]


PLAIN = ("string", "boolean", "decimal")


def test_a_long_list_stands_last_and_may_be_empty():
    """`json_stream` leaves the list out of what is judged; its items are judged one by one."""
    assert [action for action in ACTIONS if messages.long_list(action)] == ["SendLocalList"]
    name, shape = messages.request("SendLocalList")[2][-2:]
    assert (name, shape[:2]) == (messages.long_list("SendLocalList"), ("array", 0))


@pytest.mark.parametrize("action, direction", [message for message in MESSAGES if message[1] == "response"])
def test_answers_are_judged_by_what_is_needed(micropython, action, direction):
    """Not strict: unknown properties, null for optional ones and times without offset pass, all else is as it was."""
    message = Message(action, direction)
    rule = oca(action, direction)
    payload = fullest(rule)
    odd = with_odds(rule, payload)
    assert schema.check(message.shape, odd, strict=False) is None
    assert micropython.check(direction, action, json.dumps(odd).encode(), strict=False) is None
    for slip in slips(rule, payload):
        if isinstance(slip, dict):
            ours = schema.check(message.shape, slip, strict=False)
            want = {
                (code, path)
                for code, path in violations(message.loose, exact(slip))
                if code != schema.FORMATION and not (code == schema.TYPE and is_optional_null(rule, slip, path))
            }
            assert ((ours.code, ours.path) in want) if want else ours is None, (slip, want, ours and ours.text)
            theirs = micropython.check(direction, action, json.dumps(slip, ensure_ascii=False).encode(), strict=False)
            assert theirs == (ours and [ours.code, ours.path, ours.text])


def with_odds(rule, payload):
    """The payload with an unknown property in each object, and null for what is optional."""
    if isinstance(payload, list):
        return [with_odds(rule["items"], item) for item in payload]
    if not isinstance(payload, dict):
        return payload
    odd = copy.copy(payload)
    for name in payload:
        needed = name in rule.get("required", ())
        odd[name] = with_odds(rule["properties"][name], payload[name]) if needed else None
    return {**odd, "unknown": {"x": 1}}


def is_optional_null(rule, payload, path):
    optional = False
    for step in re.findall(r"\w+", path):
        if isinstance(payload, list):
            rule, payload, optional = rule["items"], payload[int(step)], False
        else:
            optional = step not in rule.get("required", ())
            rule, payload = rule["properties"][step], payload[step]
    return optional and payload is None
