"""Every action of OCPP 1.6: its profile, who may send it, and the shapes of request and answer, as data.

`request(action)` and `response(action)` give a shape for `schema.check`, or None where the action's profile is not
built. `long_list` names the one property of a request that `json_stream` has to take apart. `profile`, `from_backend`
and `is_known` answer for all actions of the standard and of its security extension, so that a dispatcher can tell
NotSupported (known, switched off) from NotImplemented (never heard of).

A shape accepts what the OCA's JSON schema of the message accepts, less what only the text of the standard rules out:

* `dateTime` is a date-time of RFC 3339 (OCPP 1.6 §3, "Time notations");
* `connectorId` >= 0, or > 0 where it cannot mean the whole station (the tables of OCPP 1.6 §6);
* `stackLevel` >= 0 (OCPP 1.6 §7, the table of ChargingProfile);
* `chargingSchedulePeriod` and `sampledValue` have at least one item (cardinality 1..* in the tables of OCPP 1.6 §7),
  which their schemas do not always say.
"""

from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.ocpp.schema import Shape

# fmt: off
# What a shape is made of says `schema.py`. The compiler makes the tuples, being constants with `const` names: a
# shape that several messages contain is there once, and all of them stay in flash where the code is frozen.
_INTEGER = const(("integer", None))
_POSITIVE = const(("integer", 1))
_NOT_NEGATIVE = const(("integer", 0))
_DECIMAL = const(("decimal", None))
_BOOLEAN = const(("boolean", None))
_STRING = const(("string", None))
_DATE_TIME = const(("dateTime", None))
_CI20 = const(("text", 20))
_CI25 = const(("text", 25))
_CI50 = const(("text", 50))
_CI255 = const(("text", 255))
_CI500 = const(("text", 500))

_EMPTY = const(("object", 0, ()))

_ACCEPTED_REJECTED = const(("object", 1, (
    "status", ("enum", ("Accepted", "Rejected")),
)))

_ID_TAG_INFO = const(("object", 1, (
    "status", ("enum", ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")),
    "expiryDate", _DATE_TIME,
    "parentIdTag", _CI20,
)))

_CONTEXT = const(("enum", (
    "Interruption.Begin", "Interruption.End", "Sample.Clock", "Sample.Periodic",
    "Transaction.Begin", "Transaction.End", "Trigger", "Other",
)))
_FORMAT = const(("enum", ("Raw", "SignedData")))
_MEASURAND = const(("enum", (
    "Energy.Active.Export.Register", "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval", "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval",
    "Power.Active.Export", "Power.Active.Import", "Power.Offered",
    "Power.Reactive.Export", "Power.Reactive.Import", "Power.Factor",
    "Current.Import", "Current.Export", "Current.Offered",
    "Voltage", "Frequency", "Temperature", "SoC", "RPM",
)))
_PHASE = const(("enum", ("L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1")))
_LOCATION = const(("enum", ("Cable", "EV", "Inlet", "Outlet", "Body")))

# The OCA's schemas differ: that of StopTransaction has no unit for a frequency.
_STOP_METER_VALUE = const(("object", 2, (
    "timestamp", _DATE_TIME,
    "sampledValue", ("array", 1, ("object", 1, (
        "value", _STRING,
        "context", _CONTEXT,
        "format", _FORMAT,
        "measurand", _MEASURAND,
        "phase", _PHASE,
        "location", _LOCATION,
        "unit", ("enum", (
            "Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar",
            "A", "V", "K", "Celcius", "Celsius", "Fahrenheit", "Percent",
        )),
    ))),
)))
_METER_VALUE = const(("object", 2, (
    "timestamp", _DATE_TIME,
    "sampledValue", ("array", 1, ("object", 1, (
        "value", _STRING,
        "context", _CONTEXT,
        "format", _FORMAT,
        "measurand", _MEASURAND,
        "phase", _PHASE,
        "location", _LOCATION,
        "unit", ("enum", (
            "Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar",
            "A", "V", "K", "Celcius", "Celsius", "Fahrenheit", "Percent", "Hertz",
        )),
    ))),
)))

_CHARGING_PROFILE = const(("object", 5, (
    "chargingProfileId", _INTEGER,
    "stackLevel", _NOT_NEGATIVE,
    "chargingProfilePurpose", ("enum", ("ChargePointMaxProfile", "TxDefaultProfile", "TxProfile")),
    "chargingProfileKind", ("enum", ("Absolute", "Recurring", "Relative")),
    "chargingSchedule", ("object", 2, (
        "chargingRateUnit", ("enum", ("A", "W")),
        "chargingSchedulePeriod", ("array", 1, ("object", 2, (
            "startPeriod", _INTEGER,
            "limit", _DECIMAL,
            "numberPhases", _INTEGER,
        ))),
        "duration", _INTEGER,
        "startSchedule", _DATE_TIME,
        "minChargingRate", _DECIMAL,
    )),
    "transactionId", _INTEGER,
    "recurrencyKind", ("enum", ("Daily", "Weekly")),
    "validFrom", _DATE_TIME,
    "validTo", _DATE_TIME,
)))

# who sends the request
_STATION = const(1)
_BACKEND = const(2)
_BOTH = const(3)

# Action: (profile, who sends the request, shape of the request, shape of the answer).
_ACTIONS = {
    "Authorize": ("Core", _STATION, ("object", 1, (
        "idTag", _CI20,
    )), ("object", 1, (
        "idTagInfo", _ID_TAG_INFO,
    ))),
    "BootNotification": ("Core", _STATION, ("object", 2, (
        "chargePointVendor", _CI20,
        "chargePointModel", _CI20,
        "chargePointSerialNumber", _CI25,
        "chargeBoxSerialNumber", _CI25,
        "firmwareVersion", _CI50,
        "iccid", _CI20,
        "imsi", _CI20,
        "meterType", _CI25,
        "meterSerialNumber", _CI25,
    )), ("object", 3, (
        "status", ("enum", ("Accepted", "Pending", "Rejected")),
        "currentTime", _DATE_TIME,
        "interval", _INTEGER,
    ))),
    "ChangeAvailability": ("Core", _BACKEND, ("object", 2, (
        "connectorId", _NOT_NEGATIVE,
        "type", ("enum", ("Inoperative", "Operative")),
    )), ("object", 1, (
        "status", ("enum", ("Accepted", "Rejected", "Scheduled")),
    ))),
    "ChangeConfiguration": ("Core", _BACKEND, ("object", 2, (
        "key", _CI50,
        "value", _CI500,
    )), ("object", 1, (
        "status", ("enum", ("Accepted", "Rejected", "RebootRequired", "NotSupported")),
    ))),
    "ClearCache": ("Core", _BACKEND, _EMPTY, _ACCEPTED_REJECTED),
    "DataTransfer": ("Core", _BOTH, ("object", 1, (
        "vendorId", _CI255,
        "messageId", _CI50,
        "data", _STRING,
    )), ("object", 1, (
        "status", ("enum", ("Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId")),
        "data", _STRING,
    ))),
    "DiagnosticsStatusNotification": ("FirmwareManagement", _STATION, ("object", 1, (
        "status", ("enum", ("Idle", "Uploaded", "UploadFailed", "Uploading")),
    )), _EMPTY),
    "FirmwareStatusNotification": ("FirmwareManagement", _STATION, ("object", 1, (
        "status", ("enum", (
            "Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing", "Installed",
        )),
    )), _EMPTY),
    "GetConfiguration": ("Core", _BACKEND, ("object", 0, (
        "key", ("array", 0, _CI50),
    )), ("object", 0, (
        "configurationKey", ("array", 0, ("object", 2, (
            "key", _CI50,
            "readonly", _BOOLEAN,
            "value", _CI500,
        ))),
        "unknownKey", ("array", 0, _CI50),
    ))),
    "GetDiagnostics": ("FirmwareManagement", _BACKEND, ("object", 1, (
        "location", _STRING,
        "retries", _INTEGER,
        "retryInterval", _INTEGER,
        "startTime", _DATE_TIME,
        "stopTime", _DATE_TIME,
    )), ("object", 0, (
        "fileName", _CI255,
    ))),
    "GetLocalListVersion": ("LocalAuthListManagement", _BACKEND, _EMPTY, ("object", 1, (
        "listVersion", _INTEGER,
    ))),
    "Heartbeat": ("Core", _STATION, _EMPTY, ("object", 1, (
        "currentTime", _DATE_TIME,
    ))),
    "MeterValues": ("Core", _STATION, ("object", 2, (
        "connectorId", _NOT_NEGATIVE,
        "meterValue", ("array", 1, _METER_VALUE),
        "transactionId", _INTEGER,
    )), _EMPTY),
    "RemoteStartTransaction": ("Core", _BACKEND, ("object", 1, (
        "idTag", _CI20,
        "connectorId", _POSITIVE,
        "chargingProfile", _CHARGING_PROFILE,
    )), _ACCEPTED_REJECTED),
    "RemoteStopTransaction": ("Core", _BACKEND, ("object", 1, (
        "transactionId", _INTEGER,
    )), _ACCEPTED_REJECTED),
    "Reset": ("Core", _BACKEND, ("object", 1, (
        "type", ("enum", ("Hard", "Soft")),
    )), _ACCEPTED_REJECTED),
    "SendLocalList": ("LocalAuthListManagement", _BACKEND, ("object", 2, (
        "listVersion", _INTEGER,
        "updateType", ("enum", ("Differential", "Full")),
        "localAuthorizationList", ("array", 0, ("object", 1, (
            "idTag", _CI20,
            "idTagInfo", _ID_TAG_INFO,
        ))),
    )), ("object", 1, (
        "status", ("enum", ("Accepted", "Failed", "NotSupported", "VersionMismatch")),
    ))),
    "StartTransaction": ("Core", _STATION, ("object", 4, (
        "connectorId", _POSITIVE,
        "idTag", _CI20,
        "meterStart", _INTEGER,
        "timestamp", _DATE_TIME,
        "reservationId", _INTEGER,
    )), ("object", 2, (
        "idTagInfo", _ID_TAG_INFO,
        "transactionId", _INTEGER,
    ))),
    "StatusNotification": ("Core", _STATION, ("object", 3, (
        "connectorId", _NOT_NEGATIVE,
        "errorCode", ("enum", (
            "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError",
            "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure", "PowerMeterFailure",
            "PowerSwitchFailure", "ReaderFailure", "ResetFailure", "UnderVoltage", "OverVoltage", "WeakSignal",
        )),
        "status", ("enum", (
            "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing",
            "Reserved", "Unavailable", "Faulted",
        )),
        "info", _CI50,
        "timestamp", _DATE_TIME,
        "vendorId", _CI255,
        "vendorErrorCode", _CI50,
    )), _EMPTY),
    "StopTransaction": ("Core", _STATION, ("object", 3, (
        "transactionId", _INTEGER,
        "timestamp", _DATE_TIME,
        "meterStop", _INTEGER,
        "idTag", _CI20,
        "reason", ("enum", (
            "EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other", "PowerLoss",
            "Reboot", "Remote", "SoftReset", "UnlockCommand", "DeAuthorized",
        )),
        "transactionData", ("array", 0, _STOP_METER_VALUE),
    )), ("object", 0, (
        "idTagInfo", _ID_TAG_INFO,
    ))),
    "UpdateFirmware": ("FirmwareManagement", _BACKEND, ("object", 2, (
        "location", _STRING,
        "retrieveDate", _DATE_TIME,
        "retries", _INTEGER,
        "retryInterval", _INTEGER,
    )), _EMPTY),
    "UnlockConnector": ("Core", _BACKEND, ("object", 1, (
        "connectorId", _POSITIVE,
    )), ("object", 1, (
        "status", ("enum", ("Unlocked", "UnlockFailed", "NotSupported")),
    ))),
}

_LONG_LISTS = {"SendLocalList": "localAuthorizationList"}

# The actions of the profiles that are not built: (profile, who sends the requests, their names).
_OTHERS = (
    ("RemoteTrigger", _BACKEND, ("TriggerMessage",)),
    ("Reservation", _BACKEND, ("CancelReservation", "ReserveNow")),
    ("SmartCharging", _BACKEND, ("ClearChargingProfile", "GetCompositeSchedule", "SetChargingProfile")),
    # of the security extension, which names no feature profile
    ("Security", _BACKEND, (
        "CertificateSigned", "DeleteCertificate", "ExtendedTriggerMessage", "GetInstalledCertificateIds", "GetLog",
        "InstallCertificate", "SignedUpdateFirmware",
    )),
    ("Security", _STATION, (
        "LogStatusNotification", "SecurityEventNotification", "SignCertificate",
        "SignedFirmwareStatusNotification",
    )),
)
# fmt: on


def _entry(action):
    entry = _ACTIONS.get(action)
    if entry is None:
        for other in _OTHERS:
            if action in other[2]:
                return other
    return entry


def request(action: str) -> "Shape | None":
    """The shape of the action's request; None if there is none to check it against."""
    entry = _ACTIONS.get(action)
    return entry[2] if entry else None


def response(action: str) -> "Shape | None":
    """The shape of the action's answer; None if there is none to check it against."""
    entry = _ACTIONS.get(action)
    return entry[3] if entry else None


def long_list(action: str) -> "str | None":
    """The property of the action's request that is a list too long for the memory; None if it has none.

    It stands last in the shape and may be empty: what comes before the first wrong item is judged without the list.
    """
    return _LONG_LISTS.get(action)


def profile(action: str) -> "str | None":
    """The feature profile, as SupportedFeatureProfiles spells it, or "Security" for the extension; None if unknown."""
    entry = _entry(action)
    return entry[0] if entry else None


def from_backend(action: str) -> bool:
    """True if a backend may request the action."""
    entry = _entry(action)
    return entry is not None and entry[1] & _BACKEND != 0


def is_known(action: str) -> bool:
    """True for the actions of OCPP 1.6 and of its security extension, whoever sends them."""
    return _entry(action) is not None
