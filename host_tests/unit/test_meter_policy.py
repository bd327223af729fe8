"""MeterFailurePolicy: what a connector does when its meter is silent, or its register cannot be right."""

import asyncio
import unittest

from charging_fakes import A, Bench, C
from station.charging import records
from station.charging.connector import Grant


class _Case:
    def use(self, policy, **keys):
        self.bench = Bench(MeterFailurePolicy=policy, **keys)
        self.outlet = self.bench.outlets[0]
        self.meter = self.outlet.meter
        self.connector = self.outlet.connector
        self.steps(2)

    def steps(self, times=2):
        asyncio.run(self.bench.step(times))

    def seconds(self, count, wh=0):
        """So many seconds pass, in each of which so much is charged."""
        for _ in range(count):
            self.bench.advance(1)
            self.meter.energy += wh
            self.steps()

    def begin(self):
        self.outlet.show(C)
        self.steps()
        self.connector.grant(Grant("CARD1", None, self.bench.clock.uptime() + 60))
        self.steps(4)

    def charge(self):
        self.begin()
        assert self.connector.status == "Charging", self.connector.status

    def kill_meter(self):
        self.meter.failures = -1
        self.seconds(6)

    def unplug(self):
        self.outlet.show(A)
        self.steps(3)

    def told(self):
        """(status, errorCode, vendorErrorCode)"""
        error = self.connector.error
        return self.connector.status, error[0], error[2]

    def stops(self):
        found = [records.unpack_stop(payload) for payload in self.bench.of_kind(records.STOP)]
        return [(stop[2], stop[3]) for stop in found]

    def warnings(self, word):
        return len([text for text in self.bench.log.at("warning") if word in str(text)])


class StopTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use("Stop")

    def test_it_is_the_default(self):
        self.assertEqual(Bench().settings["MeterFailurePolicy"], "Stop")

    def test_silent(self):
        self.charge()
        self.seconds(3, 3)
        self.kill_meter()
        self.assertEqual(self.told(), ("Faulted", "PowerMeterFailure", "MeterSilent"))
        self.assertEqual(self.stops(), [(1009, "Other")])

    def test_backwards(self):
        self.charge()
        self.seconds(3, 3)
        self.meter.energy = 7
        self.seconds(2)
        self.assertEqual(self.told(), ("Faulted", "PowerMeterFailure", "MeterImplausible"))
        self.assertFalse(self.outlet.contactor.commanded)
        self.assertEqual(self.stops(), [(1009, "Other")])

    def test_a_jump(self):
        self.charge()
        self.seconds(3, 3)
        self.meter.energy += 100_000
        self.seconds(2)
        self.assertEqual(self.told(), ("Faulted", "PowerMeterFailure", "MeterImplausible"))
        self.assertEqual(self.stops(), [(1009, "Other")])

    def test_the_fault_stays_until_the_cable_is_out_and_the_next_bill_has_a_base_of_its_own(self):
        self.charge()
        self.meter.energy = 7
        self.seconds(30)
        self.assertEqual(self.told()[0], "Faulted")
        self.unplug()
        self.assertEqual(self.told(), ("Available", "NoError", ""))
        self.charge()
        self.seconds(10, 3)
        self.connector.stop("Local")
        self.steps()
        self.assertEqual(self.stops(), [(1000, "Other"), (37, "Local")])
        start = records.unpack_start(self.bench.of_kind(records.START)[-1])
        self.assertEqual(start[2], 7)

    def test_a_meter_exchanged_between_transactions_is_only_logged(self):
        self.meter.energy = 3
        self.seconds(11)
        self.assertEqual(self.told(), ("Available", "NoError", ""))
        self.assertEqual(self.warnings("backwards"), 1)
        self.meter.energy = 999_999
        self.seconds(11)
        self.assertEqual(self.warnings("jumped"), 1)
        self.assertEqual(self.told(), ("Available", "NoError", ""))

    def test_backwards_in_the_last_reading_after_the_car_has_gone_is_no_fault_that_stays(self):
        self.charge()
        self.meter.energy = 7
        self.unplug()
        self.assertEqual(self.told(), ("Available", "NoError", ""))
        self.assertEqual(self.stops(), [(1000, "EVDisconnected")])
        self.assertEqual(self.warnings("backwards"), 1)


class FinishTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use("Finish")

    def test_silent_the_transaction_goes_on_and_no_other_begins(self):
        self.charge()
        self.seconds(3, 3)
        self.kill_meter()
        self.assertEqual(self.told(), ("Charging", "PowerMeterFailure", "MeterSilent"))
        self.assertTrue(self.outlet.contactor.commanded)
        self.connector.stop("Local")
        self.steps()
        self.assertEqual(self.stops(), [(1009, "Local")])
        self.assertEqual(self.told(), ("Faulted", "PowerMeterFailure", "MeterSilent"))
        self.assertFalse(self.connector.is_free())
        self.unplug()
        self.begin()
        self.assertIsNone(self.connector.transaction)
        self.assertIsNone(self.connector.grant_held)

    def test_a_meter_that_comes_back_counts_again(self):
        self.charge()
        self.kill_meter()
        self.meter.failures = 0
        self.meter.energy += 60
        self.seconds(20, 3)
        self.assertEqual(self.told(), ("Charging", "NoError", ""))
        self.connector.stop("Local")
        self.steps()
        self.assertEqual(self.stops(), [(1120, "Local")])

    def test_a_dead_meter_is_asked_every_5_s_only(self):
        self.charge()
        self.kill_meter()
        reads = self.meter.reads
        self.seconds(20)
        self.assertTrue(reads + 3 <= self.meter.reads <= reads + 5, self.meter.reads - reads)

    def test_backwards_the_highest_counts(self):
        self.charge()
        self.seconds(3, 3)
        self.meter.energy = 7
        self.seconds(60, 3)
        self.assertEqual(self.told(), ("Charging", "PowerMeterFailure", "MeterImplausible"))
        self.assertEqual(self.warnings("backwards"), 1, "once, not at each reading")
        self.assertEqual(self.connector.measurement[0], 1009)
        self.connector.stop("Local")
        self.steps()
        self.assertEqual(self.stops(), [(1009, "Local")])

    def test_a_glitch_is_over_when_it_is_over(self):
        self.charge()
        self.seconds(3, 3)
        self.meter.energy += 10**6
        self.seconds(1)
        self.assertEqual(self.told()[2], "MeterImplausible")
        self.meter.energy -= 10**6
        self.seconds(1)
        self.assertEqual(self.told(), ("Charging", "NoError", ""))

    def test_silent_before_a_transaction(self):
        self.kill_meter()
        self.seconds(20)
        self.assertEqual(self.told(), ("Faulted", "PowerMeterFailure", "MeterSilent"))

    def test_other_faults_end_it_all_the_same(self):
        self.charge()
        self.kill_meter()
        self.outlet.inputs.alarms = ["GroundFailure"]
        self.steps()
        self.assertIn((1, "Faulted", "GroundFailure"), self.bench.listener.statuses)
        self.assertEqual(self.told()[0], "Faulted")
        self.assertEqual(self.stops(), [(1000, "Other")])


class ContinueTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use("Continue")

    def test_silent_others_begin_by_the_last_known_register(self):
        self.kill_meter()
        self.seconds(20)
        self.assertEqual(self.told(), ("Available", "PowerMeterFailure", "MeterSilent"))
        self.charge()
        self.seconds(10)
        self.connector.stop("Local")
        self.steps()
        self.assertEqual(self.stops(), [(1000, "Local")])
        self.assertEqual(self.told()[:2], ("Finishing", "PowerMeterFailure"))

    def test_a_meter_that_never_answered_lets_nothing_begin(self):
        self.bench = Bench(MeterFailurePolicy="Continue")
        self.outlet = self.bench.outlets[0]
        self.meter, self.connector = self.outlet.meter, self.outlet.connector
        self.meter.failures = -1
        self.seconds(6)
        self.assertEqual(self.told(), ("Faulted", "PowerMeterFailure", "MeterSilent"))

    def test_an_invalid_card_has_no_allowance_that_nobody_measures(self):
        self.use("Continue", MaxEnergyOnInvalidId=5000)
        self.charge()
        self.bench.ledger.started(self.connector.transaction.number, 4711, False)
        self.seconds(3, 3)
        self.assertEqual(self.told()[0], "Charging")
        self.kill_meter()
        self.assertEqual(self.stops(), [(1009, "DeAuthorized")])

    def test_changed_to_stop_it_stops(self):
        self.charge()
        self.kill_meter()
        self.assertEqual(self.told()[0], "Charging")
        self.bench.settings.change("MeterFailurePolicy", "Stop")
        self.steps()
        self.assertEqual(self.told()[0], "Faulted")
        self.assertEqual(self.stops(), [(1000, "Other")])
