"""Every configuration key of the station, in one table (OCPP 1.6 §9).

`settings["HeartbeatInterval"]` is the value in force, typed; `change` and `read` speak OCPP's texts.
Only what a backend changed is stored, on flash before it is in force. A failed or torn write leaves the
former value, a corrupt file leaves the defaults of the table and of provisioning.
"""

from micropython import const

from station.measurands import NAMES, PHASED
from station.storage import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from station.log import Log

ACCEPTED = "Accepted"
REJECTED = "Rejected"
REBOOT_REQUIRED = "RebootRequired"
NOT_SUPPORTED = "NotSupported"

MAX_VALUE = const(500)  # characters of a value, CiString500 (OCPP 1.6 §7.19)
MAX_SECONDS = const(86400)

_INT = const(0)  # least, most
_BOOL = const(1)
_CHOICE = const(2)  # the choices
_MEASURANDS = const(3)  # a list of MEASURANDS; the key "…MaxLength" limits its number
_ROTATIONS = const(4)  # a list of "connector.rotation"; the default is the rotation of each connector
_TEXT = const(5)  # whatever its provider tells
_WORD = const(6)  # printable characters without blanks; least, most: how many

_READ = const(0)
_COMPUTED = const(1)  # read only, another part tells the value: see `provide`
_WRITE = const(2)
_REBOOT = const(3)  # may be written, is in force after the next start

MEASURANDS = NAMES + PHASED
ROTATIONS = ("NotApplicable", "Unknown", "RST", "RTS", "SRT", "STR", "TRS", "TSR")

_REGISTER = const("Energy.Active.Import.Register")
_PROFILES = const("Core,FirmwareManagement,LocalAuthListManagement")

# name, kind, default, least or choices, most, access
# Seconds may be as short as 1, for tests; 0 is allowed where it means "off".
# Only constants, so that the compiler makes one object of it: frozen, it stays in flash.
_TABLE = (
    ("AllowOfflineTxForUnknownId", _BOOL, False, None, None, _WRITE),  # §9.1.1
    ("AuthorizationCacheEnabled", _BOOL, True, None, None, _WRITE),  # §9.1.2
    ("AuthorizeRemoteTxRequests", _BOOL, False, None, None, _WRITE),  # §9.1.3
    ("BlinkRepeat", _INT, 3, 0, 10, _WRITE),  # §9.1.4 times that a lamp blinks when a card was read
    ("ClockAlignedDataInterval", _INT, 0, 0, MAX_SECONDS, _WRITE),  # §9.1.5 s since midnight, 0: off
    ("ConnectionTimeOut", _INT, 60, 1, MAX_SECONDS, _WRITE),  # §9.1.6 s
    ("ConnectorPhaseRotation", _ROTATIONS, "Unknown", None, None, _WRITE),  # §9.1.7
    ("ConnectorPhaseRotationMaxLength", _INT, 9, 9, 9, _READ),  # §9.1.8 the station and 8 connectors
    ("GetConfigurationMaxKeys", _INT, 50, 1, 100, _READ),  # §9.1.9
    ("HeartbeatInterval", _INT, 300, 1, MAX_SECONDS, _WRITE),  # §9.1.10 s
    ("LightIntensity", _INT, 100, 0, 100, _WRITE),  # §9.1.11 %
    ("LocalAuthorizeOffline", _BOOL, True, None, None, _WRITE),  # §9.1.12
    ("LocalPreAuthorize", _BOOL, False, None, None, _WRITE),  # §9.1.13
    ("MaxEnergyOnInvalidId", _INT, 0, 0, 1_000_000, _WRITE),  # §9.1.14 Wh
    ("MeterValuesAlignedData", _MEASURANDS, _REGISTER, None, None, _WRITE),  # §9.1.15
    ("MeterValuesAlignedDataMaxLength", _INT, 13, 1, 13, _READ),  # §9.1.16
    ("MeterValuesSampledData", _MEASURANDS, _REGISTER, None, None, _WRITE),  # §9.1.17
    ("MeterValuesSampledDataMaxLength", _INT, 13, 1, 13, _READ),  # §9.1.18
    ("MeterValueSampleInterval", _INT, 60, 0, MAX_SECONDS, _WRITE),  # §9.1.19 s, 0: off
    ("MinimumStatusDuration", _INT, 0, 0, 3600, _WRITE),  # §9.1.20 s
    ("NumberOfConnectors", _INT, 1, 1, 8, _COMPUTED),  # §9.1.21
    ("ResetRetries", _INT, 1, 0, 10, _WRITE),  # §9.1.22
    ("StopTransactionOnEVSideDisconnect", _BOOL, True, None, None, _WRITE),  # §9.1.23
    ("StopTransactionOnInvalidId", _BOOL, True, None, None, _WRITE),  # §9.1.24
    ("StopTxnAlignedData", _MEASURANDS, "", None, None, _WRITE),  # §9.1.25
    ("StopTxnAlignedDataMaxLength", _INT, 13, 1, 13, _READ),  # §9.1.26
    ("StopTxnSampledData", _MEASURANDS, "", None, None, _WRITE),  # §9.1.27
    ("StopTxnSampledDataMaxLength", _INT, 13, 1, 13, _READ),  # §9.1.28
    (
        "SupportedFeatureProfiles",
        _TEXT,
        "Core,FirmwareManagement,LocalAuthListManagement",
        None,
        None,
        _COMPUTED,
    ),  # §9.1.29
    ("SupportedFeatureProfilesMaxLength", _INT, 6, 6, 6, _READ),  # §9.1.30
    ("TransactionMessageAttempts", _INT, 3, 1, 100, _WRITE),  # §9.1.31
    ("TransactionMessageRetryInterval", _INT, 60, 1, MAX_SECONDS, _WRITE),  # §9.1.32 s
    ("UnlockConnectorOnEVSideDisconnect", _BOOL, True, None, None, _WRITE),  # §9.1.33
    ("WebSocketPingInterval", _INT, 60, 0, MAX_SECONDS, _WRITE),  # §9.1.34 s, 0: off
    ("LocalAuthListEnabled", _BOOL, True, None, None, _WRITE),  # §9.2.1
    ("LocalAuthListMaxLength", _INT, 0, 0, None, _COMPUTED),  # §9.2.2 cards that the flash has room for
    ("SendLocalListMaxLength", _INT, 100_000, 1, 100_000, _READ),  # §9.2.3 entries in one message
    # Named as in OCPP 2.0.1 (OCPPCommCtrlr)
    ("RetryBackOffRandomRange", _INT, 10, 0, 3600, _WRITE),  # s
    ("RetryBackOffRepeatTimes", _INT, 5, 0, 10, _WRITE),  # doublings
    ("RetryBackOffWaitMinimum", _INT, 10, 1, 3600, _WRITE),  # s
    # This station's own
    ("ApplicationFallback", _TEXT, "", None, None, _COMPUTED),  # slot and reason of an update that did not stay
    ("ApplicationSlot", _TEXT, "", None, None, _COMPUTED),  # the one that runs
    ("ApplicationVersion", _TEXT, "", None, None, _COMPUTED),
    ("AuthorizationCacheMaxLength", _INT, 200, 1, 1000, _WRITE),  # cards
    ("ComponentVersions", _TEXT, "", None, None, _COMPUTED),  # "application 1.2.0,router 2.1.0", "?": does not answer
    ("FirmwareInstallWait", _INT, 3600, 1, MAX_SECONDS, _WRITE),  # s that an installation waits for free connectors
    ("FirmwareProbation", _INT, 300, 10, 3600, _WRITE),  # s that a new application has to prove itself
    ("IdTagByteOrder", _CHOICE, "MSB", ("MSB", "LSB"), None, _WRITE),  # of a card's UID: as read, or reversed
    ("IdTagCase", _CHOICE, "Upper", ("Upper", "Lower"), None, _WRITE),  # of its hexadecimal digits
    ("IdTagPrefix", _WORD, "", 0, 12, _WRITE),  # before them; 20 characters in all, and 8 are the shortest UID's
    ("JournalDepth", _INT, 0, 0, None, _COMPUTED),  # messages that wait for the backend
    ("JournalDropped", _INT, 0, 0, None, _COMPUTED),  # readings given up for want of room
    ("JournalOldest", _TEXT, "", None, None, _COMPUTED),  # date-time of the oldest that waits
    ("LogLevel", _CHOICE, "INFO", ("ERROR", "WARNING", "INFO", "DEBUG"), None, _WRITE),
    ("MessageTimeout", _INT, 30, 1, 600, _WRITE),  # s until a CALL counts as not answered
    ("MeterFailurePolicy", _CHOICE, "Stop", ("Stop", "Finish", "Continue"), None, _WRITE),  # charging/connector.py
    ("UpdateState", _TEXT, "", None, None, _COMPUTED),  # how far the update of the components is, or what it came to
    ("WebSocketMaxMessageSize", _INT, 65536, 1024, 1_048_576, _REBOOT),  # bytes; buffers are sized once
)


class SettingError(ValueError):
    """A value that its key does not allow; the text names the key, what it expects, and the value."""


class Settings:
    """The keys of one station.

    `path` of the stored values, None to store nothing. `overrides`: key -> text (or int, or bool) from
    provisioning, in place of the table's defaults; raises SettingError for one that is wrong.
    `connectors` and `phases` are the station's: what may be asked of it depends on them.
    """

    def __init__(
        self,
        path: "str | None",
        log: "Log",
        overrides: "dict | None" = None,
        connectors: int = 1,
        phases: int = 3,
    ) -> None:
        self._path = path
        self._log = log
        self._connectors = connectors
        self._phases = phases
        self._rows = {row[0]: row for row in _TABLE}
        self._values: dict = {row[0]: self._default(row) for row in _TABLE}  # in force
        self._values["NumberOfConnectors"] = connectors
        self._pending: dict = {}  # name -> value in force after the next start
        self._stored: dict = {}  # name -> text: the file; a newer firmware's keys and values are kept in it
        self._overrides: dict = {}  # name -> value
        self._providers: dict = {}
        self._callbacks: dict = {}
        self._override(overrides or {})
        self._load()

    def __getitem__(self, name: str) -> "Any":
        """The value in force: int, bool, or str (a list as "a,b", without blanks). Raises KeyError."""
        if name in self._providers:
            return self._providers[name]()
        return self._values[name]

    def change(self, name: str, text: str) -> str:
        """What ChangeConfiguration asks (OCPP 1.6 §5.3); returns its ConfigurationStatus.

        The name's case does not matter. A refusal's reason is in the log. A value equal to the present one is
        accepted and not written.
        """
        row = self._find(name)
        if row is None:
            return NOT_SUPPORTED
        name = row[0]
        try:
            if row[5] < _WRITE:
                raise SettingError("%s: may only be read" % name)
            value = self._parse(row, text)
        except SettingError as error:
            self._log.warning("settings", "change refused: %s", error)
            return REJECTED
        if value != self._pending.get(name, self._values[name]):
            if not self._store(row, value):
                return REJECTED
            self._put_in_force(row, value)
        return REBOOT_REQUIRED if name in self._pending else ACCEPTED

    def read(self, name: str) -> "tuple[str, bool, str] | None":
        """(name as the table spells it, readonly, text) for GetConfiguration (§5.8); None for an unknown key.

        A value that waits for the next start is told already.
        """
        row = self._find(name)
        return self._told(row) if row else None

    def items(self) -> "Iterator[tuple[str, bool, str]]":
        """What `read` tells, for every key in the table's order."""
        for row in _TABLE:
            yield self._told(row)

    def names(self) -> "Iterator[str]":
        for row in _TABLE:
            yield row[0]

    def on_change(self, name: str, callback: "Callable") -> None:
        """Call `callback(value)` whenever a new value has come in force."""
        if name not in self._rows:
            raise KeyError(name)
        self._callbacks.setdefault(name, []).append(callback)

    def provide(self, name: str, tell: "Callable[[], int | str]") -> None:
        """Let `tell` give the value of a computed key."""
        if self._rows[name][5] != _COMPUTED:
            raise ValueError("settings: %s is not a computed key" % name)
        self._providers[name] = tell

    def _find(self, name: str) -> "tuple | None":
        row = self._rows.get(name)
        if row is None:
            lower = name.lower()
            for row in _TABLE:
                if len(row[0]) == len(name) and row[0].lower() == lower:
                    return row
            return None
        return row

    def _told(self, row: tuple) -> "tuple[str, bool, str]":
        name = row[0]
        access = row[5]
        if access == _REBOOT:
            value = self._pending.get(name, self._values[name])
        elif access == _COMPUTED:
            value = self[name]
        else:
            value = self._values[name]
        return name, access < _WRITE, _text(value)

    def _put_in_force(self, row: tuple, value: "int | bool | str") -> None:
        name = row[0]
        if row[5] == _REBOOT:
            if value != self._values[name]:
                self._pending[name] = value
            else:
                del self._pending[name]
            return
        self._values[name] = value
        for callback in self._callbacks.get(name, ()):
            callback(value)

    def _default(self, row: tuple) -> "Any":
        if row[1] == _ROTATIONS:
            return ",".join(["%d.%s" % (n, row[2]) for n in range(1, self._connectors + 1)])
        return row[2]

    def _override(self, overrides: dict) -> None:
        for numbers in (True, False):  # numbers first: some limit the length of a list
            for name, given in overrides.items():
                row = self._find(name)
                if row is None:
                    raise SettingError("%s: is no key of this station" % name)
                if row[5] == _COMPUTED:
                    raise SettingError("%s: is told by the station, cannot be set" % row[0])
                if (row[1] == _INT) is numbers:
                    text = given if isinstance(given, str) else _text(given)
                    self._values[row[0]] = self._overrides[row[0]] = self._parse(row, text)

    def _load(self) -> None:
        stored = atomic.load_json(self._path, self._log) if self._path else None
        if stored is None:
            return
        if not isinstance(stored, dict):
            self._log.error("settings", "%s holds no settings: defaults are in force", self._path)
            return
        self._stored = stored
        for name, text in stored.items():
            row = self._rows.get(name)
            if row is None or row[5] < _WRITE:
                continue
            try:
                self._values[name] = self._parse(row, text)
            except SettingError as error:
                self._log.error("settings", "stored value not used: %s", error)

    def _store(self, row: tuple, value: "int | bool | str") -> bool:
        """Write the file with this value; what provisioning or the table says anyway is left out."""
        if self._path is None:
            return True
        name = row[0]
        stored = dict(self._stored)
        initial = self._overrides[name] if name in self._overrides else self._default(row)
        if value == initial:
            stored.pop(name, None)
        else:
            stored[name] = _text(value)
        try:
            atomic.replace_json(self._path, stored)
        except OSError as error:
            self._log.error("settings", "%s = %s could not be stored: %s", name, value, error)
            return False
        self._stored = stored
        return True

    def _parse(self, row: tuple, text: str) -> "Any":
        """The value that a text gives to a key; SettingError says what was expected."""
        name, kind, _, least, most, _ = row
        try:
            if not isinstance(text, str) or len(text) > MAX_VALUE:
                raise ValueError("a text of at most %d characters" % MAX_VALUE)
            if kind == _INT:
                return _integer(text, least, most)
            if kind == _BOOL:
                return _truth(text)
            if kind == _CHOICE:
                return _choice(text, least)
            if kind == _WORD:
                return _word(text, least, most)
            items = [item.strip() for item in text.split(",")] if text.strip() else []
            limit = self._values[name + "MaxLength"]
            if len(items) > limit:
                raise ValueError("at most %d items" % limit)
            for item in items:
                if kind == _MEASURANDS:
                    _check_measurand(item, self._phases)
                else:
                    _check_rotation(item, self._connectors)
            if len(set(items)) < len(items):
                raise ValueError("each item once")
            return ",".join(items)
        except ValueError as expected:
            got = text if isinstance(text, str) and len(text) <= 60 else "%s…" % str(text)[:60]
            raise SettingError("%s: expected %s, got '%s'" % (name, expected, got))


def _text(value: "int | bool | str") -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


# Each of these returns the value of a text, or raises ValueError with what was expected.


def _integer(text: str, least: int, most: int) -> int:
    digits = text[1:] if text[:1] == "-" else text
    if digits.isdigit() and len(digits) <= 10:
        value = int(text)
        if least <= value <= most:
            return value
    raise ValueError("a whole number from %d to %d" % (least, most))


def _truth(text: str) -> bool:
    lower = text.lower()  # backends in Python write "True"
    if lower not in ("true", "false"):
        raise ValueError("true or false")
    return lower == "true"


def _choice(text: str, choices: "tuple[str, ...]") -> str:
    if text not in choices:
        raise ValueError("one of " + ", ".join(choices))
    return text


def _word(text: str, least: int, most: int) -> str:
    if least <= len(text) <= most and all([32 < ord(character) < 127 for character in text]):
        return text
    raise ValueError("%d to %d printable characters without blanks" % (least, most))


def _check_measurand(item: str, phases: int) -> None:
    measurand, point, phase = item.rpartition(".L")
    if item in MEASURANDS or (point and measurand in PHASED and phase in ("1", "2", "3")[:phases]):
        return
    by_phase = ["%s.L1 to .L%d" % (name, phases) for name in PHASED]
    raise ValueError("a list of " + ", ".join(MEASURANDS) + ", " + ", ".join(by_phase))


def _check_rotation(item: str, connectors: int) -> None:
    number, _, rotation = item.partition(".")
    if number.isdigit() and int(number) <= connectors and rotation in ROTATIONS:
        return
    example = "a list of connector.rotation such as 1.RST, connector 0 to %d, rotation one of %s"
    raise ValueError(example % (connectors, ", ".join(ROTATIONS)))
