"""The ledger: what happens in a transaction is on flash before anyone hears of it, and a power cut ends it well."""

import unittest

from charging_fakes import NOON, Bench
from flashes import WAYS, PowerCut
from station import measurands
from station.charging import metering, records
from station.storage.journal import JournalFull

ENERGY = measurands.mask_of("Energy.Active.Import.Register", 3)
ALL = (1 << len(measurands.MEASURANDS)) - 1


def measurement(energy):
    return (energy, 11000, 16000, 15900, 15800, 2301, 2302, 2303, 4998, 160)


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.use(Bench())

    def use(self, bench):
        self.bench = bench
        self.appended = []
        self.wire()

    def wire(self):
        self.ledger = self.bench.ledger
        self.ledger.on_append = self.appended.append

    def restart(self, epoch=0):
        self.bench.restart(epoch)
        self.wire()
        self.bench.replay()

    def start(self, connector_id=1, energy=1000):
        return self.ledger.start(connector_id, "CARD1", "GROUP", energy)

    # --- the records of a transaction

    def test_a_transaction_in_records(self):
        transaction = self.start()
        self.bench.advance(60)
        self.assertTrue(self.ledger.reading(transaction, metering.PERIODIC, measurement(1200), ENERGY, 0))
        self.bench.advance(60)
        self.ledger.stop(transaction, 1500, "Local", "CARD1")
        kinds = [kind for kind, _ in self.bench.records()]
        self.assertEqual(kinds, [records.START, records.READING, records.STOP])
        self.assertEqual(self.appended, kinds)
        start, reading, stop = [payload for _, payload in self.bench.records()]
        self.assertEqual(records.unpack_start(start), (0, NOON, 1000, -1, 1, "CARD1", "GROUP"))
        self.assertEqual(
            records.unpack_reading(reading), (transaction.number, NOON + 60, metering.PERIODIC, ENERGY, 0, (1200,))
        )
        self.assertEqual(records.unpack_stop(stop), (transaction.number, NOON + 120, 1500, "Local", 1, "CARD1"))

    def test_its_number_is_that_of_its_start_record(self):
        first, second = self.start(1), self.start(2)
        self.assertEqual((first.number, second.number), (1, 2))
        self.assertIsNone(first.transaction_id)

    def test_a_reading_of_nothing_is_not_written(self):
        transaction = self.start()
        self.assertTrue(self.ledger.reading(transaction, metering.PERIODIC, measurement(1200), 0, 0))
        self.assertEqual(len(self.bench.records()), 1)

    def test_a_reading_for_the_end_only(self):
        transaction = self.start()
        power = measurands.mask_of("Power.Active.Import", 3)
        self.assertTrue(self.ledger.reading(transaction, metering.BEGIN, measurement(1000), 0, power))
        self.assertEqual(
            records.unpack_reading(self.bench.of_kind(records.READING)[0])[2:],
            (metering.BEGIN, 0, power, (1000, 11000)),
        )

    def test_started_tells_whoever_still_runs(self):
        transaction = self.start()
        self.assertIs(self.ledger.started(transaction.number, 4711, False), transaction)
        self.assertEqual((transaction.transaction_id, transaction.accepted), (4711, False))
        self.ledger.stop(transaction, 1000, "Local", None)
        self.assertIsNone(self.ledger.started(transaction.number, 4711, True))

    # --- power cuts

    def test_a_power_cut_ends_with_power_loss_and_the_last_stored_reading(self):
        transaction = self.start()
        self.bench.advance(60)
        self.ledger.reading(transaction, metering.PERIODIC, measurement(1200), ENERGY, 0)
        self.bench.advance(30)
        self.restart()
        stop = records.unpack_stop(self.bench.of_kind(records.STOP)[0])
        self.assertEqual(stop, (transaction.number, NOON + 60, 1200, "PowerLoss", 1, None))
        self.assertEqual(len(self.bench.log.at("warning")), 1)

    def test_without_a_reading_it_ends_as_it_began(self):
        transaction = self.start()
        self.restart()
        stop = records.unpack_stop(self.bench.of_kind(records.STOP)[0])
        self.assertEqual(stop, (transaction.number, NOON, 1000, "PowerLoss", 1, None))

    def test_recovered_once_only(self):
        self.start()
        self.restart()
        self.restart()
        self.assertEqual(len(self.bench.of_kind(records.STOP)), 1)

    def test_what_ended_is_left_alone(self):
        self.ledger.stop(self.start(), 1500, "Remote", None)
        self.restart()
        self.assertEqual(len(self.bench.of_kind(records.STOP)), 1)
        self.assertEqual(records.unpack_stop(self.bench.of_kind(records.STOP)[0])[3], "Remote")

    def test_each_of_several_is_recovered_with_its_own_reading(self):
        one, two = self.start(1, 1000), self.start(2, 2000)
        self.ledger.reading(two, metering.PERIODIC, measurement(2300), ENERGY, 0)
        self.ledger.reading(one, metering.PERIODIC, measurement(1100), ENERGY, ALL)
        self.restart()
        stops = [records.unpack_stop(payload) for payload in self.bench.of_kind(records.STOP)]
        ends = sorted([(stop[0], stop[2], stop[4]) for stop in stops])
        self.assertEqual(ends, [(one.number, 1100, 1), (two.number, 2300, 2)])

    def test_a_cut_at_every_write_leaves_a_story_with_one_end(self):
        for way in WAYS:
            for operation in range(1, 6):
                self.use(Bench())
                self.bench.journal.append(records.CLOCK, records.pack_clock(1, NOON))  # the block is entered
                self.bench.flash.cut(operation, way)
                done = []
                try:
                    transaction = self.start()
                    done.append("start")
                    self.ledger.reading(transaction, metering.PERIODIC, measurement(1200), ENERGY, 0)
                    done.append("reading")
                    self.ledger.stop(transaction, 1500, "Local", "CARD1")
                    done.append("stop")
                except PowerCut:
                    pass
                self.restart()
                self.check_story(done, "%s at %d, after %r" % (way, operation, done))

    def check_story(self, done, when):
        starts, stops = self.bench.of_kind(records.START), self.bench.of_kind(records.STOP)
        if "start" in done:
            self.assertEqual(len(starts), 1, when)
        self.assertEqual(len(stops), len(starts), when)
        for payload in stops:
            _, _, meter_wh, reason, _, _ = records.unpack_stop(payload)
            if "stop" in done:
                self.assertEqual((meter_wh, reason), (1500, "Local"), when)
            elif reason == "PowerLoss":
                least = 1200 if "reading" in done else 1000
                self.assertIn(meter_wh, (least, 1200), when)

    def test_a_flash_that_takes_no_end_at_boot_does_not_keep_the_station_down(self):
        transaction = self.start()
        self.bench.restart()
        self.wire()

        def refuse(kind, payload):
            raise OSError(5)

        append, self.bench.journal.append = self.bench.journal.append, refuse
        self.bench.replay()
        self.assertEqual(len(self.bench.log.at("error")), 1)
        self.bench.journal.append = append
        self.restart()
        self.assertEqual(records.unpack_stop(self.bench.of_kind(records.STOP)[0])[0], transaction.number)

    # --- time

    def test_records_before_the_clock_was_set_are_explained_once_it_is(self):
        self.use(Bench(epoch=0))
        self.bench.advance(10)
        transaction = self.start()
        self.bench.advance(10)
        self.bench.clock.set(NOON)
        clock = self.bench.of_kind(records.CLOCK)
        self.assertEqual([records.unpack_clock(payload) for payload in clock], [(1, NOON - 20)])
        self.ledger.stop(transaction, 1500, "Local", None)
        self.restart(NOON + 1000)
        stamp = records.stamp_of(self.bench.of_kind(records.START)[0])
        self.assertEqual(self.bench.clock.resolve(stamp), NOON - 10)

    def test_a_clock_that_was_never_needed_is_not_written_down(self):
        self.use(Bench(epoch=0))
        self.bench.clock.set(NOON)
        self.start()
        self.assertEqual(self.bench.of_kind(records.CLOCK), [])

    def test_a_boot_that_never_heard_the_time_is_put_before_the_next(self):
        self.use(Bench(epoch=0))
        self.bench.advance(100)
        transaction = self.start()
        self.bench.advance(500)
        self.ledger.reading(transaction, metering.PERIODIC, measurement(1200), ENERGY, 0)
        self.restart()
        self.bench.clock.set(NOON)
        start = self.bench.clock.resolve(records.stamp_of(self.bench.of_kind(records.START)[0]))
        stop = self.bench.clock.resolve(records.stamp_of(self.bench.of_kind(records.STOP)[0]))
        self.assertEqual(stop - start, 500)
        self.assertLess(stop, NOON)

    def test_what_was_guessed_of_a_time_is_not_guessed_anew(self):
        """The StartTransaction may have gone out, and may go out again."""
        self.use(Bench(epoch=0))
        self.bench.advance(100)
        self.start()
        self.restart()
        self.bench.advance(30)
        self.bench.clock.set(NOON)
        guessed = self.bench.clock.resolve(records.stamp_of(self.bench.of_kind(records.START)[0]))
        self.bench.clock.set(NOON + 600)
        for _ in range(3):
            self.assertEqual(self.bench.clock.resolve(records.stamp_of(self.bench.of_kind(records.START)[0])), guessed)
            self.restart()
            self.bench.advance(7)
            self.bench.clock.set(NOON + 1000)
        self.assertEqual(len(self.bench.of_kind(records.CLOCK)), 1)

    def test_a_flash_that_does_not_take_the_time_does_not_keep_it_from_the_clock(self):
        self.use(Bench(epoch=0))
        self.start()

        def refuse(kind, payload):
            raise OSError(5)

        self.bench.journal.append = refuse
        self.bench.clock.set(NOON)
        self.assertTrue(self.bench.clock.is_set)
        self.assertEqual(len(self.bench.log.at("error")), 1)


class RoomTest(unittest.TestCase):
    """What gives way when the journal fills, and in which order."""

    def setUp(self):
        self.bench = Bench(blocks=4, block_size=1024)
        self.ledger = self.bench.ledger

    def fill_with_readings(self, transaction):
        count = 0
        while self.ledger.reading(transaction, metering.PERIODIC, measurement(1000 + count), ENERGY, 0):
            count += 1
            self.assertLess(count, 1000)
        return count

    def test_readings_give_way_first_and_are_counted(self):
        transaction = self.ledger.start(1, "CARD1", None, 1000)
        self.assertGreater(self.fill_with_readings(transaction), 10)
        self.assertFalse(self.ledger.has_room_for_readings())
        self.assertEqual(self.ledger.dropped, 1)
        for _ in range(5):
            self.ledger.reading(transaction, metering.PERIODIC, measurement(2000), ENERGY, 0)
        self.assertEqual(self.ledger.dropped, 6)
        self.assertEqual(len(self.bench.log.at("error")), 1, "the log says it once")

    def test_a_start_finds_room_when_readings_do_not(self):
        transaction = self.ledger.start(1, "CARD1", None, 1000)
        self.fill_with_readings(transaction)
        self.assertTrue(self.ledger.has_room())
        self.ledger.start(2, "CARD2", None, 1000)

    def test_a_start_is_refused_before_a_stop_would_be(self):
        running = []
        while self.ledger.has_room():
            running.append(self.ledger.start(len(running) % 8 + 1, "12345678901234567890", "12345678901234567890", 1))
            self.assertLess(len(running), 200)
        with self.assertRaises(JournalFull):
            self.ledger.start(1, "CARD", None, 1)
        for transaction in running:
            self.ledger.stop(transaction, 2, "EVDisconnected", "12345678901234567890")
        stops = [payload for kind, payload in self.bench.records() if kind == records.STOP]
        self.assertEqual(len(stops), len(running))

    def test_the_longest_id_tags_find_room_too(self):
        longest = chr(0x1F50C) * 20
        running = []
        while self.ledger.has_room():
            running.append(self.ledger.start(len(running) % 8 + 1, longest, longest, 1))
            self.bench.journal.append(records.STARTED, records.pack_started(running[-1].number, 1, True))
        for transaction in running:
            self.ledger.stop(transaction, 2, "EVDisconnected", longest)
        self.assertEqual(len(self.bench.of_kind(records.STOP)), len(running))

    def test_every_stop_finds_room_though_the_power_fails_first(self):
        running = []
        while self.ledger.has_room():
            running.append(self.ledger.start(len(running) % 8 + 1, "CARD", None, 1))
        self.bench.restart()
        self.bench.replay()
        self.assertEqual(len(self.bench.of_kind(records.STOP)), len(running))

    def test_once_told_there_is_room_again(self):
        transaction = self.ledger.start(1, "CARD1", None, 1000)
        self.fill_with_readings(transaction)
        self.bench.journal.free(self.bench.journal.next - 1)
        self.assertTrue(self.ledger.has_room_for_readings())
        self.assertTrue(self.ledger.reading(transaction, metering.PERIODIC, measurement(2000), ENERGY, 0))


class RenewTest(unittest.TestCase):
    """A transaction that runs for weeks while all that it tells is answered."""

    def setUp(self):
        self.bench = Bench(blocks=4, block_size=4096)
        self.ledger = self.bench.ledger
        self.renewed = []
        self.hold = True
        self.ledger.on_renewed = self.on_renewed

    def on_renewed(self, number, seq):
        self.renewed.append((number, seq))
        self.bench.journal.hold = seq

    def run_long(self, transaction, readings=1500, answered=True):
        """The backend answers everything at once; the outbox holds the journal from the transaction's start on."""
        self.bench.journal.free(transaction.seq)
        self.bench.journal.hold = transaction.seq
        self.ledger.started(transaction.number, 4711, False)
        self.bench.journal.append(records.STARTED, records.pack_started(transaction.number, 4711, False))
        energy = transaction.meter_start
        for _ in range(readings):
            energy += 10
            self.bench.advance(60)
            kept = self.ledger.reading(transaction, metering.PERIODIC, measurement(energy), ENERGY, ENERGY)
            self.assertTrue(kept, "a reading was given up though all is answered")
            self.bench.journal.free(self.bench.journal.next - 1)
        return energy

    def test_moves_to_the_head_and_nothing_is_dropped(self):
        transaction = self.ledger.start(1, "CARD1", "GROUP", 1000)
        number = transaction.number
        self.run_long(transaction)
        self.assertGreater(len(self.renewed), 0)
        self.assertEqual({row[0] for row in self.renewed}, {number})
        self.assertEqual(transaction.number, number)
        self.assertEqual(self.ledger.dropped, 0)

    def test_a_power_cut_after_it_moved_finds_all_that_was_known(self):
        transaction = self.ledger.start(1, "CARD1", "GROUP", 1000)
        energy = self.run_long(transaction)
        self.assertEqual(self.bench.of_kind(records.START), [], "its first record is gone")
        self.bench.restart()
        self.bench.replay()
        stop = records.unpack_stop(self.bench.of_kind(records.STOP)[-1])
        self.assertEqual(stop[:5], (transaction.number, transaction.last_stamp, energy, "PowerLoss", 1))

    def test_a_power_cut_right_after_it_moved_loses_no_energy(self):
        transaction = self.ledger.start(1, "CARD1", "GROUP", 1000)
        self.run_long(transaction, 100)
        known = transaction.last_meter, transaction.last_stamp
        while not self.renewed:
            self.bench.advance(60)
            self.ledger.reading(transaction, metering.PERIODIC, measurement(transaction.last_meter + 10), ENERGY, 0)
            if not self.renewed:
                known = transaction.last_meter, transaction.last_stamp
            self.bench.journal.free(self.bench.journal.next - 1)
        # the cut comes before the reading for whose sake it moved: take that away
        self.bench.restart()
        kept = [row for row in self.bench.journal.records(self.bench.journal.oldest) if row[1] == records.RENEWED]
        renewed = kept[-1][0]
        for seq, kind, payload in self.bench.journal.records(self.bench.journal.oldest):
            if kind == records.READING and seq > renewed and records.unpack_reading(payload)[5][0] > known[0]:
                break
            self.bench.ledger.replay(seq, kind, payload)
        self.bench.ledger.recover()
        stop = records.unpack_stop(self.bench.of_kind(records.STOP)[-1])
        self.assertEqual((stop[2], stop[1]), known)

    def test_it_does_not_move_before_its_start_was_answered(self):
        transaction = self.ledger.start(1, "CARD1", None, 1000)
        for _ in range(400):
            if not self.ledger.reading(transaction, metering.PERIODIC, measurement(2000), ENERGY, 0):
                break
        self.assertEqual(self.renewed, [])
