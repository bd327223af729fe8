"""The reporter: the newest status of each connector, by steps the standard allows, when it has lasted long enough."""

import asyncio
import time
import unittest

from charging_fakes import NOON, FakeLink, settle
from fakes import FakeLog
from station.charging import status as statuses
from station.clock import Clock
from station.ocpp import messages, schema
from station.ocpp.calls import CallRefused, LinkError, NoAnswer, NotConnected
from station.ocpp.reporter import Reporter
from station.settings import Settings

MEASUREMENT = (5000, 11000, 16000, 15900, 15800, 2301, 2302, 2303, 4998, 160)
FINE = ("NoError", "", "")


class FakeConnector:
    def __init__(self, connector_id):
        self.connector_id = connector_id
        self.status = "Available"
        self.error = FINE
        self.measurement = MEASUREMENT


class FakeChargePoint:
    def __init__(self, count):
        self.connectors = [FakeConnector(i + 1) for i in range(count)]
        self.status = "Available"
        self.warning = FINE

    def connector(self, i):
        return self.connectors[i - 1] if 1 <= i <= len(self.connectors) else None


class ReporterTest(unittest.TestCase):
    def setUp(self):
        self.use()

    def use(self, connectors=2, **keys):
        self.log = FakeLog()
        self.clock = Clock(1)
        self.clock.set(NOON)
        self.settings = Settings(None, self.log, keys)
        self.point = FakeChargePoint(connectors)
        self.refusals = []
        self.link = FakeLink(self.answer)
        self.link.connected = True
        self.reporter = Reporter(self.link, self.point, self.settings, self.clock, self.log, 3)

    def answer(self, action, payload):
        self.assertIsNone(schema.check(messages.request(action), payload))
        return self.refusals.pop(0) if self.refusals else {}

    def become(self, connector_id, status, error=FINE):
        source = self.point.connector(connector_id)
        source.status, source.error = status, error
        self.reporter.status_changed(connector_id)

    def told(self, connector_id):
        rows = self.link.payloads("StatusNotification")
        return [row["status"] for row in rows if row["connectorId"] == connector_id]

    def boot(self):
        self.reporter.forget()
        asyncio.run(self.reporter.catch_up())

    def run(self, seconds=5, each=None):
        """Run the reporter so long in simulated time; gives the LinkError that ended it, else None."""
        failures = []

        async def guarded():
            try:
                await self.reporter.run()
            except LinkError as error:
                failures.append(error)

        async def test():
            task = asyncio.create_task(guarded())
            for i in range(seconds * 2):
                await settle(20)
                if failures:
                    break
                if each:
                    each(i / 2)
                    await settle(20)
                time.advance(500)
            await settle(20)
            task.cancel()
            await settle()

        asyncio.run(test())
        return failures[0] if failures else None

    # --- what is told

    def test_all_at_boot_connector_0_first(self):
        self.boot()
        rows = self.link.payloads("StatusNotification")
        self.assertEqual([row["connectorId"] for row in rows], [0, 1, 2])
        self.assertEqual(
            rows[1],
            {
                "connectorId": 1,
                "status": "Available",
                "errorCode": "NoError",
                "timestamp": "2026-11-22T11:00:00Z",
            },
        )

    def test_only_what_is_news_afterwards(self):
        self.boot()
        asyncio.run(self.reporter.catch_up())
        self.reporter.status_changed(1)
        self.run()
        self.assertEqual(len(self.link.sent), 3)
        self.become(2, "Preparing")
        self.run()
        self.assertEqual(len(self.link.sent), 4)
        self.assertEqual(self.told(2), ["Available", "Preparing"])

    def test_while_it_runs(self):
        self.boot()
        self.run(5, lambda second: self.become(1, "Preparing") if second == 2 else None)
        self.assertEqual(self.told(1), ["Available", "Preparing"])

    def test_an_error_in_full(self):
        self.boot()
        self.become(1, "Faulted", ("PowerSwitchFailure", "contact closed though the coil is off", "ContactorWelded"))
        self.run()
        row = self.link.payloads("StatusNotification")[-1]
        self.assertEqual(
            (row["errorCode"], row["info"], row["vendorErrorCode"]),
            ("PowerSwitchFailure", "contact closed though the coil is off", "ContactorWelded"),
        )

    def test_another_error_of_the_same_status_is_news(self):
        self.boot()
        self.become(1, "Faulted", ("GroundFailure", "", ""))
        self.run()
        self.become(1, "Faulted", ("HighTemperature", "", ""))
        self.run()
        rows = self.link.payloads("StatusNotification")[-2:]
        self.assertEqual([row["errorCode"] for row in rows], ["GroundFailure", "HighTemperature"])

    def test_connector_0_tells_the_charge_points_warnings(self):
        self.boot()
        self.point.status = "Unavailable"
        self.point.warning = ("OtherError", "the transaction store is full", "JournalFull")
        self.reporter.status_changed(0)
        self.run()
        row = self.link.payloads("StatusNotification")[-1]
        self.assertEqual(
            (row["connectorId"], row["status"], row["errorCode"], row["vendorErrorCode"]),
            (0, "Unavailable", "OtherError", "JournalFull"),
        )

    # --- offline and too fast

    def test_what_changed_while_offline_by_its_newest_state_and_time(self):
        self.boot()
        self.become(1, "Preparing")
        time.advance(60_000)
        self.become(1, "Charging")
        began = self.clock.now()
        time.advance(3_600_000)
        asyncio.run(self.reporter.catch_up())
        self.assertEqual(self.told(1), ["Available", "Charging"])
        row = self.link.payloads("StatusNotification")[-1]
        self.assertEqual(row["timestamp"], self.clock.iso(began))
        self.assertEqual(self.told(2), ["Available"], "nothing new")

    def test_what_changed_and_changed_back_is_no_news(self):
        self.boot()
        self.become(1, "Preparing")
        self.become(1, "Available")
        asyncio.run(self.reporter.catch_up())
        self.assertEqual(len(self.link.sent), 3)

    def test_steps_between_are_told_where_the_table_has_none(self):
        names = ("Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing")
        for old in names + ("Unavailable", "Faulted"):
            for new in names + ("Unavailable", "Faulted"):
                if new == old:
                    continue
                self.use(1)
                self.become(1, old)
                self.boot()
                self.become(1, new, ("GroundFailure", "", "") if new == "Faulted" else FINE)
                self.run(2)
                told = self.told(1)
                self.assertEqual((told[0], told[-1]), (old, new))
                for i in range(len(told) - 1):
                    self.assertTrue(statuses.allowed(told[i], told[i + 1]), repr(told))
                for row in self.link.payloads("StatusNotification")[:-1]:
                    self.assertEqual(row["errorCode"], "NoError")

    def test_minimum_status_duration(self):
        self.use(MinimumStatusDuration=10)
        self.boot()

        def each(second):
            if second == 1:
                self.become(1, "Preparing")
            if second == 8:
                self.assertEqual(self.told(1), ["Available"])
                self.become(1, "Charging")
            if second == 17:
                self.assertEqual(self.told(1), ["Available"])
            if second == 19:
                self.assertEqual(self.told(1), ["Available", "Charging"])

        self.assertIsNone(self.run(25, each))

    def test_a_status_shorter_than_that_is_never_told(self):
        self.use(MinimumStatusDuration=10)
        self.boot()

        def each(second):
            if second == 1:
                self.become(1, "Faulted", ("WeakSignal", "", ""))
            if second == 6:
                self.become(1, "Available")

        self.run(30, each)
        self.assertEqual(self.told(1), ["Available"])

    def test_that_holds_while_an_answer_is_waited_for(self):
        self.use(1, MinimumStatusDuration=10)
        self.boot()

        def each(second):
            if second == 1:
                self.become(1, "Preparing")
            if second == 5:
                self.link.gate = asyncio.Event()
            if second == 12:
                self.assertEqual(self.told(1), ["Available", "Preparing"])
                self.become(1, "Charging")
                self.link.gate.set()
            if second == 20:
                self.assertEqual(self.told(1), ["Available", "Preparing"])
            if second == 23:
                self.assertEqual(self.told(1), ["Available", "Preparing", "Charging"])

        self.run(30, each)
        self.assertEqual(self.told(1), ["Available", "Preparing", "Charging"])

    def test_after_a_boot_of_the_station_everything_is_news(self):
        self.boot()
        self.boot()
        self.assertEqual(self.told(1), ["Available", "Available"])

    # --- refusals

    def test_a_refused_status_is_told_again_and_holds_nothing_up(self):
        self.refusals = [CallRefused("InternalError", "", {})]
        self.boot()
        self.assertEqual(self.told(2), ["Available"], "the others are told")
        self.run(30)
        self.assertEqual(self.told(0), ["Available", "Available"])
        self.assertEqual(len(self.log.at("warning")), 1)

    def test_a_backend_that_refuses_for_ever_is_not_flooded(self):
        self.boot()
        self.refusals = [NoAnswer("no answer")] * 100
        self.become(1, "Preparing")
        self.run(60)
        self.assertTrue(3 <= len(self.told(1)) <= 8, len(self.told(1)))

    def test_a_lost_connection_is_for_the_caller(self):
        self.boot()
        self.become(1, "Preparing")
        self.link.connected = False
        self.assertIsInstance(self.run(), NotConnected)
        with self.assertRaises(LinkError):
            asyncio.run(self.reporter.catch_up())
        self.link.connected = True
        asyncio.run(self.reporter.catch_up())
        self.assertEqual(self.told(1), ["Available", "Preparing"])

    # --- readings

    def test_an_aligned_reading(self):
        self.settings.change("MeterValuesAlignedData", "Energy.Active.Import.Register,Voltage.L1")
        self.boot()
        self.reporter.aligned(self.point.connector(2))
        self.run()
        rows = self.link.payloads("MeterValues")
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["connectorId"], 2)
        self.assertNotIn("transactionId", rows[0])
        value = rows[0]["meterValue"][0]
        self.assertEqual(
            [(row["value"], row["context"]) for row in value["sampledValue"]],
            [("5000", "Sample.Clock"), ("230.1", "Sample.Clock")],
        )

    def test_an_aligned_reading_of_nothing(self):
        self.settings.change("MeterValuesAlignedData", "")
        self.boot()
        self.reporter.aligned(self.point.connector(1))
        self.run()
        self.assertEqual(self.link.payloads("MeterValues"), [])

    def test_offline_it_is_dropped(self):
        self.boot()
        self.link.connected = False
        self.reporter.aligned(self.point.connector(1))
        self.link.connected = True
        self.run()
        self.assertEqual(self.link.payloads("MeterValues"), [])

    def test_bounded_the_oldest_goes(self):
        self.boot()
        for i in range(40):
            self.point.connector(1).measurement = (i,) + MEASUREMENT[1:]
            self.reporter.aligned(self.point.connector(1))
        self.run()
        rows = self.link.payloads("MeterValues")
        self.assertLess(len(rows), 40)
        self.assertEqual(rows[-1]["meterValue"][0]["sampledValue"][0]["value"], "39")

    def test_a_refused_reading_is_not_told_again(self):
        self.boot()
        self.refusals = [CallRefused("InternalError", "", {})]
        self.reporter.aligned(self.point.connector(1))
        self.assertIsNone(self.run())
        self.assertEqual(len(self.link.payloads("MeterValues")), 1)
