"""The outbox: in order, one after the other, under stable ids, until each is answered or given up, across restarts."""

import asyncio
import time
import unittest

from charging_fakes import NOON, Bench, FakeLink, settle
from flashes import WAYS, PowerCut
from station import measurands
from station.charging import metering, records
from station.ocpp.calls import CallRefused, LinkError, NoAnswer, NotConnected
from station.ocpp.id_tags import IdTags
from station.ocpp.outbox import Outbox

ENERGY = measurands.mask_of("Energy.Active.Import.Register", 3)
POWER = measurands.mask_of("Power.Active.Import", 3)
BOTH = ENERGY | POWER


def measurement(energy):
    return (energy, 11000, 16000, 15900, 15800, 2301, 2302, 2303, 4998, 160)


class FakeChargePoint:
    def __init__(self, ledger):
        self._ledger = ledger
        self.verdicts = []

    def judged(self, number, transaction_id, accepted, parent_id_tag=None):
        self.verdicts.append((number, transaction_id, accepted, parent_id_tag))
        self._ledger.started(number, transaction_id, accepted)


class FakeAuthorization:
    def __init__(self):
        self.learned = []

    def learn(self, id_tag, info):
        self.learned.append((id_tag, info.status))


class Csms:
    """A backend: `answer` is what the link asks; it numbers transactions from 100 on.

    `refusals`: action -> errors, one for each time that it comes.
    """

    def __init__(self):
        self.info = {"status": "Accepted"}
        self.refusals = {}
        self.next = 100
        self.answers_left = None  # so many, then the connection is lost before the answer
        self.times = []

    def answer(self, action, payload):
        self.times.append(time.ticks_ms())
        waiting = self.refusals.get(action)
        if waiting:
            return waiting.pop(0)
        if self.answers_left is not None:
            if not self.answers_left:
                return NotConnected("lost", True)
            self.answers_left -= 1
        if action == "StartTransaction":
            self.next += 1
            return {"transactionId": self.next - 1, "idTagInfo": self.info}
        if action == "StopTransaction":
            return {"idTagInfo": self.info} if "idTag" in payload else {}
        return {}


class _Case:
    def setUp(self):
        self.use(Bench())

    def use(self, bench):
        self.bench = bench
        self.csms = Csms()
        self.wire()

    def wire(self):
        bench = self.bench
        self.link = FakeLink(self.csms.answer)
        self.link.connected = True
        self.point = FakeChargePoint(bench.ledger)
        self.authorization = FakeAuthorization()
        self.outbox = Outbox(
            bench.journal,
            self.link,
            self.point,
            self.authorization,
            bench.settings,
            bench.clock,
            bench.log,
            3,
            IdTags(lambda parent: parent.lower().encode()),
        )
        self.ledger = bench.ledger
        self.ledger.on_append = self.outbox.appended
        self.ledger.on_renewed = self.outbox.renewed

    def restart(self, epoch=NOON + 100_000):
        self.bench.restart(epoch)
        self.wire()
        self.bench.replay(self.outbox)

    def session(self, connector_id=1, readings=2, stop=True, mask=ENERGY, stop_mask=0, id_tag="CARD1"):
        """Write a transaction to the journal; Wh rise by 100 a minute from 1000 on."""
        transaction = self.ledger.start(connector_id, id_tag, None, 1000)
        for i in range(readings):
            self.bench.advance(60)
            self.ledger.reading(transaction, metering.PERIODIC, measurement(1100 + 100 * i), mask, stop_mask)
        if stop:
            self.bench.advance(60)
            self.ledger.stop(transaction, 5000, "Local", id_tag)
        return transaction

    def deliver(self, sent=None, most_ms=600_000):
        """Run the outbox until nothing waits, or so many messages are sent; the error that ended it, or None."""

        failures = []

        async def run():
            try:
                await self.outbox.run()
            except LinkError as error:
                failures.append(error)

        async def test():
            task = asyncio.create_task(run())
            waited = 0
            while waited < most_ms and not failures:
                await settle(20)
                if self.outbox.depth == 0 or (sent is not None and len(self.link.sent) >= sent):
                    break
                time.advance(500)
                waited += 500
            task.cancel()
            await settle()

        asyncio.run(test())
        return failures[0] if failures else None

    def ids(self):
        return [row[2] for row in self.link.sent]


class MessagesTest(_Case, unittest.TestCase):
    def test_a_session_in_order(self):
        self.session()
        self.assertEqual(self.outbox.depth, 4)
        self.assertIsNone(self.deliver())
        self.assertEqual(self.link.actions(), ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"])
        self.assertEqual(self.outbox.depth, 0)
        start, one, two, stop = [row[1] for row in self.link.sent]
        self.assertEqual(
            start,
            {"connectorId": 1, "idTag": "CARD1", "meterStart": 1000, "timestamp": "2026-11-22T11:00:00Z"},
        )
        self.assertEqual((one["connectorId"], one["transactionId"]), (1, 100))
        self.assertEqual(
            one["meterValue"],
            [
                {
                    "timestamp": "2026-11-22T11:01:00Z",
                    "sampledValue": [
                        {
                            "value": "1100",
                            "context": "Sample.Periodic",
                            "measurand": "Energy.Active.Import.Register",
                            "unit": "Wh",
                        }
                    ],
                }
            ],
        )
        self.assertEqual(two["meterValue"][0]["sampledValue"][0]["value"], "1200")
        self.assertEqual(
            stop,
            {
                "transactionId": 100,
                "meterStop": 5000,
                "timestamp": "2026-11-22T11:03:00Z",
                "reason": "Local",
                "idTag": "CARD1",
            },
        )

    def test_the_answers_are_passed_on(self):
        self.csms.info = {"status": "Blocked", "parentIdTag": "GROUP"}
        transaction = self.session(stop=False)
        self.deliver()
        self.assertEqual(self.point.verdicts, [(transaction.number, 100, False, "67726f7570")])
        self.assertEqual(self.authorization.learned, [("CARD1", "Blocked")])
        self.ledger.stop(transaction, 2000, "Local", "CARD2")
        self.deliver()
        self.assertEqual(self.authorization.learned[1:], [("CARD2", "Blocked")])

    def test_a_stop_without_a_card_teaches_nothing(self):
        transaction = self.session(stop=False)
        self.ledger.stop(transaction, 2000, "EVDisconnected", None)
        self.deliver()
        self.assertNotIn("idTag", self.link.payloads("StopTransaction")[0])
        self.assertEqual(len(self.authorization.learned), 1)

    def test_what_is_written_while_it_waits_is_sent(self):
        async def test():
            task = asyncio.create_task(self.outbox.run())
            await settle()
            self.session(readings=0, stop=False)
            await settle(20)
            task.cancel()

        asyncio.run(test())
        self.assertEqual(self.link.actions(), ["StartTransaction"])

    def test_one_after_the_other(self):
        self.session()

        async def test():
            self.link.gate = asyncio.Event()
            task = asyncio.create_task(self.outbox.run())
            await settle(20)
            task.cancel()

        asyncio.run(test())
        self.assertEqual(self.link.actions(), ["StartTransaction"])

    def test_two_transactions_at_once_each_under_its_number(self):
        one = self.ledger.start(1, "CARD1", None, 1000)
        two = self.ledger.start(2, "CARD2", None, 2000)
        self.ledger.reading(two, metering.PERIODIC, measurement(2100), ENERGY, 0)
        self.ledger.reading(one, metering.PERIODIC, measurement(1100), ENERGY, 0)
        self.ledger.stop(two, 2200, "Remote", None)
        self.ledger.stop(one, 1200, "Local", "CARD1")
        self.deliver()
        told = [(row[1].get("connectorId"), row[1].get("transactionId")) for row in self.link.sent]
        self.assertEqual(told, [(1, None), (2, None), (2, 101), (1, 100), (None, 101), (None, 100)])

    def test_a_reading_for_the_end_only_is_no_message(self):
        self.session(mask=0, stop_mask=ENERGY)
        self.deliver()
        self.assertEqual(self.link.actions(), ["StartTransaction", "StopTransaction"])

    def test_large_numbers_of_a_backend(self):
        self.csms.next = 1795345200123
        transaction = self.session(stop=False)
        self.deliver()
        self.restart()
        self.deliver()
        self.assertEqual(self.link.payloads("StopTransaction")[0]["transactionId"], 1795345200123)
        self.assertEqual(transaction.transaction_id, 1795345200123)

    def test_stamps_before_the_clock_was_set(self):
        self.use(Bench(epoch=0))
        self.bench.advance(10)
        self.session(readings=0)
        self.bench.advance(10)
        self.bench.clock.set(NOON)
        self.deliver()
        self.assertEqual(self.link.payloads("StartTransaction")[0]["timestamp"], "2026-11-22T10:58:50Z")
        self.assertEqual(self.link.payloads("StopTransaction")[0]["timestamp"], "2026-11-22T10:59:50Z")

    def test_oldest(self):
        self.assertEqual(self.outbox.oldest(), "")
        self.session()
        self.assertEqual(self.outbox.oldest(), "2026-11-22T11:00:00Z")
        self.csms.answers_left = 2
        self.deliver()
        self.assertEqual(self.outbox.oldest(), "2026-11-22T11:02:00Z")
        self.csms.answers_left = None
        self.deliver()
        self.assertEqual(self.outbox.oldest(), "")

    def test_a_record_that_a_bit_flip_took_holds_nothing_up(self):
        self.session()
        cells = bytes(self.bench.flash.cells)
        at = cells.find(records.pack_reading(1, NOON + 60, metering.PERIODIC, ENERGY, 0, (1100,), 1))
        self.assertGreater(at, 0)
        self.bench.flash.flip(at, 3)
        self.deliver(most_ms=2000)
        self.assertEqual(self.link.actions(), ["StartTransaction", "MeterValues", "StopTransaction"])
        self.assertEqual(self.outbox.depth, 0)


class TransactionDataTest(_Case, unittest.TestCase):
    def data(self):
        return self.link.payloads("StopTransaction")[0].get("transactionData")

    def test_none_asked_for(self):
        self.session()
        self.deliver()
        self.assertIsNone(self.data())

    def test_what_the_keys_asked_for(self):
        transaction = self.ledger.start(1, "CARD1", None, 1000)
        self.ledger.reading(transaction, metering.BEGIN, measurement(1000), 0, BOTH)
        self.ledger.reading(transaction, metering.PERIODIC, measurement(1100), ENERGY, POWER)
        self.ledger.reading(transaction, metering.PERIODIC, measurement(1200), ENERGY, 0)
        self.ledger.reading(transaction, metering.END, measurement(1300), 0, BOTH)
        self.ledger.stop(transaction, 1300, "Local", None)
        self.deliver()
        told = [
            [(sample["context"], sample["measurand"], sample["value"]) for sample in row["sampledValue"]]
            for row in self.data()
        ]
        register, power = "Energy.Active.Import.Register", "Power.Active.Import"
        self.assertEqual(
            told,
            [
                [("Transaction.Begin", register, "1000"), ("Transaction.Begin", power, "11000")],
                [("Sample.Periodic", power, "11000")],
                [("Transaction.End", register, "1300"), ("Transaction.End", power, "11000")],
            ],
        )
        self.assertEqual(len(self.link.payloads("MeterValues")), 2)

    def test_of_its_own_transaction_only(self):
        one = self.ledger.start(1, "CARD1", None, 1000)
        two = self.ledger.start(2, "CARD2", None, 2000)
        self.ledger.reading(two, metering.PERIODIC, measurement(2100), 0, ENERGY)
        self.ledger.reading(one, metering.PERIODIC, measurement(1100), 0, ENERGY)
        self.ledger.stop(one, 1100, "Local", None)
        self.deliver()
        self.assertEqual([row["sampledValue"][0]["value"] for row in self.data()], ["1100"])

    def test_though_the_readings_were_answered_long_ago(self):
        transaction = self.session(readings=5, stop=False, mask=ENERGY, stop_mask=ENERGY)
        self.deliver()
        self.ledger.stop(transaction, 2000, "Local", None)
        self.deliver()
        self.assertEqual(len(self.data()), 5)

    def test_thinned_evenly_with_first_and_last(self):
        for readings in (100, 101, 150, 199, 200, 201, 350):
            self.use(Bench(blocks=8))
            self.session(readings=readings, mask=0, stop_mask=ENERGY)
            self.deliver()
            values = [int(row["sampledValue"][0]["value"]) for row in self.data()]
            self.assertLessEqual(len(values), 100)
            self.assertGreater(len(values), 49)
            self.assertEqual((values[0], values[-1]), (1100, 1000 + 100 * readings))
            gaps = {values[i + 1] - values[i] for i in range(len(values) - 2)}
            self.assertEqual(len(gaps), 1, "%d readings: gaps of %r" % (readings, gaps))

    def test_thinned_by_values_not_by_readings(self):
        self.session(readings=80, mask=0, stop_mask=BOTH)
        self.deliver()
        self.assertLessEqual(len(self.data()), 50)
        self.assertGreater(len(self.data()), 25)


class AttemptsTest(_Case, unittest.TestCase):
    def use(self, bench=None):
        super().use(Bench(TransactionMessageAttempts=3, TransactionMessageRetryInterval=10))

    def waits(self):
        times = self.csms.times
        return [time.ticks_diff(times[i + 1], times[i]) for i in range(len(times) - 1)]

    def test_after_growing_intervals(self):
        self.session(readings=0, stop=False)
        self.csms.refusals["StartTransaction"] = [
            CallRefused("InternalError", "", {}),
            NoAnswer("StartTransaction: no answer within 30 s"),
        ]
        self.assertIsNone(self.deliver())
        self.assertEqual(self.link.actions(), ["StartTransaction"] * 3)
        first, second = self.waits()
        self.assertTrue(10_000 <= first < 12_000, first)
        self.assertTrue(20_000 <= second < 22_000, second)
        self.assertEqual(self.point.verdicts, [(1, 100, True, None)])

    def test_others_wait_meanwhile(self):
        self.session()
        self.csms.refusals["StartTransaction"] = [CallRefused("InternalError", "", {})]
        self.deliver(sent=3)
        self.assertEqual(self.link.actions()[:3], ["StartTransaction", "StartTransaction", "MeterValues"])

    def test_given_up_the_log_has_the_content(self):
        self.session(readings=0)
        self.csms.refusals["StopTransaction"] = [CallRefused("InternalError", "sorry", {})] * 3
        self.assertIsNone(self.deliver())
        self.assertEqual(self.link.actions().count("StopTransaction"), 3)
        self.assertEqual(self.outbox.depth, 0)
        error = self.bench.log.at("error")[0]
        for word in ("StopTransaction", "5000", "'transactionId': 100", "InternalError"):
            self.assertIn(word, error)

    def test_a_given_up_start_leaves_a_transaction_without_a_number(self):
        transaction = self.session(stop=False)
        self.csms.refusals["StartTransaction"] = [CallRefused("InternalError", "", {})] * 3
        self.assertIsNone(self.deliver())
        self.assertEqual(self.point.verdicts, [(transaction.number, -1, True, None)])
        self.assertEqual(transaction.transaction_id, -1)
        self.assertNotIn("transactionId", self.link.payloads("MeterValues")[0])
        self.ledger.stop(transaction, 2000, "Local", None)
        self.deliver()
        self.assertEqual(self.link.payloads("StopTransaction")[0]["transactionId"], -1)

    def test_the_next_message_has_its_own_attempts(self):
        self.session(readings=1)
        refusal = CallRefused("InternalError", "", {})
        self.csms.refusals["StartTransaction"] = [refusal, refusal]
        self.csms.refusals["MeterValues"] = [refusal, refusal]
        self.assertIsNone(self.deliver())
        self.assertEqual(self.bench.log.at("error"), [])
        self.assertEqual(self.link.actions()[-1], "StopTransaction")

    def test_a_lost_connection_is_no_attempt(self):
        self.session(readings=0, stop=False)
        for _ in range(5):
            self.csms.refusals["StartTransaction"] = [NotConnected("lost", True)]
            self.assertIsInstance(self.deliver(), LinkError)
        self.assertIsNone(self.deliver())
        self.assertEqual(len(self.link.sent), 6)
        self.assertEqual(len(set(self.ids())), 1, "a backend that got it twice can tell")
        self.assertEqual(self.point.verdicts, [(1, 100, True, None)])

    def test_nor_is_a_backend_that_falls_silent_altogether(self):
        self.session(readings=0, stop=False)

        def silence(action, payload):
            self.link.connected = False
            return NoAnswer("StartTransaction: no answer within 30 s")

        for _ in range(5):
            self.link.connected = True
            self.link.answers = silence
            self.assertIsInstance(self.deliver(), NoAnswer)
        self.link.connected = True
        self.link.answers = self.csms.answer
        self.assertIsNone(self.deliver())
        self.assertEqual(self.bench.log.at("error"), [])

    def test_attempts_made_count_on_after_a_lost_connection(self):
        self.session(readings=0, stop=False)
        refusal = CallRefused("InternalError", "", {})
        self.csms.refusals["StartTransaction"] = [refusal, NotConnected("lost"), refusal, refusal]
        self.assertIsInstance(self.deliver(), NotConnected)
        self.assertIsNone(self.deliver())
        self.assertEqual(len(self.link.sent), 4)
        self.assertEqual(self.point.verdicts[0][1], -1)


class RestartTest(_Case, unittest.TestCase):
    def test_offline_loses_nothing(self):
        self.session()
        self.session(2)
        self.restart()
        self.assertEqual(self.outbox.depth, 8)
        self.deliver()
        self.assertEqual(self.link.actions(), ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"] * 2)

    def test_ids_are_the_same_after_it(self):
        self.session()
        self.link.connected = False
        before = ["%08x-%d" % (self.bench.journal.salt, seq) for seq in (1, 2, 3)]
        self.restart()
        self.deliver(sent=1)
        self.assertEqual(self.ids()[0], before[0])

    def test_at_every_point_of_a_session(self):
        """Whatever was answered before it, each message is told, and each number is right."""
        for answered in range(5):
            self.use(Bench())
            self.session(stop_mask=ENERGY)
            self.csms.answers_left = answered
            self.deliver()
            told = list(self.link.sent)
            self.assertEqual(len(told), min(answered + 1, 4))
            self.csms.answers_left = None
            self.restart()
            self.deliver()
            told += self.link.sent
            starts = [row for row in told if row[0] == "StartTransaction"]
            self.assertEqual(len({row[2] for row in starts}), 1)
            stops = [row[1] for row in told if row[0] == "StopTransaction"]
            when = "restarted after %d of 4" % answered
            self.assertGreaterEqual(len(stops), 1, when)
            for stop in stops:
                self.assertGreaterEqual(stop["transactionId"], 100, when)
                self.assertEqual(stop["meterStop"], 5000, when)
                self.assertEqual(len(stop["transactionData"]), 2, when)
            readings = {row[1]["meterValue"][0]["timestamp"] for row in told if row[0] == "MeterValues"}
            self.assertEqual(len(readings), 2, when)
            self.assertEqual(self.outbox.depth, 0)

    def test_what_was_answered_and_written_down_is_not_told_again(self):
        self.session()
        self.deliver()
        self.restart()
        self.assertEqual(self.outbox.depth, 0)
        self.deliver()
        self.assertEqual(self.link.sent, [])

    def test_a_start_that_was_answered_is_not_told_again(self):
        self.session(readings=0, stop=False)
        self.deliver()
        self.restart()
        self.deliver()
        self.assertEqual(self.link.actions(), ["StopTransaction"])
        stop = self.link.payloads("StopTransaction")[0]
        self.assertEqual((stop["transactionId"], stop["reason"], stop["meterStop"]), (100, "PowerLoss", 1000))

    def test_a_given_up_start_stays_given_up(self):
        self.use(Bench(TransactionMessageAttempts=1))
        self.csms.refusals["StartTransaction"] = [CallRefused("InternalError", "", {})]
        self.session(readings=0, stop=False)
        self.deliver()
        self.restart()
        self.deliver()
        self.assertEqual(self.link.actions(), ["StopTransaction"])
        self.assertEqual(self.link.payloads("StopTransaction")[0]["transactionId"], -1)

    def test_a_cut_at_every_write_of_a_delivered_session(self):
        for way in WAYS:
            for operation in range(2, 10):
                self.use(Bench())
                self.bench.flash.cut(operation, way)
                told = []
                done = False
                try:
                    self.session(readings=1, stop=False)
                    self.deliver()
                    transaction = next(iter(self.ledger._running.values()))
                    self.ledger.stop(transaction, 5000, "Local", None)
                    done = True
                    self.deliver()
                except PowerCut:
                    pass
                told += self.link.sent
                self.restart()
                self.deliver()
                told += self.link.sent
                self.check(told, done, "%s at %d" % (way, operation))

    def check(self, told, done, when):
        starts = {row[2] for row in told if row[0] == "StartTransaction"}
        stops = {row[2] for row in told if row[0] == "StopTransaction"}
        self.assertEqual(len(stops), len(starts), when)
        for _, payload, _ in [row for row in told if row[0] == "StopTransaction"]:
            self.assertGreaterEqual(payload["transactionId"], 100, when)
            if done:
                self.assertEqual(payload["meterStop"], 5000, when)
        self.assertEqual(self.outbox.depth, 0, when)

    def test_a_flash_that_does_not_take_the_answer_does_not_keep_it_from_the_transaction(self):
        transaction = self.session(readings=0, stop=False)
        append = self.bench.journal.append

        def refuse(kind, payload, free=0):
            if kind == records.STARTED:
                raise OSError(5)
            return append(kind, payload, free)

        self.bench.journal.append = refuse
        self.assertIsNone(self.deliver())
        self.bench.journal.append = append
        self.assertEqual(transaction.transaction_id, 100)
        self.assertEqual(len(self.bench.log.at("error")), 1)
        self.ledger.stop(transaction, 2000, "Remote", None)
        self.deliver()
        self.assertEqual(self.link.payloads("StopTransaction")[0]["transactionId"], 100)


class LongTest(_Case, unittest.TestCase):
    """A transaction that is longer than the journal."""

    def setUp(self):
        self.use(Bench(blocks=4))

    def run_long(self, transaction, readings):
        energy = transaction.last_meter
        for i in range(readings):
            energy += 10
            self.bench.advance(60)
            self.assertTrue(
                self.ledger.reading(transaction, metering.PERIODIC, measurement(energy), ENERGY, ENERGY), "dropped"
            )
            if i % 20 == 0:
                self.deliver()
        self.deliver()
        return energy

    def test_goes_on_and_ends_well(self):
        transaction = self.session(readings=0, stop=False)
        energy = self.run_long(transaction, 1000)
        self.assertEqual(len(self.link.payloads("MeterValues")), 1000)
        self.ledger.stop(transaction, energy, "Local", "CARD1")
        self.deliver()
        stop = self.link.payloads("StopTransaction")[0]
        self.assertEqual((stop["transactionId"], stop["meterStop"]), (100, energy))
        self.assertGreater(len(stop["transactionData"]), 10)
        self.assertIsNone(self.bench.journal.hold)

    def test_a_power_cut_in_it(self):
        transaction = self.session(readings=0, stop=False)
        energy = self.run_long(transaction, 1000)
        self.assertEqual(self.bench.of_kind(records.START), [])
        self.restart()
        self.deliver()
        self.assertEqual(self.link.actions()[-1], "StopTransaction")
        stop = self.link.payloads("StopTransaction")[0]
        self.assertEqual((stop["transactionId"], stop["meterStop"], stop["reason"]), (100, energy, "PowerLoss"))
        self.assertNotIn("StartTransaction", self.link.actions())

    def test_beside_a_short_one(self):
        long = self.session(readings=0, stop=False)
        self.run_long(long, 300)
        for _ in range(10):
            self.session(2, readings=3, stop_mask=ENERGY)
            self.run_long(long, 60)
        self.restart()
        self.deliver()
        stops = self.link.payloads("StopTransaction")
        self.assertEqual([(stop["transactionId"], stop["reason"]) for stop in stops], [(100, "PowerLoss")])
