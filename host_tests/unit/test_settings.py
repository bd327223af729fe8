"""The settings: the table itself, every type's bounds, what is stored, and what survives a restart or a bad file."""

import json
import unittest

import ramdisk
from fakes import FakeLog
from station.log import LEVELS
from station.settings import _TABLE, MEASURANDS, SettingError, Settings
from station.storage import atomic

PATH = ramdisk.MOUNT + "/settings.json"

# OCPP 1.6 §9.1: required keys, then the optional ones whose function this station has. True: read only.
CORE = {
    "AuthorizeRemoteTxRequests": False,
    "ClockAlignedDataInterval": False,
    "ConnectionTimeOut": False,
    "ConnectorPhaseRotation": False,
    "GetConfigurationMaxKeys": True,
    "HeartbeatInterval": False,
    "LocalAuthorizeOffline": False,
    "LocalPreAuthorize": False,
    "MeterValuesAlignedData": False,
    "MeterValuesSampledData": False,
    "MeterValueSampleInterval": False,
    "NumberOfConnectors": True,
    "ResetRetries": False,
    "StopTransactionOnEVSideDisconnect": False,
    "StopTransactionOnInvalidId": False,
    "StopTxnAlignedData": False,
    "StopTxnSampledData": False,
    "SupportedFeatureProfiles": True,
    "TransactionMessageAttempts": False,
    "TransactionMessageRetryInterval": False,
    "UnlockConnectorOnEVSideDisconnect": False,
    "AllowOfflineTxForUnknownId": False,
    "AuthorizationCacheEnabled": False,
    "ConnectorPhaseRotationMaxLength": True,
    "MaxEnergyOnInvalidId": False,
    "MeterValuesAlignedDataMaxLength": True,
    "MeterValuesSampledDataMaxLength": True,
    "MinimumStatusDuration": False,
    "StopTxnAlignedDataMaxLength": True,
    "StopTxnSampledDataMaxLength": True,
    "SupportedFeatureProfilesMaxLength": True,
    "WebSocketPingInterval": False,
}


class TableTest(unittest.TestCase):
    def setUp(self):
        self.settings = Settings(None, FakeLog())

    def test_every_core_key_with_its_access(self):
        for name, readonly in CORE.items():
            self.assertEqual(self.settings.read(name)[:2], (name, readonly))

    def test_rows_are_sound(self):
        names = [row[0] for row in _TABLE]
        self.assertEqual(len(set([name.lower() for name in names])), len(names))
        self.assertEqual(list(self.settings.names()), names)
        for name, _, default, least, most, _ in _TABLE:
            self.assertTrue(len(name) <= 50, name)  # CiString50
            if isinstance(default, int) and not isinstance(default, bool):
                self.assertTrue(least <= default and (most is None or default <= most), name)

    def test_defaults_are_allowed_values(self):
        for name, readonly, text in self.settings.items():
            if not readonly:
                self.assertEqual(self.settings.change(name, text), "Accepted", name)

    def test_every_list_has_its_max_length(self):
        for name in CORE:
            if name.endswith("Data") or name == "ConnectorPhaseRotation":
                self.assertIsInstance(self.settings[name + "MaxLength"], int)

    def test_levels_are_the_logs(self):
        self.assertEqual(self.settings._rows["LogLevel"][3], LEVELS)

    def test_all_measurands_fit_in_a_value(self):
        items = list(MEASURANDS) + ["%s.L%d" % (name, n) for name in ("Voltage", "Current.Import") for n in (1, 2, 3)]
        self.assertEqual(self.settings.change("MeterValuesSampledData", ",".join(items)), "Accepted")
        self.assertTrue(len(self.settings["MeterValuesSampledData"]) <= 500)

    def test_items_are_what_read_tells(self):
        items = list(self.settings.items())
        self.assertEqual([item[0] for item in items], list(self.settings.names()))
        for item in items:
            self.assertEqual(self.settings.read(item[0]), item)
            self.assertIsInstance(item[2], str)


class ChangeTest(unittest.TestCase):
    def setUp(self):
        self.log = FakeLog()
        self.settings = Settings(None, self.log, None, 2, 3)

    def accepts(self, name, text, value):
        self.assertEqual(self.settings.change(name, text), "Accepted", (name, text))
        self.assertEqual(self.settings[name], value)

    def refuses(self, name, *texts):
        before = self.settings[name]
        for text in texts:
            del self.log.lines[:]
            self.assertEqual(self.settings.change(name, text), "Rejected", (name, text))
            self.assertEqual(self.settings[name], before)
            (warning,) = self.log.at("warning")
            self.assertIn(name, warning)
            self.assertIn("expected", warning)
            self.assertIn("'%s" % str(text)[:60], warning)

    def test_numbers(self):
        self.accepts("HeartbeatInterval", "1", 1)
        self.accepts("HeartbeatInterval", "86400", 86400)
        self.accepts("MeterValueSampleInterval", "0", 0)
        self.accepts("MeterValueSampleInterval", "007", 7)
        self.refuses(
            "HeartbeatInterval", "0", "86401", "-1", "", " 5", "5 ", "1_0", "5.0", "0x10", "+5", "-", "five", "9" * 400
        )
        self.refuses("MeterValueSampleInterval", "-1", "86401", "99999999999")

    def test_truth_values(self):
        self.accepts("LocalPreAuthorize", "true", True)
        self.accepts("LocalPreAuthorize", "False", False)
        self.accepts("LocalPreAuthorize", "TRUE", True)
        self.assertEqual(self.settings.read("LocalPreAuthorize")[2], "true")
        self.refuses("LocalPreAuthorize", "1", "yes", "", " true")

    def test_choices(self):
        self.accepts("LogLevel", "DEBUG", "DEBUG")
        self.refuses("LogLevel", "debug", "", "TRACE")

    def test_measurands(self):
        name = "MeterValuesSampledData"
        self.accepts(
            name,
            "Voltage, Current.Import.L2 ,Energy.Active.Import.Register",
            "Voltage,Current.Import.L2,Energy.Active.Import.Register",
        )
        self.accepts(name, "", "")
        self.refuses(
            name,
            "Voltage,",
            "voltage",
            "Energy.Reactive.Import.Register",
            "Voltage,Voltage",
            "Voltage.L4",
            "Frequency.L1",
            "Voltage.L",
            ",",
            "x" * 501,
        )

    def test_measurands_of_a_station_with_one_phase(self):
        self.settings = Settings(None, self.log, None, 1, 1)
        self.accepts("StopTxnSampledData", "Voltage.L1", "Voltage.L1")
        self.refuses("StopTxnSampledData", "Voltage.L2")

    def test_a_list_longer_than_its_max_length(self):
        self.settings = Settings(None, self.log, {"MeterValuesSampledDataMaxLength": 2})
        self.accepts("MeterValuesSampledData", "Voltage,Frequency", "Voltage,Frequency")
        self.refuses("MeterValuesSampledData", "Voltage,Frequency,Current.Import")
        self.accepts("StopTxnSampledData", "Voltage,Frequency,Current.Import", "Voltage,Frequency,Current.Import")
        for first in (0, 1):  # whichever comes first in the file
            keys = ["StopTxnSampledData", "StopTxnSampledDataMaxLength"]
            given = {keys[first]: ("Voltage,Frequency", 1)[first]}
            given[keys[1 - first]] = ("Voltage,Frequency", 1)[1 - first]
            self.assertRaises(SettingError, Settings, None, self.log, given)

    def test_rotations(self):
        name = "ConnectorPhaseRotation"
        self.assertEqual(self.settings[name], "1.Unknown,2.Unknown")
        self.accepts(name, "0.RST, 1.RST, 2.RTS", "0.RST,1.RST,2.RTS")
        self.accepts(name, "1.NotApplicable", "1.NotApplicable")
        self.refuses(name, "3.RST", "1.rst", "RST", "1.", ".RST", "-1.RST", "1.RST,1.RST", "1.RST.2")

    def test_names_have_no_case(self):
        self.assertEqual(self.settings.change("heartbeatINTERVAL", "7"), "Accepted")
        self.assertEqual(self.settings["HeartbeatInterval"], 7)
        self.assertEqual(self.settings.read("HEARTBEATINTERVAL"), ("HeartbeatInterval", False, "7"))

    def test_unknown_and_read_only(self):
        for name in ("", "Heartbeat", "HeartbeatInterva1", "HeartbeatInterval "):
            self.assertEqual(self.settings.change(name, "1"), "NotSupported")
            self.assertIsNone(self.settings.read(name))
        for name in ("NumberOfConnectors", "GetConfigurationMaxKeys", "JournalDepth", "SupportedFeatureProfiles"):
            self.assertEqual(self.settings.change(name, "1"), "Rejected")
            self.assertIn(name, self.log.at("warning")[-1])
        with self.assertRaises(KeyError):
            self.settings["heartbeatinterval"]

    def test_callbacks_hear_what_came_in_force(self):
        heard = []
        self.settings.on_change("HeartbeatInterval", heard.append)
        for text in ("7", "7", "0", "8", "008"):
            self.settings.change("HeartbeatInterval", text)
        self.settings.change("ConnectionTimeOut", "9")
        self.assertEqual(heard, [7, 8])
        self.assertRaises(KeyError, self.settings.on_change, "Heartbeat", heard.append)

    def test_computed_keys(self):
        self.assertEqual(self.settings["NumberOfConnectors"], 2)
        self.assertEqual(self.settings.read("JournalDepth"), ("JournalDepth", True, "0"))
        depth = [3]
        self.settings.provide("JournalDepth", lambda: depth[0])
        self.settings.provide("JournalOldest", lambda: "2026-11-22T11:00:00Z")
        depth[0] = 4
        self.assertEqual(self.settings["JournalDepth"], 4)
        self.assertEqual(self.settings.read("JournalDepth"), ("JournalDepth", True, "4"))
        self.assertIn(("JournalOldest", True, "2026-11-22T11:00:00Z"), list(self.settings.items()))
        self.assertRaises(ValueError, self.settings.provide, "HeartbeatInterval", lambda: 1)


class OverrideTest(unittest.TestCase):
    def test_texts_numbers_and_truth_values(self):
        given = {"heartbeatinterval": "20", "ConnectionTimeOut": 3, "LocalPreAuthorize": True, "ResetRetries": "2"}
        settings = Settings(None, FakeLog(), given)
        self.assertEqual(settings["HeartbeatInterval"], 20)
        self.assertEqual(settings["ConnectionTimeOut"], 3)
        self.assertIs(settings["LocalPreAuthorize"], True)
        self.assertEqual(settings["ResetRetries"], 2)

    def test_a_wrong_one_names_the_key_and_what_it_expects(self):
        for name, given, expected in (
            ("HeartbeatInterval", "0", "HeartbeatInterval: expected a whole number from 1 to 86400, got '0'"),
            ("heartbeatInterval", 1.5, "HeartbeatInterval: expected a whole number from 1 to 86400, got '1.5'"),
            ("LocalPreAuthorize", None, "LocalPreAuthorize: expected true or false, got 'None'"),
            ("LogLevel", "LOUD", "LogLevel: expected one of ERROR, WARNING, INFO, DEBUG, got 'LOUD'"),
            ("Heartbeat", "1", "Heartbeat: is no key of this station"),
            ("NumberOfConnectors", 3, "NumberOfConnectors: is told by the station, cannot be set"),
        ):
            with self.assertRaises(SettingError) as caught:
                Settings(None, FakeLog(), {name: given})
            self.assertEqual(str(caught.exception), expected)


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.flash = ramdisk.mount()
        self.log = FakeLog()

    def tearDown(self):
        ramdisk.unmount()

    def start(self, overrides=None):
        return Settings(PATH, self.log, overrides)

    def stored(self):
        return atomic.load_json(PATH, self.log)

    def test_values_survive_a_restart(self):
        settings = self.start()
        settings.change("HeartbeatInterval", "77")
        settings.change("LocalPreAuthorize", "TRUE")
        settings.change("MeterValuesSampledData", "Voltage, Frequency")
        self.assertEqual(
            self.stored(),
            {"HeartbeatInterval": "77", "LocalPreAuthorize": "true", "MeterValuesSampledData": "Voltage,Frequency"},
        )
        settings = self.start()
        self.assertEqual(settings["HeartbeatInterval"], 77)
        self.assertIs(settings["LocalPreAuthorize"], True)
        self.assertEqual(settings["MeterValuesSampledData"], "Voltage,Frequency")

    def test_only_what_differs_is_written(self):
        settings = self.start({"ConnectionTimeOut": "5"})
        programs = self.flash.programs
        self.assertEqual(settings.change("HeartbeatInterval", "300"), "Accepted")
        self.assertEqual(settings.change("ConnectionTimeOut", "05"), "Accepted")
        self.assertEqual(settings.change("HeartbeatInterval", "0"), "Rejected")
        self.assertEqual(self.flash.programs, programs)
        settings.change("ConnectionTimeOut", "6")
        self.assertGreater(self.flash.programs, programs)
        settings.change("HeartbeatInterval", "301")
        settings.change("HeartbeatInterval", "300")
        self.assertEqual(self.stored(), {"ConnectionTimeOut": "6"})

    def test_what_the_backend_stored_wins_over_provisioning(self):
        self.start({"ConnectionTimeOut": "5"}).change("ConnectionTimeOut", "6")
        self.assertEqual(self.start({"ConnectionTimeOut": "7"})["ConnectionTimeOut"], 6)

    def test_reboot_required(self):
        name = "WebSocketMaxMessageSize"
        heard = []
        settings = self.start()
        settings.on_change(name, heard.append)
        self.assertEqual(settings.change(name, "2048"), "RebootRequired")
        self.assertEqual(settings[name], 65536)
        self.assertEqual(settings.read(name), (name, False, "2048"))
        self.assertEqual(settings.change(name, "2048"), "RebootRequired")
        self.assertEqual(self.start()[name], 2048)
        self.assertEqual(settings.change(name, "65536"), "Accepted")  # back to what is in force
        self.assertEqual(settings.read(name), (name, False, "65536"))
        self.assertEqual(self.stored(), {})
        self.assertEqual(heard, [])

    def test_a_write_that_fails_changes_nothing(self):
        settings = self.start()
        settings.change("HeartbeatInterval", "77")
        self.flash.fail(1)
        self.assertEqual(settings.change("HeartbeatInterval", "78"), "Rejected")
        self.flash.fail(1)
        self.assertEqual(settings.change("WebSocketMaxMessageSize", "2048"), "Rejected")
        self.assertEqual(settings["HeartbeatInterval"], 77)
        self.assertEqual(settings.read("WebSocketMaxMessageSize")[2], "65536")
        self.assertIn("HeartbeatInterval", self.log.at("error")[0])
        self.assertEqual(settings.change("HeartbeatInterval", "78"), "Accepted")
        self.assertEqual(self.start()["HeartbeatInterval"], 78)

    def test_a_corrupt_file_leaves_the_defaults(self):
        self.start().change("HeartbeatInterval", "77")
        with open(PATH, "wb") as file:
            file.write(b'{"HeartbeatInterval": "77"')
        settings = self.start({"ConnectionTimeOut": "5"})
        self.assertEqual((settings["HeartbeatInterval"], settings["ConnectionTimeOut"]), (300, 5))
        self.assertIn(PATH, self.log.at("error")[0])
        settings.change("HeartbeatInterval", "78")
        self.assertEqual(self.start()["HeartbeatInterval"], 78)

    def test_a_file_that_holds_something_else(self):
        for content in ([], 7, None, "text"):
            atomic.replace(PATH, json.dumps(content).encode())
            self.assertEqual(self.start()["HeartbeatInterval"], 300)
        self.assertIn(PATH, self.log.at("error")[0])

    def test_bad_values_cost_only_their_own_key(self):
        atomic.replace_json(
            PATH, {"HeartbeatInterval": "0", "ConnectionTimeOut": 9, "ResetRetries": "4", "NumberOfConnectors": "7"}
        )  # the last may only be read
        settings = self.start()
        self.assertEqual((settings["HeartbeatInterval"], settings["ConnectionTimeOut"]), (300, 60))
        self.assertEqual((settings["ResetRetries"], settings["NumberOfConnectors"]), (4, 1))
        errors = self.log.at("error")
        self.assertEqual(len(errors), 2)
        self.assertTrue(any(["HeartbeatInterval" in error for error in errors]))

    def test_what_a_newer_firmware_stored_is_kept_for_it(self):
        atomic.replace_json(PATH, {"KeyOfTomorrow": "x", "HeartbeatInterval": "900000"})
        settings = self.start()
        settings.change("ResetRetries", "4")
        self.assertEqual(self.stored(), {"KeyOfTomorrow": "x", "HeartbeatInterval": "900000", "ResetRetries": "4"})
        settings.change("HeartbeatInterval", "9")
        self.assertEqual(self.stored(), {"KeyOfTomorrow": "x", "HeartbeatInterval": "9", "ResetRetries": "4"})
