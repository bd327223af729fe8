"""A charging transaction, and the ledger that writes what happens in it to the journal before anyone is told.

`Ledger.start`, `reading` and `stop` return when the record is in flash; what the backend hears later is made from
these records. A power cut leaves a transaction without its STOP: at the next boot `replay` finds it and `recover`
writes the STOP that is missing, with reason PowerLoss and the last stored reading (OCPP 1.6 §4.10, §7.36).

When the journal fills, readings give way first. With less than a quarter left it is filling, and the backend is
warned; with less than a sixth `thinner` leaves some of them out; with less than an eighth new ones are refused.
`dropped` counts both. A START is refused only when it and its STOP would not fit, so the STOP of a transaction that
began always has its place.
"""

from micropython import const

from station import measurands
from station.charging import metering, records
from station.storage.journal import JournalFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.clock import Clock
    from station.log import Log
    from station.storage.journal import Journal

# bytes of flash, for the longest records: id tags have 20 characters, of 4 bytes each at most
_STOP_ROOM = const(256)  # a STOP, a STARTED, a last reading
_START_ROOM = const(192)
_READING_ROOM = const(96)
_READINGS_SHARE = const(8)  # readings are refused when less than 1/8 of the journal is left,
_SHORT_PERCENT = const(133)  # thinned when less than this part of that is left,
_FILLING_PERCENT = const(200)  # and at this the journal is said to be filling,
_RELIEVED_PERCENT = const(220)  # until there is so much again
_RENEW_AFTER = const(64)  # answered records kept for a transaction's sake; with more it moves when room is short


class Transaction:
    """One transaction. `number` names it on this board (the sequence number of its START record), for ever;
    `transaction_id` names it at the backend: None until StartTransaction is answered, -1 if that never was."""

    def __init__(self, number, seq, connector_id, id_tag, parent_id_tag, meter_start, stamp):
        self.number = number
        self.seq = seq  # of the START or RENEWED that still stands in the journal
        self.connector_id = connector_id
        self.id_tag = id_tag
        self.parent_id_tag = parent_id_tag
        self.meter_start = meter_start  # Wh
        self.stamp = stamp
        self.transaction_id = None
        self.accepted = True  # what the backend said of the card in StartTransaction.conf
        self.last_meter = meter_start  # Wh, the newest stored reading
        self.last_stamp = stamp
        self.last_seq = self.highest_seq = 0  # the readings that these two are from
        self._counts = [0, 0]  # readings of the contexts PERIODIC and CLOCK

    def has_read(self, meter_wh: int, stamp: int, seq: int) -> None:
        """A reading is stored. What was counted stays counted, though a meter that was reset shows less."""
        if meter_wh >= self.last_meter:
            self.last_meter = meter_wh
            self.highest_seq = seq
        self.last_stamp = stamp
        self.last_seq = seq

    def next_index(self, context: int) -> int:
        """Readings at intervals are counted, each kind for itself; others are 0, which stays for ever."""
        if context > metering.CLOCK:
            return 0
        self._counts[context] += 1
        return self._counts[context]


class Ledger:
    """The journal as the transactions see it. `on_append(kind)` is called after each record, `on_renewed(number, seq)`
    when a START has been written again nearer the head."""

    def __init__(self, journal: "Journal", clock: "Clock", log: "Log") -> None:
        self._journal = journal
        self._clock = clock
        self._log = log
        self._running: dict[int, Transaction] = {}  # number -> Transaction, at most one a connector
        self._clock_record_due = False
        self._filling = self._refusing = False
        self.on_append: Callable[[int], None] = None
        self.on_renewed: Callable[[int, int], None] = None
        self.dropped = 0  # readings
        clock.on_set(self._clock_set)

    # --- at boot

    def replay(self, seq: int, kind: int, payload) -> None:
        """Take in one record of an earlier life, oldest first."""
        if kind in (records.START, records.RENEWED):
            number, stamp, meter_wh, _, connector_id, id_tag, parent_id_tag = records.unpack_start(payload)
            number = number or seq
            self._clock.seen(stamp)
            if number in self._running:  # RENEWED, and what came before it is still there: the readings too
                self._running[number].seq = seq
            else:
                self._running[number] = Transaction(number, seq, connector_id, id_tag, parent_id_tag, meter_wh, stamp)
        elif kind == records.READING:
            number, stamp, _, _, _, values = records.unpack_reading(payload)
            self._clock.seen(stamp)
            if number in self._running:
                self._running[number].has_read(values[0], stamp, seq)
        elif kind == records.STARTED:
            number, transaction_id, accepted = records.unpack_started(payload)
            self.started(number, transaction_id, accepted)
        elif kind == records.STOP:
            self._clock.seen(records.unpack_stop(payload)[1])
            self._running.pop(records.number_of(payload), None)
        elif kind == records.CLOCK:
            self._clock.learn(*records.unpack_clock(payload))

    def recover(self) -> None:
        """Stop, with reason PowerLoss, every transaction that the journal shows running."""
        for transaction in list(self._running.values()):
            self._log.warning(
                "ledger",
                "transaction %d of connector %d was cut off by a power loss at %d Wh",
                transaction.number,
                transaction.connector_id,
                transaction.last_meter,
            )
            try:
                self._write_stop(transaction, transaction.last_stamp, transaction.last_meter, "PowerLoss", None)
            except (JournalFull, OSError) as error:
                self._log.error("ledger", "its end cannot be stored before the next start: %s", error)

    # --- while running

    def has_room(self) -> bool:
        """May another transaction begin? Only if its START and every STOP still to come fit."""
        return self._journal.room() >= self._transaction_room()

    def has_room_for_readings(self) -> bool:
        return self._journal.room() >= self._readings_floor() + _READING_ROOM

    def is_short(self) -> bool:
        """Must readings be thinned?"""
        return self._journal.room() < self._readings_floor() * _SHORT_PERCENT // 100

    def is_filling(self) -> bool:
        """Is the journal about to run short?"""
        percent = _RELIEVED_PERCENT if self._filling else _FILLING_PERCENT
        room = self._journal.room()
        filling = room < self._readings_floor() * percent // 100
        if filling and not self._filling:
            self._log.warning("ledger", "the journal is filling: %d of %d bytes left", room, self._journal.capacity)
        self._filling = filling
        return filling

    def needs(self, number: int, seq: int) -> bool:
        """Is this reading what a PowerLoss would be billed by?"""
        transaction = self._running.get(number)
        return transaction is not None and seq in (transaction.last_seq, transaction.highest_seq)

    def start(self, connector_id: int, id_tag: str, parent_id_tag, meter_wh: int) -> Transaction:
        """Write START and return the transaction. Raises JournalFull, OSError: then no transaction began."""
        self._make_room()
        if not self.has_room():
            raise JournalFull("no room for a transaction: %d bytes left" % self._journal.room())
        stamp = self._stamp()
        payload = records.pack_start(0, stamp, meter_wh, -1, connector_id, id_tag, parent_id_tag)
        seq = self._append(records.START, payload)
        transaction = Transaction(seq, seq, connector_id, id_tag, parent_id_tag, meter_wh, stamp)
        self._running[seq] = transaction
        return transaction

    def reading(self, transaction, context: int, measurement, mask: int, stop_mask: int) -> bool:
        """Write a reading of the measurands in `mask` (to report) and `stop_mask` (to tell in StopTransaction).

        False if it was given up for lack of room; the transaction goes on.
        """
        if not mask and not stop_mask:
            return True
        self._make_room()
        index = transaction.next_index(context)
        if not self.has_room_for_readings():
            if not self._refusing:
                self._log.error("ledger", "the journal is full: readings are given up from now on")
            self._refusing = True
            self.dropped += 1
            return False
        self._refusing = False
        stamp = self._stamp()
        values = measurands.select(records.stored_mask(mask, stop_mask), measurement)
        payload = records.pack_reading(transaction.number, stamp, context, mask, stop_mask, values, index)
        transaction.has_read(values[0], stamp, self._append(records.READING, payload))
        return True

    def stop(self, transaction, meter_wh: int, reason: str, id_tag) -> None:
        """Write STOP. Raises JournalFull or OSError only if the flash itself fails; then call again later."""
        self._write_stop(transaction, self._stamp(), meter_wh, reason, id_tag)

    def started(self, number: int, transaction_id: int, accepted: bool) -> "Transaction | None":
        """The backend has answered a transaction's StartTransaction; returns it if it still runs."""
        transaction = self._running.get(number)
        if transaction:
            transaction.transaction_id = transaction_id
            transaction.accepted = accepted
        return transaction

    def _write_stop(self, transaction, stamp, meter_wh, reason, id_tag) -> None:
        payload = records.pack_stop(transaction.number, stamp, meter_wh, reason, transaction.connector_id, id_tag)
        self._append(records.STOP, payload)
        self._running.pop(transaction.number, None)

    def _append(self, kind: int, payload: bytes) -> int:
        seq = self._journal.append(kind, payload)
        if self.on_append:
            self.on_append(kind)
        return seq

    # --- time

    def _stamp(self) -> int:
        if not self._clock.is_set:
            self._clock_record_due = True
        return self._clock.stamp()

    def _clock_set(self) -> None:
        """Records that bear uptimes: write down what they mean, for a boot that reads them later.

        What had to be guessed is written as well: a message that is sent again must say what it said before.
        """
        bases = self._clock.guess()
        if self._clock_record_due:
            bases.append((self._clock.boot, self._clock.base))
        try:
            for boot, base in bases:
                self._append(records.CLOCK, records.pack_clock(boot, base))
        except (JournalFull, OSError) as error:
            self._log.error("ledger", "times of before the clock was set may be guessed anew: %s", error)

    # --- room

    def _transaction_room(self) -> int:
        """Bytes for one more START, its STOP and every STOP still to come."""
        return _START_ROOM + _STOP_ROOM * (len(self._running) + 1)

    def _readings_floor(self) -> int:
        return max(self._journal.capacity // _READINGS_SHARE, self._transaction_room())

    def _make_room(self) -> None:
        """A transaction that runs for weeks must not hold the whole ring: write its START again at the head.

        That comes before anybody is warned. The readings kept for its StopTransaction are given up with the old place.
        """
        if self._journal.room() >= self._readings_floor() * _FILLING_PERCENT // 100 + _START_ROOM:
            return
        for transaction in self._running.values():
            if self._journal.freed - transaction.seq > _RENEW_AFTER:
                self._renew(transaction)

    def _renew(self, transaction) -> None:
        payload = records.pack_start(
            transaction.number,
            transaction.stamp,
            transaction.meter_start,
            -1,
            transaction.connector_id,
            transaction.id_tag,
            transaction.parent_id_tag,
        )
        transaction.seq = self._append(records.RENEWED, payload)
        if transaction.transaction_id is not None:
            payload = records.pack_started(transaction.number, transaction.transaction_id, transaction.accepted)
            self._append(records.STARTED, payload)
        # told nowhere: what a PowerLoss would be billed by
        payload = records.pack_reading(
            transaction.number, transaction.last_stamp, metering.OTHER, 0, 0, (transaction.last_meter,)
        )
        transaction.last_seq = transaction.highest_seq = self._append(records.READING, payload)
        self._log.info("ledger", "transaction %d moved to the head of the journal", transaction.number)
        if self.on_renewed:
            self.on_renewed(transaction.number, transaction.seq)
