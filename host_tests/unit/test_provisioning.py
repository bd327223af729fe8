"""The provisioning file: what a good one gives, and that a wrong one is told by key, expectation and value."""

import json
import unittest

from station.provisioning import ProvisioningError, parse

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def example():
    return {
        "identity": {
            "vendor": "Ladepunkt",
            "model": "Unix",
            "serial": "LP-0001",
            "firmware_version": "0.1.0",
            "charge_point_id": "CP-1",
        },
        "backend": {"url": "ws://127.0.0.1:9000/ocpp"},
        "connectors": {"count": 2, "lock": True, "max_current_a": 16, "phases": 3},
        "settings": {"HeartbeatInterval": "60", "LocalPreAuthorize": True},
    }


class ProvisioningTest(unittest.TestCase):
    def parse(self, given):
        return parse(json.dumps(given).encode())

    def refuses(self, given, expected):
        with self.assertRaises(ProvisioningError) as caught:
            self.parse(given)
        self.assertEqual(str(caught.exception), expected)

    def refuses_value(self, section, key, value, expected):
        given = example()
        given[section][key] = value
        self.refuses(given, expected)

    def test_a_whole_file(self):
        result = self.parse(example())
        self.assertEqual(
            (result.vendor, result.model, result.serial, result.firmware_version, result.charge_point_id),
            ("Ladepunkt", "Unix", "LP-0001", "0.1.0", "CP-1"),
        )
        self.assertEqual((result.url, result.password, result.ca), ("ws://127.0.0.1:9000/ocpp", None, None))
        self.assertEqual((result.connectors, result.lock, result.max_current_a, result.phases), (2, True, 16, 3))
        self.assertEqual(result.settings, {"HeartbeatInterval": "60", "LocalPreAuthorize": True})

    def test_the_time_of_provisioning(self):
        self.assertEqual(self.parse(example()).provisioned_at, 0)
        given = example()
        given["identity"]["provisioned_at"] = "2026-11-22T11:00:00Z"
        self.assertEqual(self.parse(given).provisioned_at, 1795345200)
        for wrong in ("yesterday", "1999-01-01T00:00:00Z", 1795345200, None):
            expected = "expected a date-time such as 2026-11-22T11:00:00Z, got %r" % (wrong,)
            self.refuses_value("identity", "provisioned_at", wrong, "identity.provisioned_at: " + expected)

    def test_components(self):
        self.assertEqual(self.parse(example()).components, {})
        given = example()
        url, pem = "https://192.168.7.1:8443/update", "-----BEGIN CERTIFICATE-----x"
        given["components"] = {
            "router": {"url": url, "certificate": pem},
            "charge_controller": {"address": 32},
            "plc": {"address": 33, "baudrate": 19200},
        }
        wanted = {"router": (url, pem), "charge_controller": (32, None), "plc": (33, 19200)}
        self.assertEqual(self.parse(given).components, wanted)

    def test_components_that_are_none(self):
        pem = "-----BEGIN CERTIFICATE-----x"
        each = "components.router: expected url and certificate, or address and perhaps baudrate, got "
        for row, expected in (
            ({}, each + "[]"),
            ({"url": "https://a"}, each + "['url']"),
            ({"address": 1, "url": "https://a", "certificate": pem}, each + "['address', 'certificate', 'url']"),
            (
                {"url": "http://a/b", "certificate": pem},
                "components.router.url: expected a URL https://… without a slash at its end, got 'http://a/b'",
            ),
            ({"address": 248}, "components.router.address: expected a whole number from 1 to 247, got 248"),
            (
                {"address": 1, "speed": 1},
                "components.router.speed: unknown key, expected one of url, certificate, address, baudrate",
            ),
            (7, "components.router: expected an object, got 7"),
        ):
            given = example()
            given["components"] = {"router": row}
            self.refuses(given, expected)
        for name in ("application", "base", "", "x" * 33, "a b"):
            given = example()
            given["components"] = {name: {"address": 1}}
            with self.assertRaises(ProvisioningError) as caught:
                self.parse(given)
            self.assertIn("components: expected a name of 1 to 32", str(caught.exception))
        given["components"] = {str(number): {"address": 1 + number} for number in range(8)}
        self.refuses(given, "components: expected at most 7, got 8")

    def test_a_meter(self):
        result = self.parse(example())
        found = (result.meter_type, result.meter_address, result.meter_baudrate, result.meter_parity)
        self.assertEqual(found, (None, None, None, None))
        given = example()
        given["meter"] = {"type": "B23", "address": 5, "baudrate": 19200, "parity": "even"}
        result = self.parse(given)
        found = (result.meter_type, result.meter_address, result.meter_baudrate, result.meter_parity)
        self.assertEqual(found, ("B23", 5, 19200, "even"))
        for address in (1, 246, [9, 3], [247, 247]):
            given["meter"] = {"address": address}
            self.assertEqual(self.parse(given).meter_address, address)

    def test_a_wrong_meter(self):
        for key, value, expected in (
            ("type", "SDM120", "one of SDM72, SDM72V1, SDM230, SDM630, B23, EM340, got 'SDM120'"),
            ("type", 630, "one of SDM72, SDM72V1, SDM230, SDM630, B23, EM340, got 630"),
            ("address", 0, "a whole number from 1 to 247, or a list with one for each connector, got 0"),
            ("address", True, "a whole number from 1 to 247, or a list with one for each connector, got True"),
            ("address", [1, 248], "a whole number from 1 to 247, or a list with one for each connector, got [1, 248]"),
            ("address", [1], "as many addresses as connectors.count, 2, got [1]"),
            ("address", 247, "a whole number from 1 to 246 with 2 connectors, got 247"),
            (
                "baudrate",
                9601,
                "one of 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, got 9601",
            ),
            ("parity", "mark", "one of none, even, odd, got 'mark'"),
            ("parity", None, "one of none, even, odd, got None"),
        ):
            given = example()
            given["meter"] = {key: value}
            self.refuses(given, "meter.%s: expected %s" % (key, expected))
        given["meter"] = {"adress": 1}
        self.refuses(given, "meter.adress: unknown key, expected one of type, address, baudrate, parity")

    def test_what_may_be_left_out(self):
        given = example()
        given["connectors"] = {"count": 1}
        del given["settings"]
        result = self.parse(given)
        self.assertEqual((result.connectors, result.lock, result.max_current_a, result.phases), (1, False, 32, 3))
        self.assertEqual(result.settings, {})

    def test_what_may_not(self):
        for section in ("identity", "backend", "connectors"):
            for key in ("vendor", "model", "serial", "firmware_version", "charge_point_id", "url", "count"):
                given = example()
                if key in given[section]:
                    del given[section][key]
                    with self.assertRaises(ProvisioningError) as caught:
                        self.parse(given)
                    self.assertIn("%s.%s: is missing, expected " % (section, key), str(caught.exception))
        given = example()
        del given["identity"]
        self.refuses(given, "identity.vendor: is missing, expected a text of 1 to 20 printable ASCII characters")

    def test_wrong_values(self):
        for section, key, value, expected in (
            ("identity", "vendor", "", "a text of 1 to 20 printable ASCII characters, got ''"),
            ("identity", "vendor", "x" * 21, "a text of 1 to 20 printable ASCII characters, got '%s'" % ("x" * 21)),
            ("identity", "model", 7, "a text of 1 to 20 printable ASCII characters, got 7"),
            ("identity", "serial", "a\nb", "a text of 1 to 25 printable ASCII characters, got 'a\\nb'"),
            ("identity", "firmware_version", None, "a text of 1 to 50 printable ASCII characters, got None"),
            ("connectors", "count", 0, "a whole number from 1 to 8, got 0"),
            ("connectors", "count", 9, "a whole number from 1 to 8, got 9"),
            ("connectors", "count", True, "a whole number from 1 to 8, got True"),
            ("connectors", "count", "2", "a whole number from 1 to 8, got '2'"),
            ("connectors", "count", 1.5, "a whole number from 1 to 8, got 1.5"),
            ("connectors", "lock", 1, "true or false, got 1"),
            ("connectors", "max_current_a", 5, "a whole number from 6 to 80, got 5"),
            ("connectors", "phases", 2, "one of 1, 3, got 2"),
        ):
            self.refuses_value(section, key, value, "%s.%s: expected %s" % (section, key, expected))

    def test_unknown_keys(self):
        given = example()
        given["conectors"] = {}
        known = "identity, backend, connectors, update, meter, components, settings"
        self.refuses(given, "conectors: unknown key, expected one of " + known)
        known = "url, authorization_key, ca"
        self.refuses_value("backend", "uri", "x", "backend.uri: unknown key, expected one of " + known)

    def test_what_is_no_json_or_no_object(self):
        for text in (b"", b"{", b'{"identity":', b"\xff\xfe"):
            with self.assertRaises(ProvisioningError) as caught:
                parse(text)
            self.assertIn("provisioning: expected JSON", str(caught.exception))
        self.refuses([1], "provisioning: expected an object, got [1]")
        given = example()
        given["backend"] = "ws://x"
        self.refuses(given, "backend: expected an object, got 'ws://x'")

    def test_urls(self):
        for url in ("ws://h", "ws://h/", "ws://h:1/a/b", "ws://[::1]:9000/x", "ws://[fe80::1]", "ws://1.2.3.4:65535"):
            given = example()
            given["backend"]["url"] = url
            self.assertEqual(self.parse(given).url, url)
        for url in (
            "http://x",
            "ws:/x/y/z",
            "ws:///path",
            "ws://h:port",
            "ws://h:0",
            "ws://h:65536",
            "ws://:9000",
            "ws://[]:9000",
            "ws://[::1]x",
            "ws://[::1:9000",
            "ws://user@h/",
            "ws://h/?a=b",
            "ws://h/#a",
            "ws://h /x",
        ):
            expected = "backend.url: expected a URL ws://host[:port][/path] or wss://…, got '%s'" % url
            self.refuses_value("backend", "url", url, expected)

    def test_wss_needs_a_certificate_to_trust(self):
        expected = "backend.ca: is missing, expected the certificate to trust with a wss:// backend"
        self.refuses_value("backend", "url", "wss://h/", expected)
        given = example()
        given["backend"] = {"url": "wss://h/", "ca": PEM}
        self.assertEqual(self.parse(given).ca, PEM)
        expected = "backend.ca: expected the text of a PEM file with a certificate, at most 16384 characters, got 'x'"
        self.refuses_value("backend", "ca", "x", expected)

    def test_authorization_key(self):
        given = example()
        for key, password in (("secret: ok", b"secret: ok"), ("hex:00ffA5", b"\x00\xff\xa5"), ("abcd", b"abcd")):
            given["backend"]["authorization_key"] = key
            self.assertEqual(self.parse(given).password, password)
        expected = "backend.authorization_key: expected pairs of hex digits after 'hex:'"
        for key in ("hex:", "hex:abc", "hex:zz"):
            self.refuses_value("backend", "authorization_key", key, expected)
        given = example()
        given["identity"]["charge_point_id"] = "CP:1"
        self.assertEqual(self.parse(given).charge_point_id, "CP:1")
        given["backend"]["authorization_key"] = "secret"
        self.refuses(given, "identity.charge_point_id: expected no ':' beside an authorization_key, got 'CP:1'")

    def test_a_secret_is_not_repeated_in_an_error(self):
        given = example()
        given["backend"]["authorization_key"] = "hex:secretsecret"
        with self.assertRaises(ProvisioningError) as caught:
            self.parse(given)
        self.assertNotIn("secretsecret", str(caught.exception))
        given["backend"]["authorization_key"] = "secret" * 20
        with self.assertRaises(ProvisioningError) as caught:
            self.parse(given)
        self.assertNotIn("secretsecret", str(caught.exception))

    def test_settings_are_checked_for_this_station(self):
        for name, value, expected in (
            ("HeartbeatInterval", "0", "HeartbeatInterval: expected a whole number from 1 to 86400, got '0'"),
            ("Heartbeat", "1", "Heartbeat: is no key of this station"),
            ("LocalPreAuthorize", [], "LocalPreAuthorize: expected true or false, got '[]'"),
        ):
            self.refuses_value("settings", name, value, "settings." + expected)
        given = example()
        given["settings"] = {"MeterValuesSampledData": "Voltage.L2", "ConnectorPhaseRotation": "2.RST"}
        self.parse(given)
        given["connectors"]["phases"] = 1
        with self.assertRaises(ProvisioningError) as caught:
            self.parse(given)
        self.assertIn("settings.MeterValuesSampledData: expected ", str(caught.exception))
        given["connectors"] = {"count": 1}
        with self.assertRaises(ProvisioningError) as caught:
            self.parse(given)
        self.assertIn("settings.ConnectorPhaseRotation: expected ", str(caught.exception))
