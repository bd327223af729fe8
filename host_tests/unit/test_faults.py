"""Which fault stands, for how long, and the OCPP error code that tells it."""

import unittest

from charging_fakes import LOST, NO_DIODE, A, B, C, D, E, F, FakeInputs
from station.charging.faults import METER, WARNINGS, Faults
from station.charging.interlock import SWITCH_OK, SWITCH_STUCK, SWITCH_WELDED

# ChargePointErrorCode of OCPP 1.6 §7.6
ERROR_CODES = (
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
)


class FakeInterlock:
    def __init__(self):
        self.state = A
        self.switch = SWITCH_OK
        self.poles = 1
        self.pole = 1


class FaultsTest(unittest.TestCase):
    def setUp(self):
        self.inputs = FakeInputs()
        self.warnings = FakeInputs()
        self.interlock = FakeInterlock()
        self.faults = Faults(self.inputs, self.warnings, self.interlock)

    def update(self, **changes):
        for name, value in changes.items():
            setattr(self.interlock, name, value)
        self.faults.update()
        return self.faults.first()[0]

    def test_none(self):
        self.assertEqual(self.update(), "NoError")
        self.assertFalse(self.faults.any())
        self.assertEqual(self.faults.first(), ("NoError", "", ""))

    def test_an_input_stands_while_it_is_active(self):
        self.inputs.alarms = ["GroundFailure"]
        self.assertEqual(self.update(), "GroundFailure")
        self.assertTrue(self.faults.any())
        self.faults.unplugged()
        self.assertEqual(self.update(), "GroundFailure")
        self.inputs.alarms = []
        self.assertEqual(self.update(), "NoError")
        self.assertFalse(self.faults.any())

    def test_the_oldest_is_told(self):
        self.inputs.alarms = ["HighTemperature"]
        self.update()
        self.inputs.alarms = ["GroundFailure", "HighTemperature"]
        self.assertEqual(self.update(), "HighTemperature")
        self.inputs.alarms = ["GroundFailure"]
        self.assertEqual(self.update(), "GroundFailure")

    def test_an_emergency_stop_goes_before_all_else(self):
        self.inputs.alarms = ["HighTemperature"]
        self.update()
        self.inputs.alarms = ["HighTemperature", "EmergencyStop"]
        self.assertEqual(self.update(), "OtherError")
        self.assertEqual(self.faults.first()[2], "EmergencyStop")
        self.assertTrue(self.faults.has("EmergencyStop"))
        self.inputs.alarms = ["HighTemperature"]
        self.assertEqual(self.update(), "HighTemperature")

    def test_a_residual_current_stays_until_the_cable_is_out(self):
        self.inputs.alarms = ["ResidualCurrent"]
        self.assertEqual(self.update(), "GroundFailure")
        self.inputs.alarms = []
        self.assertEqual((self.update(), self.faults.first()[2]), ("GroundFailure", "ResidualCurrent"))
        self.faults.unplugged()
        self.assertEqual(self.update(), "NoError")

    def test_an_open_enclosure_stands_while_it_is_open(self):
        self.inputs.alarms = ["EnclosureOpen"]
        self.assertEqual((self.update(), self.faults.first()[2]), ("OtherError", "EnclosureOpen"))
        self.inputs.alarms = []
        self.assertEqual(self.update(), "NoError")

    def test_welded_follows_the_contact_whatever_happens_to_the_cable(self):
        self.assertEqual(self.update(switch=SWITCH_WELDED), "PowerSwitchFailure")
        self.faults.unplugged()
        self.assertEqual(self.update(), "PowerSwitchFailure")
        self.assertEqual(self.update(switch=SWITCH_OK), "NoError")

    def test_of_several_poles_the_one_is_named(self):
        self.update(switch=SWITCH_WELDED)
        self.assertNotIn("pole", self.faults.first()[1])
        self.update(poles=2, pole=2)
        self.assertEqual(self.faults.first()[1][-8:], ", pole 2")
        self.update(switch=SWITCH_STUCK, pole=1)
        self.assertEqual(self.faults.first()[1][-8:], ", pole 1")

    def test_stuck_stays_until_the_cable_is_out(self):
        self.assertEqual(self.update(switch=SWITCH_STUCK), "PowerSwitchFailure")
        self.assertEqual(self.update(switch=SWITCH_OK), "PowerSwitchFailure")
        self.faults.unplugged()
        self.assertEqual(self.update(), "NoError")

    def test_states_e_and_f_while_they_last(self):
        for state, vendor_code in ((E, "PilotStateE"), (F, "PilotStateF"), (LOST, "PilotLost")):
            self.update(state=state)
            self.assertTrue(self.faults.has(vendor_code))
            self.assertEqual(self.faults.first()[0], "OtherError")
            self.assertEqual(self.update(state=A), "NoError")

    def test_a_missing_diode_stays_until_the_cable_is_out(self):
        self.update(state=NO_DIODE)
        self.assertEqual(self.faults.first()[2], "DiodeMissing")
        for state in (B, C, D):
            self.update(state=state)
            self.assertEqual(self.faults.first()[2], "DiodeMissing")
        self.faults.unplugged()
        self.assertEqual(self.update(state=A), "NoError")

    def test_sound_states_are_no_fault(self):
        for state in (A, B, C, D):
            self.assertEqual(self.update(state=state), "NoError")

    def test_what_the_connector_adds(self):
        for vendor_code, error_code, stays in (
            ("LockFailure", "ConnectorLockFailure", False),
            ("MeterSilent", "PowerMeterFailure", True),
            ("MeterImplausible", "PowerMeterFailure", False),
        ):
            self.faults.add(vendor_code)
            self.faults.add(vendor_code)
            self.assertEqual(self.update(), error_code)
            self.faults.unplugged()
            self.assertEqual(self.faults.has(vendor_code), stays)
            self.faults.remove(vendor_code)
            self.faults.remove(vendor_code)
            self.assertFalse(self.faults.any())

    def test_warnings_are_told_and_are_no_faults(self):
        for code in WARNINGS:
            self.warnings.alarms = [code]
            self.assertEqual(self.update(), code)
            self.assertFalse(self.faults.any())
        self.inputs.alarms = ["GroundFailure"]
        self.assertEqual(self.update(), "GroundFailure")

    def test_a_tolerated_fault_is_told_and_is_none(self):
        self.faults.add("MeterSilent")
        self.faults.tolerated = METER
        self.assertEqual((self.update(), self.faults.first()[2]), ("PowerMeterFailure", "MeterSilent"))
        self.assertFalse(self.faults.any())
        self.assertTrue(self.faults.has("MeterSilent"))
        self.faults.add("LockFailure")
        self.assertTrue(self.faults.any())
        self.assertEqual(self.faults.first()[2], "LockFailure", "what stops goes before what is tolerated")
        self.faults.tolerated = ()
        self.assertEqual(self.faults.first()[2], "MeterSilent")

    def test_what_is_too_short_to_tell_holds_it_open_all_the_same(self):
        self.assertFalse(self.faults.holds_open())
        self.inputs.glitch = True
        self.assertEqual(self.update(), "NoError")
        self.assertFalse(self.faults.any())
        self.assertTrue(self.faults.holds_open())

    def test_every_code_is_one_of_the_standards(self):
        for vendor_code in (
            "EmergencyStop",
            "ContactorWelded",
            "ContactorStuck",
            "PilotLost",
            "PilotStateE",
            "PilotStateF",
            "DiodeMissing",
            "LockFailure",
            "MeterSilent",
            "MeterImplausible",
            "EnclosureOpen",
            "ResidualCurrent",
        ):
            self.faults = Faults(self.inputs, self.warnings, self.interlock)
            self.faults.add(vendor_code)
            error_code, info, told = self.faults.first()
            self.assertIn(error_code, ERROR_CODES)
            self.assertNotIn(error_code, WARNINGS, "those do not go with Faulted (OCPP 1.6 §4.9)")
            self.assertEqual(told, vendor_code)
            self.assertTrue(0 < len(info) <= 50, "info is a CiString50")
            self.assertLessEqual(len(told), 50)
