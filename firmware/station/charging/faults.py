"""What is wrong with a connector, and the OCPP error code that tells it (OCPP 1.6 §7.6).

`update()` looks at the alarm contacts, the contactor's feedback and the pilot; the connector adds what it finds
itself (`add`: lock, meter). Some faults stay until the cable is out, because the measure that answers them makes
them invisible: without a duty cycle no missing diode is seen.

EVCommunicationError goes only with statuses that are not Faulted (OCPP 1.6 §4.9), so a pilot that a car spoils
is an OtherError whose vendorErrorCode says what it is.
"""

from station.charging import interlock as lock_of

# inputs that tell of a condition with which charging may go on (OCPP 1.6 §4.9: reported, but not as Faulted)
WARNINGS = ("EVCommunicationError", "WeakSignal")

# inputs of which it counts that they tripped, not for how long
AT_ONCE = ("EmergencyStop", "ResidualCurrent")

# vendorErrorCode: (errorCode, info, stays until the cable is out)
_KINDS = {
    # of alarm contacts; the others have an errorCode for their code
    "EmergencyStop": ("OtherError", "emergency stop", False),
    "EnclosureOpen": ("OtherError", "the enclosure is open", False),
    "ResidualCurrent": ("GroundFailure", "the residual-current device has tripped", True),
    # found by the station itself
    "ContactorWelded": ("PowerSwitchFailure", "contact closed though the coil is off", False),
    "ContactorStuck": ("PowerSwitchFailure", "contact open though the coil is on", True),
    "PilotStateE": ("OtherError", "control pilot shorted: state E", False),
    "PilotStateF": ("OtherError", "control pilot at -12 V: state F", False),
    "PilotLost": ("OtherError", "control pilot cannot be measured", False),
    "DiodeMissing": ("OtherError", "no diode in the vehicle's control pilot", True),
    "LockFailure": ("ConnectorLockFailure", "the connector lock did not lock", True),
    "MeterSilent": ("PowerMeterFailure", "the energy meter does not answer", False),
    "MeterImplausible": ("PowerMeterFailure", "the energy register ran backwards or jumped", True),
}
METER = ("MeterSilent", "MeterImplausible")


class Faults:
    """The faults that stand, oldest first; at most one of each kind. `warnings` are inputs that open no contact.

    `tolerated` are vendorErrorCodes of faults with which charging goes on at present: they are told, but not as
    Faulted, which is for a connector that delivers no energy (OCPP 1.6 §4.9).
    """

    def __init__(self, inputs, warnings, interlock) -> None:
        self._inputs = inputs
        self._warnings = warnings
        self._interlock = interlock
        self._standing = []
        self._warned = []
        self.tolerated: tuple[str, ...] = ()

    def any(self) -> bool:
        return bool(self._grave())

    def _grave(self) -> list:
        return [code for code in self._standing if code not in self.tolerated] if self.tolerated else self._standing

    def holds_open(self) -> bool:
        """Does an alarm contact keep the contactor open, be it one that was too short for a fault?"""
        return self._inputs.any()

    def has(self, vendor_code: str) -> bool:
        return vendor_code in self._standing

    def add(self, vendor_code: str) -> None:
        if vendor_code not in self._standing:
            self._standing.append(vendor_code)

    def remove(self, vendor_code: str) -> None:
        if vendor_code in self._standing:
            self._standing.remove(vendor_code)

    def first(self) -> "tuple[str, str, str]":
        """(errorCode, info, vendorErrorCode) to report; an emergency stop goes before all else."""
        if not self._standing:
            return (self._warned[0], "", "") if self._warned else ("NoError", "", "")
        vendor_code = "EmergencyStop" if self.has("EmergencyStop") else (self._grave() or self._standing)[0]
        if vendor_code in _KINDS:
            error_code, info, _ = _KINDS[vendor_code]
            if vendor_code.startswith("Contactor") and self._interlock.poles > 1:
                info += ", pole %d" % self._interlock.pole
            return error_code, info, vendor_code
        return vendor_code, "", ""

    def unplugged(self) -> None:
        """The cable is out: forget what stays only as long as it is in."""
        for vendor_code in list(self._standing):
            if vendor_code in _KINDS and _KINDS[vendor_code][2]:
                self.remove(vendor_code)

    def update(self) -> None:
        """Look at the alarm contacts, the contactor and the pilot."""
        self._warned = self._warnings.active()
        active = self._inputs.active()
        for code in self._inputs.codes:
            if code in active:
                self.add(code)
            elif not (code in _KINDS and _KINDS[code][2]):
                self.remove(code)
        self._follow("ContactorWelded", self._interlock.switch == lock_of.SWITCH_WELDED)
        if self._interlock.switch == lock_of.SWITCH_STUCK:
            self.add("ContactorStuck")
        state = self._interlock.state
        self._follow("PilotStateE", state == lock_of.E)
        self._follow("PilotStateF", state == lock_of.F)
        self._follow("PilotLost", state == lock_of.LOST)
        if state == lock_of.NO_DIODE:
            self.add("DiodeMissing")

    def _follow(self, vendor_code: str, stands: bool) -> None:
        if stands:
            self.add(vendor_code)
        else:
            self.remove(vendor_code)
