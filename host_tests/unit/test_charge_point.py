"""Which connector a card, a remote start, a stop or an availability change is for, and what connector 0 tells."""

import asyncio
import unittest

import ramdisk
from charging_fakes import A, B, Bench, C, hurry, settle
from station.charging import records
from station.charging.authorization import IdTagInfo
from station.charging.charge_point import ChargePoint
from station.storage import atomic

PATH = ramdisk.MOUNT + "/availability.json"
BOTH = (1, 2)


async def a_moment():
    await asyncio.sleep_ms(200)


class FakeAuthorization:
    """`cards`: id tag -> IdTagInfo; others are Invalid. `gate`, if set, is waited for."""

    def __init__(self):
        self.cards = {}
        self.asked = []
        self.gate = None

    async def authorize(self, id_tag):
        self.asked.append(id_tag)
        if self.gate:
            await self.gate.wait()
        return self.cards.get(id_tag) or IdTagInfo("Invalid")


class FakeReader:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.alive = True

    async def read(self):
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Above:
    """The listener in the layer above: connector ids, in order."""

    def __init__(self):
        self.told = []
        self.readings = []

    def status_changed(self, connector_id):
        self.told.append(connector_id)

    def aligned(self, connector):
        self.readings.append(connector.connector_id)


class _Case:
    def use(self, outlets=2, **words):
        self.bench = Bench(outlets, **words)
        self.build()

    def build(self):
        self.authorization = FakeAuthorization()
        for id_tag in ("CARD1", "CARD2", "CARD3"):
            self.authorization.cards[id_tag] = IdTagInfo("Accepted")
        self.point = ChargePoint(
            [outlet.connector for outlet in self.bench.outlets],
            self.authorization,
            self.bench.settings,
            self.bench.clock,
            self.bench.ledger,
            self.bench.log,
            PATH,
        )
        self.above = Above()
        self.point.listener = self.above

    def setUp(self):
        self.flash = ramdisk.mount()
        self.use()

    def tearDown(self):
        ramdisk.unmount()

    def connector(self, i):
        return self.point.connector(i)

    def show(self, i, state):
        self.bench.outlets[i - 1].show(state)
        self.run_steps()

    def run_steps(self, times=1):
        async def test():
            for _ in range(times):
                self.point.match_held()
                await self.bench.step()

        asyncio.run(test())

    def swipe(self, id_tag, connector_ids=BOTH):
        answer = asyncio.run(self.point.present(id_tag, connector_ids))
        self.run_steps(3)
        return answer

    def charge(self, i, id_tag="CARD1"):
        self.show(i, B)
        assert self.swipe(id_tag, (i,)) == "granted"
        self.show(i, C)
        self.run_steps()
        assert self.connector(i).status == "Charging"

    def remote_start(self, id_tag, connector_id=None):
        """What was answered, after the task had time for it."""

        async def test():
            task = asyncio.create_task(self.point.serve_remote())
            answer = self.point.remote_start(id_tag, connector_id)
            await settle()
            task.cancel()
            return answer

        answer = asyncio.run(test())
        self.run_steps(3)
        return answer

    def charging(self):
        """{connector id: id tag} of what runs."""
        found = {}
        for connector in self.point.connectors:
            if connector.transaction:
                found[connector.connector_id] = connector.transaction.id_tag
        return found

    def reasons(self):
        return [records.unpack_stop(payload)[3] for payload in self.bench.of_kind(records.STOP)]


class CardTest(_Case, unittest.TestCase):
    def test_for_the_connector_that_is_plugged_in(self):
        self.show(2, B)
        self.assertEqual(self.swipe("CARD1"), "granted")
        self.assertEqual(self.charging(), {2: "CARD1"})

    def test_of_two_for_the_one_plugged_in_last(self):
        self.show(2, B)
        self.bench.advance(5)
        self.show(1, B)
        self.swipe("CARD1")
        self.assertEqual(self.charging(), {1: "CARD1"})

    def test_a_cable_not_used_yet_comes_before_one_whose_transaction_ended(self):
        self.show(2, B)
        self.bench.advance(5)
        self.charge(1)
        self.swipe("CARD1")
        self.assertEqual(self.connector(1).status, "Finishing")
        self.swipe("CARD2")
        self.assertEqual(self.charging(), {2: "CARD2"})

    def test_first_it_is_held_for_whichever_cable_comes(self):
        self.assertEqual(self.swipe("CARD1"), "granted")
        self.assertEqual([connector.status for connector in self.point.connectors], ["Available", "Available"])
        self.show(2, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD1"})
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD1"})

    def test_held_no_longer_than_connection_time_out(self):
        self.swipe("CARD1")
        self.bench.advance(60)
        self.run_steps()
        self.show(2, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {})

    def test_two_cards_are_held_for_two_cables(self):
        self.assertEqual(self.swipe("CARD1"), "granted")
        self.assertEqual(self.swipe("CARD2"), "granted")
        self.assertEqual(self.swipe("CARD3"), "busy")
        self.show(2, B)
        self.run_steps(3)
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD1", 1: "CARD2"})

    def test_each_held_card_has_its_own_deadline(self):
        self.swipe("CARD1")
        self.bench.advance(30)
        self.swipe("CARD2")
        self.bench.advance(30)
        self.run_steps()
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {1: "CARD2"})

    def test_where_only_one_is_free_that_one_prepares(self):
        self.charge(1)
        self.assertEqual(self.swipe("CARD2"), "granted")
        self.assertEqual(self.connector(2).status, "Preparing")
        self.show(2, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {1: "CARD1", 2: "CARD2"})

    def test_none_free(self):
        self.charge(1)
        self.charge(2, "CARD2")
        self.assertEqual(self.swipe("CARD3"), "busy")

    def test_presented_twice_before_the_cable(self):
        self.swipe("CARD1")
        self.assertEqual(self.swipe("CARD1"), "withdrawn")
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {})
        self.assertEqual(self.authorization.asked, ["CARD1"])

    def test_presented_twice_on_the_only_connector(self):
        self.use(1)
        self.swipe("CARD1", (1,))
        self.assertEqual(self.swipe("card1", (1,)), "withdrawn")
        self.assertEqual(self.connector(1).status, "Available")

    def test_presented_again_it_stops_without_asking_anyone(self):
        self.charge(1)
        self.authorization.cards.clear()
        self.assertEqual(self.swipe("card1"), "stopped")
        self.assertEqual(self.reasons(), ["Local"])
        self.assertEqual(self.charging(), {})

    def test_another_of_its_group_stops_it(self):
        self.use(1)
        self.authorization.cards["CARD1"] = IdTagInfo("Accepted", 0, "GROUP")
        self.authorization.cards["CARD2"] = IdTagInfo("Accepted", 0, "group")
        self.charge(1)
        self.assertEqual(self.swipe("CARD2", (1,)), "stopped")
        stop = records.unpack_stop(self.bench.of_kind(records.STOP)[0])
        self.assertEqual(stop[3:], ("Local", 1, "CARD2"))

    def test_another_of_its_group_that_is_blocked_does_not(self):
        self.use(1)
        self.authorization.cards["CARD1"] = IdTagInfo("Accepted", 0, "GROUP")
        self.authorization.cards["CARD2"] = IdTagInfo("Blocked", 0, "GROUP")
        self.charge(1)
        self.assertEqual(self.swipe("CARD2", (1,)), "Blocked")
        self.assertEqual(self.charging(), {1: "CARD1"})

    def test_a_stranger_or_another_card_does_not_stop_it(self):
        self.use(1)
        self.charge(1)
        self.assertEqual(self.swipe("CARD2", (1,)), "busy")
        self.assertEqual(self.swipe("NOBODY", (1,)), "Invalid")
        self.assertEqual(self.charging(), {1: "CARD1"})

    def test_the_group_is_what_start_transaction_said(self):
        self.use(1)
        self.charge(1)
        self.point.judged(self.connector(1).transaction.number, 4711, True, "GROUP")
        self.authorization.cards["CARD2"] = IdTagInfo("Accepted", 0, "GROUP")
        self.assertEqual(self.swipe("CARD2", (1,)), "stopped")

    def test_refused_in_each_way(self):
        for status in ("Blocked", "Expired", "Invalid", "ConcurrentTx"):
            self.authorization.cards["CARD1"] = IdTagInfo(status)
            self.show(1, B)
            self.assertEqual(self.swipe("CARD1"), status)
            self.assertEqual(self.charging(), {})

    def test_only_for_the_connectors_of_its_reader(self):
        self.show(1, B)
        self.swipe("CARD1", (2,))
        self.assertEqual(self.charging(), {})
        self.assertEqual(self.connector(2).status, "Preparing")

    def test_unplugged_while_the_backend_is_asked(self):
        self.show(1, B)

        async def test():
            self.authorization.gate = asyncio.Event()
            task = asyncio.create_task(self.point.present("CARD1", BOTH))
            await settle()
            self.bench.outlets[0].show(A)
            await self.bench.step()
            self.authorization.gate.set()
            await settle()
            return await task

        self.assertEqual(asyncio.run(test()), "granted")
        self.run_steps(3)
        self.assertEqual(self.charging(), {})

    def test_a_faulted_connector_is_for_nobody(self):
        self.use(1)
        self.bench.outlets[0].inputs.alarms = ["GroundFailure"]
        self.show(1, B)
        self.assertEqual(self.swipe("CARD1", (1,)), "busy")

    def test_releases_a_cable_that_was_kept(self):
        self.use(1)
        self.charge(1)
        self.point.judged(self.connector(1).transaction.number, 4711, False)
        self.run_steps(2)
        self.assertEqual(self.reasons(), ["DeAuthorized"])
        self.assertTrue(self.connector(1)._lock.is_locked())
        self.assertEqual(self.swipe("CARD1", (1,)), "released")
        self.assertFalse(self.connector(1)._lock.is_locked())

    def test_the_readers_task(self):
        self.show(1, B)
        reader = FakeReader(OSError("card reader 2 does not answer"), "CARD1")

        async def test():
            task = asyncio.create_task(self.point.serve_reader(reader, BOTH))
            await settle()
            task.cancel()

        asyncio.run(test())
        self.run_steps(3)
        self.assertEqual(self.charging(), {1: "CARD1"})
        self.assertEqual(self.bench.log.at("error"), ["card reader 2 does not answer"])


class RemoteTest(_Case, unittest.TestCase):
    def test_cable_first(self):
        self.show(2, B)
        self.assertTrue(self.remote_start("CARD9", 2))
        self.assertEqual(self.charging(), {2: "CARD9"})
        self.assertEqual(self.authorization.asked, [], "AuthorizeRemoteTxRequests is off")

    def test_command_first(self):
        self.assertTrue(self.remote_start("CARD9", 2))
        self.assertEqual(self.connector(2).status, "Preparing")
        self.show(2, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD9"})

    def test_command_first_and_no_cable_within_connection_time_out(self):
        self.remote_start("CARD9", 2)
        self.bench.advance(60)
        self.run_steps()
        self.assertEqual(self.connector(2).status, "Available")

    def test_without_a_connector_cable_first(self):
        self.show(2, B)
        self.assertTrue(self.remote_start("CARD9"))
        self.assertEqual(self.charging(), {2: "CARD9"})

    def test_without_a_connector_command_first(self):
        self.assertTrue(self.remote_start("CARD8"))
        self.assertTrue(self.remote_start("CARD9"))
        self.show(2, B)
        self.run_steps(3)
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD8", 1: "CARD9"})

    def test_for_a_connector_that_a_held_card_might_have_got(self):
        self.swipe("CARD1")
        self.assertTrue(self.remote_start("CARD9", 2))
        self.assertEqual(self.connector(2).status, "Preparing")
        self.show(2, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD9"})
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.charging(), {2: "CARD9", 1: "CARD1"})

    def test_rejections(self):
        self.assertFalse(self.remote_start("CARD9", 0))
        self.assertFalse(self.remote_start("CARD9", 3))
        self.charge(1)
        self.assertFalse(self.remote_start("CARD9", 1))
        self.connector(2).set_operative(False)
        self.assertFalse(self.remote_start("CARD9", 2))
        self.assertFalse(self.remote_start("CARD9"))
        self.connector(2).set_operative(True)
        self.bench.outlets[1].inputs.alarms = ["GroundFailure"]
        self.run_steps()
        self.assertFalse(self.remote_start("CARD9", 2))

    def test_rejected_while_another_waits_for_its_cable(self):
        self.remote_start("CARD8", 2)
        self.assertFalse(self.remote_start("CARD9", 2))

    def test_rejected_without_room_in_the_journal(self):
        while self.bench.ledger.has_room():
            self.bench.journal.append(99, bytes(400))
        self.assertFalse(self.remote_start("CARD9", 1))

    def test_bounded(self):
        answers = [self.point.remote_start("CARD%d" % i, None) for i in range(5)]
        self.assertEqual(answers, [True, True, False, False, False])

    def test_authorized_like_a_card_if_the_key_says_so(self):
        self.bench.settings.change("AuthorizeRemoteTxRequests", "true")
        self.show(1, B)
        self.assertTrue(self.remote_start("CARD1", 1))
        self.assertEqual(self.authorization.asked, ["CARD1"])
        self.assertEqual(self.charging(), {1: "CARD1"})

    def test_refused_if_the_key_says_so_and_the_card_is_bad(self):
        self.bench.settings.change("AuthorizeRemoteTxRequests", "true")
        self.show(1, B)
        self.assertTrue(self.remote_start("NOBODY", 1))
        self.assertEqual(self.charging(), {})
        self.assertEqual(self.connector(1).status, "Preparing")

    def test_stop(self):
        self.charge(1)
        self.charge(2, "CARD2")
        self.assertFalse(self.point.remote_stop(4711))
        self.point.judged(self.connector(1).transaction.number, 4711, True)
        self.point.judged(self.connector(2).transaction.number, 4712, True)
        self.assertFalse(self.point.remote_stop(1))
        self.assertTrue(self.point.remote_stop(4712))
        self.run_steps()
        self.assertEqual(self.charging(), {1: "CARD1"})
        self.assertEqual(self.reasons(), ["Remote"])
        self.assertFalse(self.point.remote_stop(4712))

    def test_no_stop_by_the_number_of_those_that_have_none(self):
        self.charge(1)
        self.point.judged(self.connector(1).transaction.number, records.NO_ID, True)
        self.assertFalse(self.point.remote_stop(records.NO_ID))

    def test_a_verdict_about_a_transaction_that_is_over(self):
        self.charge(1)
        number = self.connector(1).transaction.number
        self.swipe("CARD1")
        self.point.judged(number, 4711, False)
        self.run_steps(3)
        self.assertEqual(self.reasons(), ["Local"])


class AvailabilityTest(_Case, unittest.TestCase):
    def statuses(self):
        self.run_steps()
        return [connector.status for connector in self.point.connectors]

    def test_one_connector(self):
        self.assertEqual(self.point.change_availability(2, False), "Accepted")
        self.assertEqual(self.statuses(), ["Available", "Unavailable"])
        self.assertEqual(self.point.status, "Available")
        self.assertEqual(self.point.change_availability(2, True), "Accepted")
        self.assertEqual(self.statuses(), ["Available", "Available"])

    def test_the_charge_point(self):
        self.assertEqual(self.point.change_availability(0, False), "Accepted")
        self.assertEqual(self.statuses(), ["Unavailable", "Unavailable"])
        self.assertEqual(self.point.status, "Unavailable")
        self.assertIn(0, self.above.told)
        self.assertEqual(self.point.change_availability(0, True), "Accepted")
        self.assertEqual(self.statuses(), ["Available", "Available"])

    def test_unknown_connectors(self):
        for connector_id in (3, -1):
            self.assertEqual(self.point.change_availability(connector_id, False), "Rejected")
        self.assertEqual(self.statuses(), ["Available", "Available"])

    def test_what_is_so_already(self):
        self.assertEqual(self.point.change_availability(1, True), "Accepted")
        self.point.change_availability(1, False)
        self.assertEqual(self.point.change_availability(1, False), "Accepted")

    def test_scheduled_while_a_transaction_runs(self):
        self.charge(1)
        self.assertEqual(self.point.change_availability(1, False), "Scheduled")
        self.run_steps(3)
        self.assertEqual(self.connector(1).status, "Charging")
        self.swipe("CARD1")
        self.assertEqual(self.connector(1).status, "Unavailable")

    def test_scheduled_for_the_whole_charge_point(self):
        self.charge(1)
        self.assertEqual(self.point.change_availability(0, False), "Scheduled")
        self.assertEqual(self.statuses(), ["Charging", "Unavailable"])
        self.assertEqual(self.point.status, "Available")
        self.above.told.clear()
        self.swipe("CARD1")
        self.assertEqual(self.point.status, "Unavailable")
        self.assertIn(0, self.above.told)

    def test_a_schedule_that_is_taken_back(self):
        self.charge(1)
        self.point.change_availability(1, False)
        self.assertEqual(self.point.change_availability(1, True), "Accepted")
        self.swipe("CARD1")
        self.assertEqual(self.connector(1).status, "Finishing")

    def test_one_connector_of_a_charge_point_that_is_out_of_order(self):
        self.point.change_availability(0, False)
        self.assertEqual(self.point.change_availability(1, True), "Accepted")
        self.assertEqual(self.statuses(), ["Available", "Unavailable"])
        self.assertEqual(self.point.status, "Available")

    def test_survives_a_restart(self):
        self.point.change_availability(2, False)
        self.bench.restart()
        self.build()
        self.point.load()
        self.assertEqual(self.statuses(), ["Available", "Unavailable"])

    def test_a_schedule_survives_a_restart_and_is_in_force_then(self):
        self.charge(1)
        self.point.change_availability(1, False)
        self.bench.restart()
        self.build()
        self.point.load()
        self.assertEqual(self.statuses(), ["Unavailable", "Available"])

    def test_persisted_before_it_is_reported(self):
        self.flash.fail(1)
        self.assertEqual(self.point.change_availability(2, False), "Rejected")
        self.assertEqual(self.statuses(), ["Available", "Available"])

    def test_a_file_that_is_none(self):
        for content in ({"a": 1}, 7, ["x", None], "text"):
            atomic.replace_json(PATH, content)
            self.build()
            self.point.load()
            self.assertEqual(self.statuses(), ["Available", "Available"])


class WholeTest(_Case, unittest.TestCase):
    """What concerns all connectors together."""

    def housekeep(self):
        async def test():
            task = asyncio.create_task(self.point.run(lambda: None))
            await hurry(asyncio.create_task(a_moment()))
            task.cancel()

        asyncio.run(test())

    def test_stop_all(self):
        self.charge(1)
        self.charge(2, "CARD2")
        self.assertTrue(self.point.stop_all("SoftReset"))
        self.assertFalse(self.bench.outlets[0].contactor.commanded)
        self.assertFalse(self.bench.outlets[1].contactor.commanded)
        self.run_steps()
        self.assertFalse(self.point.stop_all("SoftReset"))
        self.assertEqual(self.reasons(), ["SoftReset", "SoftReset"])

    def test_nothing_begins_after_stop_all(self):
        self.swipe("CARD1")
        self.point.stop_all("HardReset")
        self.show(1, B)
        self.run_steps(3)
        self.assertEqual(self.swipe("CARD2"), "busy")
        self.assertFalse(self.remote_start("CARD3", 1))
        self.assertEqual(self.charging(), {})

    def test_nothing_begins_that_was_about_to_when_stop_all_came(self):
        self.show(1, B)
        self.bench.outlets[0].meter.during = lambda: self.point.stop_all("SoftReset")
        self.swipe("CARD1")
        self.run_steps(3)
        self.assertEqual(self.charging(), {})

    def test_a_full_store_is_told_with_connector_0_until_there_is_room(self):
        self.assertEqual(self.point.warning, ("NoError", "", ""))
        journal = self.bench.journal
        while self.bench.ledger.has_room_for_readings():
            journal.append(99, bytes(400))
        self.point.store_full()
        self.point.store_full()
        self.assertEqual(self.above.told, [0])
        self.assertEqual(self.point.warning[0], "OtherError")
        self.assertEqual(self.point.warning[2], "JournalFull")
        self.housekeep()
        self.assertEqual(self.point.warning[2], "JournalFull")
        journal.free(journal.next - 1)
        self.housekeep()
        self.assertEqual(self.point.warning[0], "NoError")
        self.assertEqual(self.above.told, [0, 0])

    def test_a_journal_that_fills_is_told_before_readings_are_thinned(self):
        journal, ledger = self.bench.journal, self.bench.ledger
        while not ledger.is_filling():
            self.assertFalse(ledger.is_short())
            journal.append(99, bytes(400))
        self.housekeep()
        self.assertEqual((self.point.warning[0], self.point.warning[2]), ("OtherError", "JournalFilling"))
        self.assertEqual(self.above.told, [0])
        while ledger.has_room_for_readings():
            journal.append(99, bytes(400))
        self.housekeep()
        self.assertEqual(self.point.warning[2], "JournalFilling")
        self.point.store_full()
        self.assertEqual(self.point.warning[2], "JournalFull")
        self.housekeep()
        self.assertEqual(self.point.warning[2], "JournalFull")
        while not ledger.has_room_for_readings():
            journal.free(journal.first + 7)
        self.housekeep()
        self.assertEqual(self.point.warning[2], "JournalFilling")
        journal.free(journal.next - 1)
        self.housekeep()
        self.assertEqual(self.point.warning[0], "NoError")

    def test_a_dead_reader_is_told_with_connector_0(self):
        reader = FakeReader()
        self.point.readers.append(reader)
        reader.alive = False
        self.housekeep()
        self.assertEqual(self.point.warning[0], "ReaderFailure")
        reader.alive = True
        self.housekeep()
        self.assertEqual(self.point.warning[0], "NoError")
        self.assertEqual(self.above.told, [0, 0])

    def test_the_oldest_warning_is_told(self):
        self.point.readers.append(FakeReader())
        self.point.readers[0].alive = False
        self.housekeep()
        self.point.store_full()
        self.assertEqual(self.point.warning[0], "ReaderFailure")

    def test_what_connectors_tell_goes_up(self):
        self.show(2, B)
        self.assertIn(2, self.above.told)
        self.bench.settings.change("ClockAlignedDataInterval", "900")
        self.run_steps()
        self.bench.advance(900)
        self.run_steps()
        self.assertEqual(self.above.readings, [1, 2])

    def test_connectors_by_id(self):
        self.assertEqual([self.connector(i) is not None for i in (-1, 0, 1, 2, 3)], [False, False, True, True, False])
