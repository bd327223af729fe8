"""One connector's life, phase by phase: cable, card, lock, contact, transaction, faults, meter and journal."""

import asyncio
import unittest

from charging_fakes import NO_DIODE, A, B, Bench, C, D, E, F, hurry
from station.charging import records
from station.charging.connector import Grant


class _Case:
    """What the cases below share. (Not a TestCase: each derives from both.)"""

    def use(self, **words):
        self.bench = Bench(**words)
        self.outlet = self.bench.outlets[0]
        self.connector = self.outlet.connector
        self.settings = self.bench.settings
        return self.bench

    def run_steps(self, times=1):
        asyncio.run(self.bench.step(times))

    def show(self, state):
        self.outlet.show(state)
        self.run_steps()

    def plug(self, state=B):
        self.show(state)

    def unplug(self):
        self.show(A)

    def card(self, id_tag="CARD1", parent=None, timeout=60):
        self.connector.grant(Grant(id_tag, parent, self.bench.clock.uptime() + timeout))
        self.run_steps(3)

    def charge(self, energy=0):
        """Plug, card, car asks for energy; then so many Wh flow."""
        self.plug()
        self.card()
        self.show(C)
        self.run_steps()
        assert self.connector.status == "Charging", self.connector.status
        self.flow(energy)

    def flow(self, energy):
        self.outlet.meter.energy += energy
        self.bench.advance(1)
        self.run_steps()

    def stops(self):
        """(meter_wh, reason, id_tag) of the STOPs in the journal."""
        found = [records.unpack_stop(payload) for payload in self.bench.of_kind(records.STOP)]
        return [(stop[2], stop[3], stop[5]) for stop in found]

    @property
    def statuses(self):
        return self.bench.listener.of(1)

    @property
    def closed(self):
        return self.outlet.contactor.commanded

    @property
    def locked(self):
        return self.outlet.lock.locked


class SessionTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use()

    def test_plug_first(self):
        self.run_steps()
        self.plug()
        self.assertEqual(self.connector.status, "Preparing")
        self.assertFalse(self.locked)
        self.card()
        self.assertTrue(self.locked)
        self.assertEqual(self.outlet.pilot.offered, 160)
        self.show(C)
        self.run_steps()
        self.assertTrue(self.closed)
        self.flow(500)
        self.connector.stop("Local", "CARD1")
        self.assertFalse(self.closed, "opened at once, reported afterwards")
        self.run_steps()
        self.assertFalse(self.locked)
        self.assertEqual(self.outlet.pilot.offered, 0)
        self.unplug()
        self.assertEqual(self.statuses, ["Available", "Preparing", "Charging", "Finishing", "Available"])
        self.assertEqual(self.stops(), [(1500, "Local", "CARD1")])
        self.assertEqual(self.bench.listener.ended, 1)

    def test_card_first(self):
        self.run_steps()
        self.card()
        self.assertEqual(self.connector.status, "Preparing")
        self.assertIsNone(self.connector.transaction)
        self.plug()
        self.run_steps()
        self.assertIsNotNone(self.connector.transaction)
        self.assertEqual(self.connector.transaction.id_tag, "CARD1")
        self.show(C)
        self.run_steps()
        self.assertEqual(self.statuses, ["Available", "Preparing", "Charging"])

    def test_no_cable_within_connection_time_out(self):
        self.card(timeout=60)
        self.bench.advance(59)
        self.run_steps()
        self.assertEqual(self.connector.status, "Preparing")
        self.bench.advance(1)
        self.run_steps()
        self.assertEqual(self.connector.status, "Available")
        self.plug()
        self.run_steps(3)
        self.assertIsNone(self.connector.transaction)

    def test_a_cable_in_the_last_moment_counts(self):
        self.card(timeout=60)
        self.bench.advance(60)
        self.outlet.show(B)
        self.run_steps(3)
        self.assertIsNotNone(self.connector.transaction)

    def test_nothing_closes_without_a_card(self):
        self.plug(C)
        for _ in range(5):
            self.bench.advance(1)
            self.run_steps()
        self.assertFalse(self.closed)
        self.assertEqual(self.outlet.contactor.closings, 0)
        self.assertEqual(self.outlet.pilot.offered, 0)
        self.assertEqual(self.connector.status, "Preparing")

    def test_a_car_that_asks_for_nothing_is_suspended_ev(self):
        self.plug()
        self.card()
        self.assertEqual(self.connector.status, "Preparing")
        self.bench.advance(2)
        self.run_steps()
        self.assertEqual(self.connector.status, "SuspendedEV")

    def test_a_car_that_pauses_and_goes_on(self):
        self.charge(100)
        self.show(B)
        self.assertEqual(self.connector.status, "SuspendedEV")
        self.assertFalse(self.closed)
        self.show(C)
        self.run_steps()
        self.assertEqual(self.connector.status, "Charging")
        self.assertTrue(self.closed)
        self.assertEqual(self.stops(), [])

    def test_d_needs_ventilation(self):
        self.plug()
        self.card()
        self.show(D)
        self.run_steps(3)
        self.assertFalse(self.closed)
        self.use(ventilated=True)
        self.plug()
        self.card()
        self.show(D)
        self.run_steps(3)
        self.assertTrue(self.closed)

    def test_the_same_cable_for_a_second_transaction(self):
        self.charge()
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.connector.status, "Finishing")
        self.assertTrue(self.connector.is_free())
        self.card("CARD2")
        self.run_steps()
        self.assertEqual(self.connector.transaction.id_tag, "CARD2")
        self.assertEqual(len(self.bench.of_kind(records.START)), 2)

    def test_the_first_reason_counts(self):
        self.charge()
        self.connector.stop("Remote")
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.stops(), [(1000, "Remote", None)])

    def test_a_stop_without_a_transaction_leaves_nothing_behind(self):
        self.connector.stop("Remote")
        self.charge()
        self.run_steps(3)
        self.assertIsNotNone(self.connector.transaction)

    def test_the_status_is_told_once(self):
        self.run_steps(5)
        self.assertEqual(self.statuses, ["Available"])

    def test_the_start_bears_what_the_meter_and_the_card_said(self):
        self.outlet.meter.energy = 123456
        self.plug()
        self.card("CARD9", "GROUP")
        start = records.unpack_start(self.bench.of_kind(records.START)[0])
        self.assertEqual(start[2:], (123456, -1, 1, "CARD9", "GROUP"))

    def test_without_a_lock_all_goes_the_same_way(self):
        self.use(lock=False)
        self.charge(500)
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.unplug()
        self.assertEqual(self.statuses, ["Preparing", "Charging", "Finishing", "Available"])
        self.assertFalse(self.connector.has_lock)

    def test_the_task_begins_with_the_cable_free(self):
        self.outlet.lock.locked = True

        async def test():
            task = asyncio.create_task(self.connector.run(lambda: None))
            await asyncio.sleep_ms(0)
            task.cancel()

        asyncio.run(test())
        self.assertFalse(self.locked)


class WithdrawnTest(_Case, unittest.TestCase):
    """A grant that is taken back while it becomes a transaction: none begins, and the cable is free."""

    def setUp(self):
        self.use()
        self.plug()

    def check_nothing_began(self):
        self.run_steps(3)
        self.assertIsNone(self.connector.transaction)
        self.assertEqual(self.bench.of_kind(records.START), [])
        self.assertFalse(self.locked)

    def during_the_first_read(self, action):
        self.outlet.meter.during = action
        self.card()

    def test_by_its_card(self):
        self.during_the_first_read(self.connector.withdraw)
        self.check_nothing_began()
        self.assertEqual(self.connector.status, "Preparing")

    def test_by_availability(self):
        self.during_the_first_read(lambda: self.connector.set_operative(False))
        self.check_nothing_began()
        self.assertEqual(self.connector.status, "Unavailable")

    def test_before_the_lock_held(self):
        self.outlet.lock.jammed = True
        self.card()
        self.assertTrue(self.outlet.lock.told)
        self.connector.withdraw()
        self.assertFalse(self.outlet.lock.told)
        self.outlet.lock.jammed = False
        self.check_nothing_began()

    def test_a_grant_that_replaces_it_begins_afresh(self):
        self.during_the_first_read(lambda: self.connector.grant(Grant("CARD2", None, 0)))
        self.run_steps(2)
        self.assertEqual(self.connector.transaction.id_tag, "CARD2")
        self.assertEqual(len(self.bench.of_kind(records.START)), 1)

    def test_by_the_cable_that_leaves_while_the_lock_moves(self):
        self.outlet.lock.jammed = True
        self.card()
        self.unplug()
        self.assertFalse(self.outlet.lock.told, "no bolt where the next plug shall go")
        self.outlet.lock.jammed = False
        self.bench.advance(30)
        self.plug()
        self.run_steps(3)
        self.assertEqual(self.connector.error[0], "NoError", "the lock gets its time anew")
        self.assertIsNotNone(self.connector.transaction)


class LockTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use()

    def test_a_lock_that_does_not_lock_prevents_charging(self):
        self.plug(C)
        self.outlet.lock.jammed = True
        self.card()
        self.assertEqual(self.connector.status, "Preparing")
        self.bench.advance(3)
        self.run_steps()
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "ConnectorLockFailure"))
        self.run_steps(3)
        self.assertFalse(self.closed)
        self.assertEqual(self.bench.of_kind(records.START), [])
        self.assertFalse(self.connector.is_free())
        self.assertFalse(self.outlet.lock.told)
        self.unplug()
        self.assertEqual(self.connector.status, "Available")

    def test_a_slow_lock_is_waited_for(self):
        self.plug()
        self.outlet.lock.jammed = True
        self.card()
        self.bench.advance(2)
        self.run_steps()
        self.outlet.lock.jammed = False
        self.outlet.lock.lock()
        self.run_steps(2)
        self.assertIsNotNone(self.connector.transaction)

    def test_a_lock_that_lets_go_opens_the_contact_and_gets_another_chance(self):
        self.charge()
        self.outlet.lock.locked = False
        self.outlet.passes(1)
        self.assertFalse(self.closed)
        self.run_steps(3)
        self.assertTrue(self.locked)
        self.assertTrue(self.closed)

    def test_a_lock_that_stays_open_ends_the_transaction(self):
        self.charge()
        self.outlet.lock.locked = False
        self.outlet.lock.jammed = True
        self.run_steps(2)
        self.bench.advance(3)
        self.run_steps(3)
        self.assertEqual([stop[1] for stop in self.stops()], ["Other"])
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "ConnectorLockFailure"))

    def unlock(self):
        async def test():
            return await hurry(asyncio.create_task(self.connector.unlock()), each=self.bench.step)

        return asyncio.run(test())

    def test_unlock_without_a_transaction(self):
        self.plug()
        self.outlet.lock.locked = True
        self.assertTrue(self.unlock())
        self.assertFalse(self.locked)

    def test_unlock_ends_a_transaction_first(self):
        self.charge(400)
        self.assertTrue(self.unlock())
        self.assertEqual(self.stops(), [(1400, "UnlockCommand", None)])
        self.assertFalse(self.closed)
        self.assertFalse(self.locked)
        self.run_steps(5)
        self.assertFalse(self.locked)
        self.assertEqual(self.connector.status, "Finishing")

    def test_unlock_that_fails_says_so(self):
        self.charge()
        self.outlet.lock.jammed = True
        self.assertFalse(self.unlock())
        self.assertEqual(self.stops()[0][1], "UnlockCommand")

    def test_unlock_withdraws_a_grant_that_is_about_to_begin(self):
        self.plug()
        self.outlet.lock.jammed = True
        self.card()
        self.outlet.lock.jammed = False
        self.assertTrue(self.unlock())
        self.run_steps(3)
        self.assertIsNone(self.connector.transaction)


class FaultTest(_Case, unittest.TestCase):
    """A fault in every phase."""

    def setUp(self):
        self.use()

    def fault(self, *codes):
        self.outlet.inputs.alarms = list(codes)
        self.run_steps()

    def test_while_available(self):
        self.run_steps()
        self.fault("GroundFailure")
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "GroundFailure"))
        self.assertFalse(self.connector.is_free())
        self.fault()
        self.assertEqual(self.statuses, ["Available", "Faulted", "Available"])

    def test_while_preparing(self):
        self.plug()
        self.fault("HighTemperature")
        self.fault()
        self.assertEqual(self.statuses, ["Preparing", "Faulted", "Preparing"])

    def test_takes_a_grant_with_it(self):
        self.card()
        self.fault("HighTemperature")
        self.fault()
        self.plug()
        self.run_steps(3)
        self.assertIsNone(self.connector.transaction)

    def test_takes_a_grant_with_it_and_frees_the_cable(self):
        self.plug()
        self.outlet.meter.failures = 1
        self.card()
        self.outlet.meter.failures = -1
        self.run_steps()
        self.fault("HighTemperature")
        self.assertFalse(self.locked)

    def test_while_charging(self):
        self.charge(300)
        self.outlet.inputs.alarms = ["OverCurrentFailure"]
        self.outlet.passes(1)
        self.assertFalse(self.closed, "the interlock does not wait for the connector")
        self.run_steps()
        self.assertEqual(self.stops(), [(1300, "Other", None)])
        self.assertEqual(self.connector.status, "Faulted")
        self.assertFalse(self.locked)
        self.fault()
        self.assertEqual(self.connector.status, "Finishing")

    def test_while_the_car_pauses(self):
        self.charge()
        self.show(B)
        self.fault("GroundFailure")
        self.assertEqual(self.stops()[0][1], "Other")

    def test_while_finishing(self):
        self.charge()
        self.connector.stop("Local")
        self.run_steps()
        self.fault("GroundFailure")
        self.unplug()
        self.assertEqual(self.connector.status, "Faulted")
        self.fault()
        self.assertEqual(self.connector.status, "Available")

    def test_emergency_stop(self):
        self.charge(300)
        self.fault("EmergencyStop")
        self.assertEqual(self.stops(), [(1300, "EmergencyStop", None)])
        self.assertFalse(self.closed)

    def test_a_glitch_of_a_contact_is_a_pause_by_the_station_and_no_end(self):
        self.charge(300)
        self.outlet.inputs.glitch = True
        self.outlet.passes(1)
        self.assertFalse(self.closed)
        self.run_steps(3)
        self.assertEqual((self.connector.status, self.connector.error[0]), ("SuspendedEVSE", "NoError"))
        self.assertFalse(self.closed)
        self.outlet.inputs.glitch = False
        self.run_steps(2)
        self.assertTrue(self.closed)
        self.assertEqual(self.statuses[-2:], ["SuspendedEVSE", "Charging"])
        self.assertEqual(self.stops(), [])

    def test_a_warning_is_told_and_stops_nothing(self):
        self.charge()
        self.outlet.warnings.alarms = ["WeakSignal"]
        self.run_steps()
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Charging", "WeakSignal"))
        self.assertTrue(self.closed)

    def test_pilot_states_that_are_faults(self):
        for state, vendor_code in ((E, "PilotStateE"), (F, "PilotStateF"), (NO_DIODE, "DiodeMissing")):
            self.use()
            self.charge(100)
            self.show(state)
            self.assertFalse(self.closed)
            self.assertEqual(self.stops(), [(1100, "Other", None)])
            self.assertEqual((self.connector.status, self.connector.error[2]), ("Faulted", vendor_code))
            self.unplug()
            self.assertEqual(self.connector.status, "Available")

    def test_a_missing_diode_is_no_car_until_it_is_unplugged(self):
        self.plug()
        self.card()
        self.show(NO_DIODE)
        self.show(B)
        self.assertEqual(self.connector.status, "Faulted")
        self.unplug()
        self.plug()
        self.assertEqual(self.connector.status, "Preparing")

    def test_a_welded_contact(self):
        self.charge(100)
        self.outlet.contactor.welded = True
        self.connector.stop("Local", "CARD1")
        self.outlet.passes(40)
        self.run_steps()
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "PowerSwitchFailure"))
        told = len(self.statuses)
        self.unplug()
        self.outlet.passes(40)
        self.run_steps()
        self.assertEqual(self.statuses[told:], [], "it is not free for a moment")
        self.assertEqual(self.connector.status, "Faulted")
        self.outlet.contactor.welded = False
        self.run_steps(2)
        self.assertEqual(self.connector.status, "Available")

    def test_a_stuck_contact(self):
        self.outlet.contactor.stuck = True
        self.plug()
        self.card()
        self.show(C)
        self.run_steps()
        self.outlet.passes(40)
        self.run_steps()
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "PowerSwitchFailure"))
        self.assertEqual(self.stops()[0][1], "Other")
        self.outlet.contactor.stuck = False
        self.unplug()
        self.assertEqual(self.connector.status, "Available")
        self.charge()


class UnpluggedTest(_Case, unittest.TestCase):
    """EVDisconnected, with each combination of the two keys (OCPP 1.6 §9.1)."""

    def pull(self, stop, unlock, lock=True):
        self.use(lock=lock, StopTransactionOnEVSideDisconnect=stop, UnlockConnectorOnEVSideDisconnect=unlock)
        self.charge(250)
        self.outlet.pilot.state = A
        self.outlet.passes(4)
        self.assertFalse(self.closed)
        self.run_steps(2)

    def test_stop_and_unlock(self):
        self.pull(True, True)
        self.assertEqual(self.stops(), [(1250, "EVDisconnected", None)])
        self.assertFalse(self.locked)
        self.assertEqual(self.connector.status, "Available")
        self.assertFalse(self.connector.release_cable("CARD1"))

    def test_stop_and_keep_the_cable_for_its_owner(self):
        self.pull(True, False)
        self.assertEqual(self.stops(), [(1250, "EVDisconnected", None)])
        self.assertTrue(self.locked)
        self.run_steps(5)
        self.assertFalse(self.connector.release_cable("CARD2"))
        self.assertTrue(self.locked)
        self.assertTrue(self.connector.release_cable("card1"))
        self.assertFalse(self.locked)
        self.assertFalse(self.connector.release_cable("CARD1"), "once")

    def test_go_on_with_the_cable_locked(self):
        for unlock in (True, False):
            self.pull(False, unlock)
            self.assertEqual(self.stops(), [])
            self.assertEqual(self.connector.status, "SuspendedEV")
            self.assertTrue(self.locked)
            self.assertEqual(self.outlet.pilot.offered, 0)
            self.show(C)
            self.run_steps(3)
            self.assertEqual(self.connector.status, "Charging")
            self.assertTrue(self.closed)

    def test_go_on_until_the_card_comes_back(self):
        for unlock in (True, False):
            self.pull(False, unlock)
            self.connector.stop("Local", "CARD1")
            self.run_steps()
            self.assertEqual(self.stops(), [(1250, "Local", "CARD1")])
            self.assertFalse(self.locked, "its owner is there")
            self.assertEqual(self.connector.status, "Available")

    def test_without_a_lock(self):
        for unlock in (True, False):
            self.pull(True, unlock, lock=False)
            self.assertEqual(self.stops(), [(1250, "EVDisconnected", None)])
            self.pull(False, unlock, lock=False)
            self.assertEqual(self.connector.status, "SuspendedEV")
            self.assertFalse(self.connector.release_cable("CARD1"))

    def test_pulled_after_the_end(self):
        self.use()
        self.charge(250)
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.unplug()
        self.assertEqual(len(self.stops()), 1)

    def test_a_pull_during_a_stop_keeps_its_reason(self):
        self.use()
        self.charge(250)
        self.connector.stop("Remote")
        self.outlet.show(A)
        self.run_steps()
        self.assertEqual(self.stops(), [(1250, "Remote", None)])


class InvalidTest(_Case, unittest.TestCase):
    """The backend did not accept the card in StartTransaction.conf (OCPP 1.6 §4.8, §9.1)."""

    def charge_invalid(self, stop, energy=0):
        self.use(StopTransactionOnInvalidId=stop, MaxEnergyOnInvalidId=energy)
        self.charge()
        self.bench.ledger.started(self.connector.transaction.number, 4711, False)
        self.run_steps()

    def test_stop_at_once_and_keep_the_cable_for_its_owner(self):
        self.charge_invalid(True)
        self.assertEqual(self.stops(), [(1000, "DeAuthorized", None)])
        self.assertFalse(self.closed)
        self.assertTrue(self.locked)
        self.assertEqual(self.connector.status, "Finishing")
        self.run_steps(5)
        self.assertTrue(self.locked)
        self.assertFalse(self.connector.release_cable("CARD2"))
        self.assertTrue(self.connector.release_cable("CARD1"))
        self.assertFalse(self.locked)
        self.unplug()
        self.assertEqual(self.connector.status, "Available")

    def test_stop_after_the_energy_that_is_granted(self):
        self.charge_invalid(True, 300)
        self.assertTrue(self.closed)
        self.flow(299)
        self.run_steps()
        self.assertTrue(self.closed)
        self.flow(1)
        self.run_steps()
        self.assertFalse(self.closed)
        self.assertEqual(self.stops(), [(1300, "DeAuthorized", None)])

    def test_no_energy_but_no_end(self):
        self.charge_invalid(False)
        self.assertFalse(self.closed)
        self.assertEqual(self.connector.status, "SuspendedEVSE")
        self.assertEqual(self.outlet.pilot.offered, 0)
        self.run_steps(5)
        self.assertEqual(self.stops(), [])
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.stops(), [(1000, "Local", "CARD1")])
        self.assertFalse(self.locked)

    def test_energy_until_it_is_spent_but_no_end(self):
        self.charge_invalid(False, 300)
        self.assertEqual(self.connector.status, "Charging")
        self.flow(300)
        self.run_steps()
        self.assertEqual(self.connector.status, "SuspendedEVSE")
        self.assertFalse(self.closed)

    def test_the_next_transaction_is_judged_anew(self):
        self.charge_invalid(False)
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.card("CARD2")
        self.show(C)
        self.run_steps(2)
        self.assertEqual(self.connector.status, "Charging")

    def test_a_kept_cable_that_leaves_the_car(self):
        """UnlockConnectorOnEVSideDisconnect is about every pull at the car's side (OCPP 1.6 §9.1)."""
        for unlock in (True, False):
            self.charge_invalid(True)
            self.settings.change("UnlockConnectorOnEVSideDisconnect", "true" if unlock else "false")
            self.unplug()
            self.assertEqual(self.locked, not unlock)
            self.assertEqual(self.connector.release_cable("CARD1"), not unlock)
            self.assertFalse(self.locked)

    def test_unlock_frees_a_kept_cable(self):
        self.charge_invalid(True)

        async def test():
            return await hurry(asyncio.create_task(self.connector.unlock()), each=self.bench.step)

        self.assertTrue(asyncio.run(test()))
        self.assertFalse(self.connector.release_cable("CARD1"))


class AvailabilityTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use()

    def test_inoperative(self):
        self.connector.set_operative(False)
        self.run_steps()
        self.assertFalse(self.connector.is_free())
        self.plug(C)
        self.run_steps(3)
        self.assertEqual(self.statuses, ["Unavailable"])
        self.assertFalse(self.closed)
        self.connector.set_operative(True)
        self.run_steps()
        self.assertEqual(self.statuses, ["Unavailable", "Preparing"])

    def test_takes_a_grant_back(self):
        self.card()
        self.connector.set_operative(False)
        self.connector.set_operative(True)
        self.plug()
        self.run_steps(3)
        self.assertIsNone(self.connector.transaction)

    def test_a_fault_goes_before_unavailable(self):
        self.connector.set_operative(False)
        self.outlet.inputs.alarms = ["GroundFailure"]
        self.run_steps()
        self.assertEqual(self.connector.status, "Faulted")

    def test_in_force_as_the_transaction_ends(self):
        """What is Scheduled comes into force before anything else is told (OCPP 1.6 §5.2)."""
        self.charge()
        self.bench.listener.transaction_ended = lambda connector: connector.set_operative(False)
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.statuses, ["Preparing", "Charging", "Unavailable"])
        self.assertFalse(self.locked)

    def test_in_force_as_the_transaction_ends_and_a_kept_cable_stays(self):
        self.settings.change("StopTransactionOnInvalidId", "true")
        self.charge()
        self.bench.listener.transaction_ended = lambda connector: connector.set_operative(False)
        self.bench.ledger.started(self.connector.transaction.number, 4711, False)
        self.run_steps()
        self.assertTrue(self.locked)


class MeterTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use(StopTxnSampledData="Energy.Active.Import.Register", MeterValueSampleInterval=60)

    def readings(self):
        """(context, mask, stop_mask, first value) of the READINGs in the journal."""
        found = [records.unpack_reading(payload) for payload in self.bench.of_kind(records.READING)]
        return [(row[2], row[3], row[4], row[5][0]) for row in found]

    def test_begin_periodic_and_end(self):
        self.charge()
        for _ in range(6):
            self.bench.advance(20)
            self.outlet.meter.energy += 100
            self.run_steps()
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        # from the transaction's begin on: the first period is not over by a second
        self.assertEqual([row[0] for row in self.readings()], [2, 0, 0, 3])
        self.assertEqual([row[3] for row in self.readings()], [1000, 1300, 1600, 1600])
        self.assertEqual([row[1] for row in self.readings()], [0, 1, 1, 0])
        self.assertEqual([row[2] for row in self.readings()], [1, 1, 1, 1])

    def test_aligned_within_a_transaction_and_outside(self):
        self.settings.change("StopTxnAlignedData", "Power.Active.Import")
        self.settings.change("MeterValueSampleInterval", "0")
        self.settings.change("ClockAlignedDataInterval", "900")
        self.charge()
        self.bench.advance(900)
        self.run_steps()
        self.assertEqual([row[:3] for row in self.readings()], [(2, 0, 1), (1, 1, 2)])
        self.assertEqual(self.bench.listener.readings, [])
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.bench.advance(900)
        self.run_steps()
        self.assertEqual(len(self.bench.listener.readings), 1)
        connector_id, measurement = self.bench.listener.readings[0]
        self.assertEqual((connector_id, len(measurement)), (1, 10))

    def test_what_the_pilot_offers_is_the_last_of_a_measurement(self):
        self.charge()
        self.bench.advance(1)
        self.run_steps()
        self.assertEqual(self.connector.measurement[9], 160)

    def test_silent_at_begin(self):
        self.plug()
        self.outlet.meter.failures = -1
        self.card()
        self.run_steps(3)
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "PowerMeterFailure"))
        self.assertEqual(self.bench.of_kind(records.START), [])
        self.assertFalse(self.closed)
        self.assertFalse(self.locked, "nobody's cable is caught")
        self.outlet.meter.failures = 0
        self.bench.advance(1)
        self.run_steps()
        self.assertEqual(self.connector.status, "Preparing")

    def test_a_hiccup_at_begin(self):
        self.plug()
        self.outlet.meter.failures = 2
        self.card()
        self.run_steps(2)
        self.assertIsNotNone(self.connector.transaction)

    def test_silent_during_a_transaction(self):
        self.charge(500)
        self.outlet.meter.failures = -1
        for _ in range(5):
            self.bench.advance(1)
            self.run_steps()
        self.assertFalse(self.closed)
        self.assertEqual((self.connector.status, self.connector.error[0]), ("Faulted", "PowerMeterFailure"))
        self.assertEqual(self.stops(), [(1500, "Other", None)], "the newest reading that is known counts")

    def test_silent_at_the_end(self):
        self.charge(500)
        self.outlet.meter.failures = 1
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.stops(), [(1500, "Local", "CARD1")])

    def test_a_register_that_runs_backwards_bills_nothing_less(self):
        self.settings.change("MeterValueSampleInterval", "1")
        self.charge(500)
        self.outlet.meter.energy = 0
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.stops()[0][0], 1500)

    def test_silence_is_noticed_without_a_transaction(self):
        self.run_steps()
        self.outlet.meter.failures = -1
        for _ in range(15):
            self.bench.advance(1)
            self.run_steps()
        self.assertEqual(self.connector.error[0], "PowerMeterFailure")
        self.assertFalse(self.connector.is_free())

    def test_an_idle_meter_is_left_in_peace(self):
        self.run_steps()
        reads = self.outlet.meter.reads
        for _ in range(9):
            self.bench.advance(1)
            self.run_steps(5)
        self.assertEqual(self.outlet.meter.reads, reads)


class JournalTest(_Case, unittest.TestCase):
    """The store refuses, in each phase."""

    def setUp(self):
        self.use(MeterValueSampleInterval=10)

    def fill(self, to_the_brim):
        """Take all room but what is kept, or even that."""
        journal = self.bench.journal
        while self.bench.ledger.has_room_for_readings() or (to_the_brim and journal.room() >= 512):
            journal.append(99, bytes(400))
        while to_the_brim and journal.room() >= 64:
            journal.append(99, bytes(40))

    def test_full_at_start(self):
        self.fill(True)
        self.plug(C)
        self.card()
        self.assertIsNone(self.connector.transaction)
        self.assertGreater(self.bench.listener.full, 0)
        self.assertFalse(self.closed)
        self.assertFalse(self.locked)
        self.assertEqual(self.connector.status, "Preparing")
        self.assertGreater(len(self.bench.log.at("error")), 0)

    def test_full_at_a_reading(self):
        self.charge()
        self.fill(False)
        self.bench.advance(10)
        self.run_steps()
        self.assertEqual(self.bench.of_kind(records.READING), [])
        self.assertEqual(self.bench.listener.full, 1)
        self.assertEqual(self.connector.status, "Charging")
        self.outlet.meter.energy += 400
        self.connector.stop("Local", "CARD1")
        self.run_steps()
        self.assertEqual(self.stops(), [(1400, "Local", "CARD1")])

    def test_refused_at_the_end_it_is_tried_again(self):
        self.settings.change("StopTxnSampledData", "Energy.Active.Import.Register")
        self.charge(500)
        append = self.bench.journal.append

        def refuse(kind, payload):
            if kind == records.STOP:
                raise OSError(5)
            return append(kind, payload)

        self.bench.journal.append = refuse
        self.connector.stop("Local", "CARD1")
        self.run_steps(3)
        self.assertFalse(self.closed)
        self.assertIsNotNone(self.connector.transaction)
        self.bench.journal.append = append
        self.bench.advance(5)
        self.run_steps()
        self.assertIsNone(self.connector.transaction)
        self.assertEqual(self.stops(), [(1500, "Local", "CARD1")])
        contexts = [records.unpack_reading(payload)[2] for payload in self.bench.of_kind(records.READING)]
        self.assertEqual(contexts.count(3), 1, "one Transaction.End")

    def test_refused_at_a_reading(self):
        self.charge(500)

        def refuse(kind, payload):
            raise OSError(5)

        append, self.bench.journal.append = self.bench.journal.append, refuse
        self.bench.advance(10)
        self.run_steps()
        self.bench.journal.append = append
        self.assertEqual(self.connector.status, "Charging")
        self.assertEqual(len(self.bench.log.at("error")), 1)
