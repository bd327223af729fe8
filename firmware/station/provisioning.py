"""The provisioning file: who this station is, which backend it belongs to, how it was built.

`parse` turns the JSON text into a `Provisioning`, or raises `ProvisioningError` that names the key, what it
expects and what it got. Nothing is guessed: a key that nobody knows is an error too, it may be a misspelt one.
"""

import binascii
import json

from micropython import const

from station import clock
from station.log import Log
from station.settings import SettingError, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TEXT = const(0)  # printable ASCII of least to most characters
_PEM = const(1)
_INT = const(2)  # least to most
_BOOL = const(3)
_ONE_OF = const(4)  # the choices
_SECRET = const(5)  # as _TEXT, not repeated in an error
_TIME = const(7)  # RFC 3339
_ADDRESSES = const(6)  # one Modbus address, or a list with that of each connector

_REQUIRED = const("required")

METER_TYPES = ("SDM72", "SDM72V1", "SDM230", "SDM630", "B23", "EM340")  # what `drivers/meter_types.py` knows
_BAUDRATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_PARITIES = ("none", "even", "odd")

# section, key, attribute, kind, least or choices, most, default
_TABLE = (
    ("identity", "vendor", "vendor", _TEXT, 1, 20, _REQUIRED),  # OCPP 1.6 §6.3
    ("identity", "model", "model", _TEXT, 1, 20, _REQUIRED),
    ("identity", "serial", "serial", _TEXT, 1, 25, _REQUIRED),
    ("identity", "firmware_version", "firmware_version", _TEXT, 1, 50, _REQUIRED),
    ("identity", "charge_point_id", "charge_point_id", _TEXT, 1, 48, _REQUIRED),
    ("identity", "provisioned_at", "provisioned_at", _TIME, None, None, 0),
    ("backend", "url", "url", _TEXT, 6, 500, _REQUIRED),
    ("backend", "authorization_key", "authorization_key", _SECRET, 1, 84, None),
    ("backend", "ca", "ca", _PEM, 1, 16384, None),
    ("connectors", "count", "connectors", _INT, 1, 8, _REQUIRED),
    ("connectors", "lock", "lock", _BOOL, None, None, False),
    ("connectors", "max_current_a", "max_current_a", _INT, 6, 80, 32),  # IEC 61851-1 Annex A
    ("connectors", "phases", "phases", _ONE_OF, (1, 3), None, 3),
    ("update", "keys", "update_keys", _TEXT, 128, 1024, None),
    ("update", "vendor", "update_vendor", _TEXT, 32, 32, None),
    ("update", "class", "update_class", _TEXT, 32, 32, None),
    ("update", "ca", "update_ca", _PEM, 1, 16384, None),
    # the default of each is the board's
    ("meter", "type", "meter_type", _ONE_OF, METER_TYPES, None, None),
    ("meter", "address", "meter_address", _ADDRESSES, 1, 247, None),
    ("meter", "baudrate", "meter_baudrate", _ONE_OF, _BAUDRATES, None, None),
    ("meter", "parity", "meter_parity", _ONE_OF, _PARITIES, None, None),
)
_TABLED = ("identity", "backend", "connectors", "update", "meter")
_SECTIONS = _TABLED + ("components", "settings")
_COMPONENTS = 7  # beside the application
_COMPONENT = (  # key, kind, least, most; "certificate" goes with "url", "baudrate" with "address"
    ("url", _TEXT, 9, 200),
    ("certificate", _PEM, 1, 16384),
    ("address", _INT, 1, 247),
    ("baudrate", _ONE_OF, _BAUDRATES, None),
)
_OWN = ("application", "base")  # names of our own board's parts
_PEM_START = "-----BEGIN CERTIFICATE-----"
_HEX = "hex:"


class ProvisioningError(ValueError):
    """The file is wrong; the text is for whoever wrote it."""


class Provisioning:
    """What the file says, checked."""

    def __init__(self) -> None:
        self.vendor = ""
        self.model = ""
        self.serial = ""
        self.firmware_version = ""
        self.charge_point_id = ""
        self.provisioned_at = 0  # s since 1970; 0: not told
        self.url = ""  # ws:// or wss://, without the charge point's id
        self.authorization_key: str | None = None  # as written; `password` is what it stands for
        self.password: bytes | None = None
        self.ca: str | None = None  # PEM
        self.connectors = 1  # their number
        self.lock = False  # whether each has a lock
        self.max_current_a = 32
        self.phases = 3
        self.update_keys: "tuple[bytes, ...]" = ()  # that may sign packages: P-256, x and y, 64 bytes each
        self.update_vendor: bytes | None = None  # UUIDs of this board in packages
        self.update_class: bytes | None = None
        self.update_ca: str | None = None  # PEM, of the servers of packages; None: that of the backend
        self.meter_type: str | None = None  # these four: None is what the board says
        self.meter_address: int | list | None = None  # the first, or each connector's
        self.meter_baudrate: int | None = None
        self.meter_parity: str | None = None
        # of the station's other components: (url, PEM) over HTTPS, (address, baud rate or None) over Modbus
        self.components: "dict[str, tuple]" = {}
        self.settings: dict = {}  # OCPP key -> value


def parse(text: bytes) -> Provisioning:
    """Check the whole file; raises ProvisioningError."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ProvisioningError("provisioning: expected JSON, got an error: %s" % error)
    sections = _object("provisioning", given)
    _refuse_unknown("", sections, _SECTIONS)
    result = Provisioning()
    for name in _TABLED:
        section = _object(name, sections.get(name, {}))
        _refuse_unknown(name + ".", section, [row[1] for row in _TABLE if row[0] == name])
        for row in _TABLE:
            if row[0] == name:
                setattr(result, row[2], _value(row, section))
    _check_backend(result)
    _check_addresses(result)
    _check_update(result)
    _read_components(_object("components", sections.get("components", {})), result)
    result.settings = _object("settings", sections.get("settings", {}))
    try:
        Settings(None, Log(64), result.settings, result.connectors, result.phases)
    except SettingError as error:
        raise ProvisioningError("settings.%s" % error)
    return result


def _object(path: str, value: object) -> dict:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _refuse_unknown(prefix: str, given: dict, known: "list[str] | tuple[str, ...]") -> None:
    for key in given:
        if key not in known:
            raise ProvisioningError("%s%s: unknown key, expected one of %s" % (prefix, key, ", ".join(known)))


def _value(row: tuple, section: dict) -> "Any":
    name, key, _, kind, least, most, default = row
    path = name + "." + key
    if key not in section:
        if default == _REQUIRED:
            raise ProvisioningError("%s: is missing, expected %s" % (path, _expected(kind, least, most)))
        return default
    value = section[key]
    if not _fits(kind, least, most, value):
        raise _wrong(path, _expected(kind, least, most), "another" if kind == _SECRET else value)
    return clock.parse_iso(value) if kind == _TIME else value


def _fits(kind: int, least: "Any", most: "Any", value: object) -> bool:
    if kind == _BOOL:
        return isinstance(value, bool)
    if kind == _ONE_OF:
        return isinstance(value, type(least[0])) and not isinstance(value, bool) and value in least
    if kind == _INT:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    if kind == _ADDRESSES:
        each = value if isinstance(value, list) else (value,)
        return all([_fits(_INT, least, most, address) for address in each])
    if kind == _TIME:
        return _is_time(value)
    if not isinstance(value, str) or not least <= len(value) <= most:
        return False
    return _PEM_START in value if kind == _PEM else _is_printable(value)


def _expected(kind: int, least: "Any", most: "Any") -> str:
    if kind == _BOOL:
        return "true or false"
    if kind == _INT:
        return "a whole number from %d to %d" % (least, most)
    if kind == _ADDRESSES:
        return "a whole number from %d to %d, or a list with one for each connector" % (least, most)
    if kind == _ONE_OF:
        return "one of " + ", ".join([str(choice) for choice in least])
    if kind == _PEM:
        return "the text of a PEM file with a certificate, at most %d characters" % most
    if kind == _TIME:
        return "a date-time such as 2026-11-22T11:00:00Z"
    return "a text of %d to %d printable ASCII characters" % (least, most)


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and clock.parse_iso(value) >= clock.EPOCH_MIN
    except ValueError:
        return False


def _is_printable(text: str) -> bool:
    return all([" " <= character <= "~" for character in text])


def _check_backend(result: Provisioning) -> None:
    """What the values of the backend must be beyond their length."""
    url = result.url
    scheme, mark, rest = url.partition("://")
    host = rest.partition("/")[0]
    if scheme not in ("ws", "wss") or not mark or not _is_host(host) or any([c in url for c in " @?#"]):
        raise _wrong("backend.url", "a URL ws://host[:port][/path] or wss://…", url)
    if scheme == "wss" and result.ca is None:
        raise ProvisioningError("backend.ca: is missing, expected the certificate to trust with a wss:// backend")
    if result.authorization_key is None:
        return
    if ":" in result.charge_point_id:  # RFC 7617 §2: the user name ends at the first colon
        raise _wrong("identity.charge_point_id", "no ':' beside an authorization_key", result.charge_point_id)
    result.password = _password(result.authorization_key)


def _check_addresses(result: Provisioning) -> None:
    """A list has as many addresses as there are connectors; those that count on from the first stay below 248."""
    address = result.meter_address
    if isinstance(address, list) and len(address) != result.connectors:
        raise _wrong("meter.address", "as many addresses as connectors.count, %d" % result.connectors, address)
    if isinstance(address, int) and address + result.connectors > 248:
        expected = "a whole number from 1 to %d with %d connectors" % (248 - result.connectors, result.connectors)
        raise _wrong("meter.address", expected, address)


def _check_update(result: Provisioning) -> None:
    """Hexadecimal becomes bytes; who may sign goes with what is signed for."""
    words = str(result.update_keys).split(",") if result.update_keys else []
    result.update_keys = tuple([_hex("update.keys", word.strip(), 64) for word in words])
    for name in ("vendor", "class"):
        path, text = "update." + name, getattr(result, "update_" + name)
        if text:
            setattr(result, "update_" + name, _hex(path, text, 16))
        elif words:
            raise ProvisioningError("%s: is missing, expected 32 hex digits beside update.keys" % path)


def _read_components(given: dict, result: Provisioning) -> None:
    if len(given) > _COMPONENTS:
        raise _wrong("components", "at most %d" % _COMPONENTS, len(given))
    for name, row in given.items():
        path = "components." + name
        if name in _OWN or not 1 <= len(name) <= 32 or not all(["!" <= letter <= "~" for letter in name]):
            expected = "a name of 1 to 32 printable characters other than " + ", ".join(_OWN)
            raise ProvisioningError("components: expected %s, got %r" % (expected, name))
        row = _object(path, row)
        _refuse_unknown(path + ".", row, [known[0] for known in _COMPONENT])
        for key, kind, least, most in _COMPONENT:
            if key in row and not _fits(kind, least, most, row[key]):
                raise _wrong(path + "." + key, _expected(kind, least, most), row[key])
        url, address = row.get("url"), row.get("address")
        if url and "certificate" in row and len(row) == 2:
            if not url.startswith("https://") or url.endswith("/"):
                raise _wrong(path + ".url", "a URL https://… without a slash at its end", url)
            result.components[name] = url, row["certificate"]
        elif address and "url" not in row and "certificate" not in row:
            result.components[name] = address, row.get("baudrate")
        else:
            raise _wrong(path, "url and certificate, or address and perhaps baudrate", sorted(row))


def _hex(path: str, text: str, size: int) -> bytes:
    try:
        data = binascii.unhexlify(text)
    except ValueError:
        data = b""
    if len(data) != size:
        raise _wrong(path, "%d hex digits" % (2 * size), text)
    return data


def _is_host(text: str) -> bool:
    """A name, an IPv4 address or an IPv6 address in brackets, with or without a port."""
    start = text.find("]") + 1 if text.startswith("[") else 0
    host, colon, port = text[start:].partition(":")
    if colon and not (port.isdigit() and 1 <= int(port) <= 65535):
        return False
    return not host and start > 2 if text.startswith("[") else bool(host)


def _password(key: str) -> bytes:
    """The bytes of an authorization key: the text itself, or what follows "hex:" (OCPP-J 1.6 §6.2.2)."""
    if not key.startswith(_HEX):
        return key.encode()
    try:
        password = binascii.unhexlify(key[len(_HEX) :])
    except ValueError:
        password = b""
    if not password:
        raise ProvisioningError("backend.authorization_key: expected pairs of hex digits after 'hex:'")
    return password


def _wrong(path: str, expected: str, got: object) -> ProvisioningError:
    return ProvisioningError("%s: expected %s, got %s" % (path, expected, repr(got)[:80]))
