"""The journal fills: readings are thinned evenly, then refused, then no transaction begins; all that stays is told."""

import asyncio
import time
import unittest

import ramdisk
from charging_fakes import NOON, Bench, FakeLink, settle
from station import measurands
from station.charging import metering, records
from station.charging.thinner import Thinner
from station.ocpp.id_tags import IdTags
from station.ocpp.outbox import Outbox
from station.storage import atomic
from station.storage.journal import JournalFull
from station.storage.ring import MAX_LEVEL

ENERGY = measurands.mask_of("Energy.Active.Import.Register", 3)
PATH = ramdisk.MOUNT + "/dropped.json"
CARD = "CARD5678901234567890"


def measurement(energy):
    return (energy, 11000, 16000, 15900, 15800, 2301, 2302, 2303, 4998, 160)


class FakeBackend:
    """Stands for the link's other end, the charge point and the authorization."""

    def __init__(self, ledger):
        self.ledger = ledger

    def answer(self, action, payload):
        if action == "StartTransaction":
            return {"transactionId": payload["meterStart"], "idTagInfo": {"status": "Accepted"}}
        return {}

    def judged(self, number, transaction_id, accepted, parent_id_tag=None):
        self.ledger.started(number, transaction_id, accepted)

    def learn(self, id_tag, info):
        pass


class _Case:
    path = None

    def use(self, blocks=24, block_size=1024):
        self.bench = Bench(blocks=blocks, block_size=block_size)
        self.written = []  # seq of each reading
        self.wire()

    def wire(self):
        bench = self.bench
        self.ledger = bench.ledger
        backend = FakeBackend(self.ledger)
        self.link = FakeLink(backend.answer)
        self.link.connected = True
        self.outbox = Outbox(
            bench.journal,
            self.link,
            backend,
            backend,
            bench.settings,
            bench.clock,
            bench.log,
            3,
            IdTags(lambda id_tag: bytes(8)),
        )
        self.ledger.on_append = self.outbox.appended
        self.ledger.on_renewed = self.outbox.renewed
        self.thinner = Thinner(bench.journal, self.ledger, bench.log, self.path)
        self.thinner.on_thinned = self.outbox.thinned

    def restart(self):
        self.bench.restart(NOON + 1_000_000)
        self.wire()
        self.bench.replay(self.outbox)

    def relieve(self):
        asyncio.run(self.thinner.relieve())

    def read(self, transaction, context=metering.PERIODIC, stop_mask=0):
        """A reading a minute later; False if it was refused."""
        self.bench.advance(60)
        energy = transaction.last_meter + 100
        seq = self.bench.journal.next
        kept = self.ledger.reading(transaction, context, measurement(energy), ENERGY, stop_mask)
        if kept:
            self.written.append(seq)
        return kept

    def start(self, number=1):
        return self.ledger.start(number % 8 + 1, CARD, None, 1000 + number)

    def session(self, number, readings=30, stop_mask=0):
        """A whole transaction while room is made whenever it is short; False if any of it was refused."""
        transaction = self.start(number)
        taken = True
        for _ in range(readings):
            taken = self.read(transaction, stop_mask=stop_mask) and taken
            if self.ledger.is_short():
                self.relieve()
        self.ledger.stop(transaction, transaction.last_meter + 100, "Local", CARD)
        return taken

    def kept(self):
        """{transaction: [(seq, minute) of its readings that are still there]}, oldest first"""
        rows = {}
        for seq, kind, payload in self.bench.journal.records(self.bench.journal.oldest):
            if kind == records.START:
                rows[seq] = []
            elif kind == records.READING:
                number, stamp = records.unpack_reading(payload)[:2]
                rows.setdefault(number, []).append((seq, (stamp - NOON) // 60))
        return rows

    def deliver(self, most=None):
        """Tell all that waits, or so many messages."""

        async def test():
            task = asyncio.create_task(self.outbox.run())
            while self.outbox.depth > 0 and (most is None or len(self.link.sent) < most):
                await settle(20 if most is None else 1)
                time.advance(500)
            task.cancel()
            await settle()

        asyncio.run(test())

    def told(self):
        return len([kind for kind, _ in self.bench.records() if kind in records.TOLD])


class ThinningTest(_Case, unittest.TestCase):
    def setUp(self):
        self.use()

    def fill(self, sessions):
        for number in range(sessions):
            self.assertTrue(self.session(number), "refused in session %d" % number)

    def gaps(self):
        """Minutes between readings of whole transactions, but for those in the newest blocks."""
        gaps = []
        end = self.bench.journal.next - 3 * 30 * MAX_LEVEL
        for rows in self.kept().values():
            minutes = [minute for seq, minute in rows if seq < end]
            gaps += [minutes[i + 1] - minutes[i] for i in range(len(minutes) - 1)]
        return gaps

    def test_twice_as_much_and_more_fits_and_is_even(self):
        self.fill(12)  # it fills up
        before = self.ledger.dropped
        self.assertEqual(before, 0)
        self.assertEqual(set(self.gaps()), {1})
        for number in range(12, 30):
            self.assertTrue(self.session(number))
            gaps = self.gaps()
            self.assertTrue(max(gaps) <= 2 * min(gaps), "%r" % set(gaps))
        self.assertGreater(max(gaps), 1)
        self.assertGreater(self.ledger.dropped, before)

    def test_what_was_dropped_and_what_waits_is_counted(self):
        self.fill(30)
        left = sum([len(rows) for rows in self.kept().values()])
        self.assertEqual(self.ledger.dropped, len(self.written) - left)
        self.assertEqual(self.outbox.depth, self.told())
        self.restart()
        self.assertEqual(self.outbox.depth, self.told())

    def test_starts_stops_and_the_ends_of_readings_stay(self):
        running = self.start()
        self.read(running, metering.BEGIN, ENERGY)
        first = self.written[-1]
        self.fill(30)
        self.read(running, metering.END, ENERGY)
        kinds = [kind for kind, _ in self.bench.records()]
        self.assertEqual((kinds.count(records.START), kinds.count(records.STOP)), (31, 30))
        self.assertEqual([row[0] for row in self.kept()[running.number]], [first, self.written[-1]])

    def test_what_stays_is_told_in_order(self):
        self.fill(30)
        kept = sorted([seq for rows in self.kept().values() for seq, _ in rows])
        self.deliver()
        seqs = [int(row[2].split("-")[1]) for row in self.link.sent]
        self.assertEqual(seqs, sorted(seqs))
        self.assertEqual([seq for seq in seqs if seq in self.written], kept)
        actions = self.link.actions()
        self.assertEqual((actions.count("StartTransaction"), actions.count("StopTransaction")), (30, 30))
        self.assertEqual(self.outbox.depth, 0)
        self.assertFalse(self.ledger.is_filling())

    def test_each_interval_is_thinned_for_itself(self):
        transaction = self.start()
        while not self.ledger.dropped:
            self.assertTrue(self.read(transaction))
            self.assertTrue(self.read(transaction, metering.CLOCK))
            if self.ledger.is_short():
                self.relieve()
        contexts = [records.unpack_reading(payload)[2] for payload in self.bench.of_kind(records.READING)[:30]]
        self.assertTrue(abs(contexts.count(metering.CLOCK) - contexts.count(metering.PERIODIC)) <= 1, contexts)

    def test_a_power_loss_is_billed_by_the_last_reading(self):
        transaction = self.start()
        for _ in range(3):
            self.read(transaction)
        last = transaction.last_meter
        other = self.start(2)
        while self.ledger.dropped < 500:
            self.read(other)
            if self.ledger.is_short():
                self.relieve()
        self.assertFalse(self.written[1] in [row[0] for row in self.kept()[transaction.number]])
        self.restart()
        stops = [records.unpack_stop(payload) for payload in self.bench.of_kind(records.STOP)]
        self.assertEqual([stop[2] for stop in stops if stop[0] == transaction.number], [last])
        self.assertEqual([stop[2] for stop in stops if stop[0] == other.number], [other.last_meter])

    def test_a_meter_that_was_reset_is_billed_by_what_it_had_counted(self):
        transaction = self.start()
        self.ledger.reading(transaction, metering.PERIODIC, measurement(9000), ENERGY, 0)
        while self.ledger.dropped < 300:
            self.bench.advance(60)
            self.ledger.reading(transaction, metering.PERIODIC, measurement(5), ENERGY, 0)
            if self.ledger.is_short():
                self.relieve()
        self.restart()
        self.assertEqual(records.unpack_stop(self.bench.of_kind(records.STOP)[0])[2], 9000)

    def test_answered_readings_that_nobody_wants_go_uncounted(self):
        """One transaction that is not over keeps in the journal what others told long ago."""
        self.start()
        number = 1
        while not self.ledger.is_short():
            transaction = self.start(number)
            for _ in range(20):
                self.read(transaction)
            self.ledger.stop(transaction, 5000, "Local", CARD)
            number += 1
        self.deliver(300)
        self.assertEqual(self.bench.journal.hold, 1)
        self.assertTrue(self.ledger.is_short())
        answered = self.bench.journal.freed
        depth = self.outbox.depth
        before = {seq for rows in self.kept().values() for seq, _ in rows}
        self.relieve()
        self.assertFalse(self.ledger.is_short())
        gone = before - {seq for rows in self.kept().values() for seq, _ in rows}
        self.assertGreater(len([seq for seq in gone if seq <= answered]), 90)
        self.assertEqual(len([seq for seq in gone if seq > answered]), self.ledger.dropped)
        self.assertEqual(depth - self.outbox.depth, self.ledger.dropped)

    def test_a_quiet_or_roomy_journal_is_left_alone(self):
        self.session(0)
        before = self.bench.flash.operations
        self.relieve()
        self.assertEqual(self.bench.flash.operations, before)


class BrimTest(_Case, unittest.TestCase):
    """Filled until it takes nothing more, then told."""

    def setUp(self):
        self.use(blocks=12)

    def test_readings_then_starts_are_refused_and_every_stop_is_stored(self):
        number = 0
        while self.session(number):
            number += 1
            self.assertLess(number, 400)
        self.assertGreater(self.ledger.dropped, len(self.written) // 2)
        self.assertEqual(len(self.bench.log.at("error")), 1)
        self.relieve()
        self.assertTrue(self.ledger.has_room())
        running = []
        with self.assertRaises(JournalFull):
            while True:
                running.append(self.start(number + len(running) + 1))
        self.assertFalse(self.ledger.has_room())
        starts = number + 1 + len(running)
        for transaction in running:
            self.ledger.stop(transaction, 5000, "Remote", CARD)
        self.assertEqual(self.outbox.depth, self.told())
        self.deliver()
        actions = self.link.actions()
        self.assertEqual((actions.count("StartTransaction"), actions.count("StopTransaction")), (starts, starts))
        ends = [row["meterStop"] for row in self.link.payloads("StopTransaction")]
        self.assertEqual(ends[-len(running) :], [5000] * len(running))
        self.assertTrue(self.session(0))
        self.assertFalse(self.ledger.is_filling())

    def test_the_same_across_restarts(self):
        starts = 0
        while starts < 60 and self.ledger.has_room():
            self.session(starts)
            starts += 1
            if starts % 7 == 0:
                self.restart()
        self.restart()
        self.deliver()
        actions = self.link.actions()
        self.assertEqual((actions.count("StartTransaction"), actions.count("StopTransaction")), (starts, starts))
        for row in self.link.payloads("StopTransaction"):
            self.assertGreaterEqual(row["transactionId"], 1000)

    def test_it_is_said_to_be_filling_before_anything_goes(self):
        transaction = self.start()
        while not self.ledger.is_filling():
            self.assertFalse(self.ledger.is_short())
            self.read(transaction)
        self.assertEqual(len(self.bench.log.at("warning")), 1)
        left = 0
        while not self.ledger.is_short():
            self.read(transaction)
            left += 1
        self.assertGreater(left, 10)
        self.assertTrue(self.ledger.has_room_for_readings())
        self.assertEqual(self.ledger.dropped, 0)


class DeliveryTest(_Case, unittest.TestCase):
    """The outbox is at work while the journal is thinned."""

    def setUp(self):
        self.use()

    def fill(self):
        number = 0
        while not self.ledger.is_short():
            transaction = self.start(number)
            for _ in range(20):
                self.read(transaction)
            self.ledger.stop(transaction, 5000, "Local", CARD)
            number += 1
        return number

    def test_the_message_under_way_does_not_vanish(self):
        for ahead in range(1, 9):
            self.use(blocks=12)
            sessions = self.fill()

            async def test(count):
                task = asyncio.create_task(self.outbox.run())
                while len(self.link.sent) < count:
                    await settle(1)
                self.link.gate = asyncio.Event()
                await settle(30)
                under_way = int(self.link.sent[-1][2].split("-")[1])
                await self.thinner.relieve()
                there = [seq for seq, _, _ in self.bench.journal.records()]
                self.assertIn(under_way, there)
                self.link.gate.set()
                self.link.gate = None
                await settle(3)
                task.cancel()
                await settle()

            asyncio.run(test(ahead))
            self.assertGreater(self.ledger.dropped, 0)
            self.assertEqual(self.outbox.depth, self.told_from_first())
            self.deliver()
            self.assertEqual(self.link.actions().count("StopTransaction"), sessions)

    def told_from_first(self):
        return len([kind for _, kind, _ in self.bench.journal.records() if kind in records.TOLD])

    def test_both_at_once(self):
        for pause in range(0, 40, 3):
            self.use(blocks=12)
            sessions = self.fill()

            async def test(count):
                task = asyncio.create_task(self.outbox.run())
                thinning = asyncio.create_task(self.thinner.relieve())
                for _ in range(count):
                    await asyncio.sleep_ms(0)
                self.link.gate = asyncio.Event()
                await settle(2)
                self.link.gate.set()
                self.link.gate = None
                await thinning
                self.assertEqual(self.outbox.depth, self.told_from_first())
                while self.outbox.depth > 0:
                    await settle(10)
                task.cancel()
                await settle()

            asyncio.run(test(pause))
            actions = self.link.actions()
            self.assertEqual((actions.count("StartTransaction"), actions.count("StopTransaction")), (sessions,) * 2)
            self.assertEqual(actions.count("MeterValues") + self.ledger.dropped, len(self.written))
            ids = [row[2] for row in self.link.sent]
            self.assertEqual(len(set(ids)), len(ids))

    def test_what_a_stop_transaction_tells_ends_with_its_last_reading(self):
        transaction = self.start()
        for _ in range(200):
            self.read(transaction, stop_mask=ENERGY)
        self.read(transaction, metering.END, ENERGY)
        self.ledger.stop(transaction, transaction.last_meter, "Local", CARD)
        number = 1
        while not self.ledger.is_short():
            self.session(number, 5)
            number += 1

        async def test():
            task = asyncio.create_task(self.outbox.run())
            while len(self.link.payloads("MeterValues")) < 201:
                await settle(1)
            thinning = asyncio.create_task(self.thinner.relieve())
            while not self.link.payloads("StopTransaction"):
                await settle(1)
            await thinning
            task.cancel()

        asyncio.run(test())
        data = self.link.payloads("StopTransaction")[0]["transactionData"]
        self.assertEqual(data[-1]["sampledValue"][0]["value"], str(transaction.last_meter))
        stamps = [row["timestamp"] for row in data]
        self.assertEqual(stamps, sorted(stamps))
        self.assertEqual(len(set(stamps)), len(stamps))


class CountTest(_Case, unittest.TestCase):
    """The number of readings dropped outlives a restart."""

    path = PATH

    def setUp(self):
        self.flash = ramdisk.mount()
        self.use(blocks=12)

    def tearDown(self):
        ramdisk.unmount()

    def test_it_is_kept_and_written_only_when_it_has_changed(self):
        for number in range(20):
            self.session(number)
        dropped = self.ledger.dropped
        self.assertGreater(dropped, 10)
        self.thinner.store()
        before = self.flash.operations
        self.thinner.store()
        self.assertEqual(self.flash.operations, before)
        self.restart()
        self.assertEqual(self.ledger.dropped, dropped)

    def test_a_file_that_is_none(self):
        atomic.replace_json(PATH, ["many"])
        self.restart()
        self.assertEqual(self.ledger.dropped, 0)

    def test_a_file_system_that_takes_nothing(self):
        self.ledger.dropped = 3
        self.flash.fail(1)
        self.thinner.store()
        self.assertEqual(len(self.bench.log.at("error")), 1)

    def test_the_task(self):
        """It thins within a second or two, and writes the count once a minute."""
        transaction = self.start()
        while not self.ledger.is_short():
            self.read(transaction)

        async def test():
            task = asyncio.create_task(self.thinner.run())
            moved = 0
            while moved < 70_000:
                await settle(4)
                time.advance(500)
                moved += 500
                if moved == 5000:
                    self.assertGreater(self.ledger.dropped, 0)
                    self.assertIsNone(atomic.load_json(PATH, self.bench.log))
                await settle(200)
            task.cancel()

        asyncio.run(test())
        self.assertEqual(atomic.load_json(PATH, self.bench.log), self.ledger.dropped)


class AgreementTest(unittest.TestCase):
    def test_the_index_is_as_wide_as_there_are_levels(self):
        self.assertEqual(records.INDICES, 1 << MAX_LEVEL)
