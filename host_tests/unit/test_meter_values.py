"""A stored reading becomes SampledValues: exact decimals, units, phases, context."""

import unittest

from station import measurands
from station.charging import metering
from station.ocpp import messages as shapes
from station.ocpp import meter_values, schema

MEASUREMENT = (16777217, 11040, 16000, 5, 15800, 2301, 2302, 2303, 4998, 165)


def sampled(names, context=metering.PERIODIC, phases=3, more=""):
    """The SampledValues of `names` out of a reading that holds `more` as well."""
    mask = measurands.mask_of(names, phases)
    stored = mask | measurands.mask_of(more, phases)
    return meter_values.sampled_values(mask, stored, measurands.select(stored, MEASUREMENT), context, phases)


class DecimalTest(unittest.TestCase):
    def test_exact(self):
        for number, divisor, text in (
            (0, 1, "0"),
            (4294967295, 1, "4294967295"),
            (0, 10, "0.0"),
            (5, 10, "0.5"),
            (2305, 10, "230.5"),
            (4998, 100, "49.98"),
            (5005, 100, "50.05"),
            (5, 1000, "0.005"),
            (16000, 1000, "16.000"),
        ):
            self.assertEqual(meter_values.decimal(number, divisor), text)


class SampledValuesTest(unittest.TestCase):
    def test_the_register_is_an_exact_integer(self):
        self.assertEqual(
            sampled("Energy.Active.Import.Register"),
            [
                {
                    "value": "16777217",
                    "context": "Sample.Periodic",
                    "measurand": "Energy.Active.Import.Register",
                    "unit": "Wh",
                }
            ],
        )

    def test_value_unit_and_phase_of_each(self):
        names = "Power.Active.Import,Frequency,Current.Offered,Power.Offered,Current.Import,Voltage"
        rows = [(row["measurand"], row["value"], row.get("unit"), row.get("phase")) for row in sampled(names)]
        self.assertEqual(
            rows,
            [
                ("Power.Active.Import", "11040", "W", None),
                ("Frequency", "49.98", None, None),
                ("Current.Offered", "16.5", "A", None),
                ("Power.Offered", "11385", "W", None),
                ("Current.Import", "16.000", "A", "L1"),
                ("Current.Import", "0.005", "A", "L2"),
                ("Current.Import", "15.800", "A", "L3"),
                ("Voltage", "230.1", "V", "L1-N"),
                ("Voltage", "230.2", "V", "L2-N"),
                ("Voltage", "230.3", "V", "L3-N"),
            ],
        )

    def test_one_phase(self):
        rows = sampled("Current.Import,Voltage,Power.Offered", phases=1)
        self.assertEqual([row.get("phase") for row in rows], [None, "L1", "L1-N"])
        self.assertEqual(rows[0]["value"], "3795")

    def test_one_phase_of_three(self):
        self.assertEqual([(row["value"], row["phase"]) for row in sampled("Voltage.L2")], [("230.2", "L2-N")])

    def test_only_what_is_asked_of_what_is_stored(self):
        rows = sampled("Voltage.L3", more="Energy.Active.Import.Register,Frequency,Voltage")
        self.assertEqual([(row["measurand"], row["value"]) for row in rows], [("Voltage", "230.3")])

    def test_contexts(self):
        for context, name in enumerate(metering.CONTEXTS):
            self.assertEqual(sampled("Frequency", context)[0]["context"], name)

    def test_fits_the_schema(self):
        names = ",".join(measurands.NAMES + measurands.PHASED)
        for context in range(len(metering.CONTEXTS)):
            payload = {
                "connectorId": 1,
                "transactionId": 4711,
                "meterValue": [{"timestamp": "2026-11-22T11:00:00Z", "sampledValue": sampled(names, context)}],
            }
            self.assertIsNone(schema.check(shapes.request("MeterValues"), payload))
