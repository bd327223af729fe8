"""The events of transactions, turned into messages and kept until the backend has answered (OCPP 1.6 §3.7).

The journal is the queue: a message is made from its record when it is sent, in order, one after the other, and
the record is freed when the answer is in. Each message has an id made of the journal's own number and the
record's, so a backend that gets one twice after a crash can tell. A message that the backend refuses or does not
answer is sent again, TransactionMessageAttempts times in all, after TransactionMessageRetryInterval times the
number of attempts made, which then stands behind its id; then it is given up, and the log has its content. A lost
connection is no attempt.

A power cut may lose that a MeterValues was answered (it is sent again, with its id); that of a StartTransaction
and of a StopTransaction is written down at once.
"""

import asyncio

from micropython import const

from station.charging import records
from station.ocpp import meter_values
from station.ocpp.calls import LinkError, NotConnected
from station.storage.journal import JournalFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.charging.authorization import Authorization
    from station.charging.charge_point import ChargePoint
    from station.clock import Clock
    from station.log import Log
    from station.ocpp.id_tags import IdTags
    from station.ocpp.link import Link
    from station.settings import Settings
    from station.storage.journal import Journal

ACTIONS = {  # of records.TOLD
    records.START: "StartTransaction",
    records.READING: "MeterValues",
    records.STOP: "StopTransaction",
}
_MAX_STOP_VALUES = const(100)  # SampledValues in one transactionData; beyond, readings are left out evenly
_LONGEST_WAIT_S = const(86400)  # an interval that grows for ever outgrows a timer
_SCAN_PAUSE = const(32)  # records looked at before others get their turn


class _Open:
    """A transaction whose START was answered and whose STOP was not: at most a few at any time."""

    def __init__(self, seq: int, connector_id: int) -> None:
        self.seq = seq  # of its START or RENEWED: from here on the journal keeps what its STOP needs
        self.connector_id = connector_id
        self.transaction_id = records.NO_ID


class Outbox:
    """`depth`: messages that wait. `charge_point` and `authorization` hear the backend's answers."""

    def __init__(
        self,
        journal: "Journal",
        link: "Link",
        charge_point: "ChargePoint",
        authorization: "Authorization",
        settings: "Settings",
        clock: "Clock",
        log: "Log",
        phases: int,
        id_tags: "IdTags",
    ) -> None:
        self._journal = journal
        self._link = link
        self._charge_point = charge_point
        self._authorization = authorization
        self._settings = settings
        self._clock = clock
        self._log = log
        self._phases = phases
        self._id_tags = id_tags
        self._open: dict[int, _Open] = {}  # number -> _Open
        self._attempts = 0
        self._woken = asyncio.Event()
        self.depth = 0

    # --- the journal's side

    def replay(self, seq: int, kind: int, payload) -> None:
        """Take in one record of an earlier life, oldest first."""
        answered = seq <= self._journal.freed
        if kind == records.START and answered:
            self._open[seq] = _Open(seq, records.unpack_start(payload)[4])
        elif kind == records.STARTED:
            number, transaction_id, _ = records.unpack_started(payload)
            if number in self._open:
                self._open[number].transaction_id = transaction_id
        elif kind == records.RENEWED:
            number = records.number_of(payload)
            if number not in self._open:
                self._open[number] = _Open(seq, records.unpack_start(payload)[4])
            self._open[number].seq = seq
        elif kind == records.STOP and answered:
            self._open.pop(records.number_of(payload), None)
        if kind in ACTIONS and not answered:
            self.depth += 1
        self._hold()

    def appended(self, kind: int) -> None:
        """A record was written."""
        if kind in ACTIONS:
            self.depth += 1
            self._woken.set()

    def renewed(self, number: int, seq: int) -> None:
        """A running transaction's START was written again at `seq`."""
        if number in self._open:
            self._open[number].seq = seq
            self._hold()

    def thinned(self, count: int) -> None:
        """So many of the messages that wait were left out for want of room; the one under way is not among them."""
        self.depth -= count

    def oldest(self) -> str:
        """Date-time of the oldest message that waits, "" if none does."""
        found = self._next()
        return self._clock.iso(records.stamp_of(found[2])) if found else ""

    def _hold(self) -> None:
        self._journal.hold = min([row.seq for row in self._open.values()]) if self._open else None

    def _next(self) -> "tuple[int, int, bytes] | None":
        """The first record after the answered ones that is a message: (seq, kind, payload)."""
        for seq, kind, payload in self._journal.records(self._journal.freed + 1):
            if kind in ACTIONS:
                return seq, kind, bytes(payload)
        return None

    # --- the backend's side

    async def run(self) -> None:
        """Send what waits, for as long as there is a connection. Raises LinkError when it is lost."""
        while True:
            self._woken.clear()
            for seq, kind, payload in self._journal.records(self._journal.freed + 1):
                if kind in ACTIONS:
                    await self._deliver(seq, kind, bytes(payload))
            self.depth = 0  # though a record should have been lost
            await self._woken.wait()

    async def _deliver(self, seq: int, kind: int, payload: bytes) -> None:
        action = ACTIONS[kind]
        if kind == records.START:
            message = self._start_message(payload)
        elif kind == records.READING:
            message = self._reading_message(payload)
        else:
            message = await self._stop_message(seq, payload)
        answer = await self._send(seq, action, message) if message else None
        self._attempts = 0
        self.depth -= 1
        if kind == records.START:
            self._started(seq, payload, answer)
        self._journal.free(seq)
        if kind == records.STOP:
            self._stopped(payload, answer)

    async def _send(self, seq: int, action: str, message: dict) -> "dict | None":
        """The answer, or None if the message was given up."""
        while True:
            unique_id = "%08x-%d" % (self._journal.salt, seq)
            if self._attempts:
                unique_id += ".%d" % self._attempts  # on one connection no id is used twice (OCPP-J 1.6 §4.1.4)
            try:
                return await self._link.call(action, message, unique_id)
            except NotConnected:
                raise
            except LinkError as error:
                if not self._link.connected:
                    raise
                self._attempts += 1
                if self._attempts >= self._settings["TransactionMessageAttempts"]:
                    self._log.error("outbox", "%s %s given up after %s: %s", action, unique_id, error, message)
                    return None
                wait = min(self._settings["TransactionMessageRetryInterval"] * self._attempts, _LONGEST_WAIT_S)
                self._log.warning("outbox", "%s %s: %s; again in %d s", action, unique_id, error, wait)
            await asyncio.sleep(wait)

    def _started(self, seq: int, payload: bytes, answer: "dict | None") -> None:
        """StartTransaction was answered, or given up: then the transaction goes on as number -1."""
        start = records.unpack_start(payload)
        row = _Open(seq, start[4])
        accepted, parent_id_tag = True, None
        if answer:
            info = self._id_tags.info(answer["idTagInfo"])
            row.transaction_id = answer["transactionId"]
            accepted, parent_id_tag = info.accepted, info.parent_id_tag
            self._authorization.learn(start[5], info)
        self._open[seq] = row
        self._hold()
        try:
            # nothing may free the START that does not also tell its number: see Journal.append
            self._journal.append(records.STARTED, records.pack_started(seq, row.transaction_id, accepted), seq)
        except (JournalFull, OSError) as error:
            self._log.error("outbox", "the number of transaction %d does not outlive a restart: %s", seq, error)
        self._charge_point.judged(seq, row.transaction_id, accepted, parent_id_tag)

    def _stopped(self, payload: bytes, answer: "dict | None") -> None:
        number, _, _, _, _, id_tag = records.unpack_stop(payload)
        self._open.pop(number, None)
        self._hold()
        self._journal.sync()
        if answer and id_tag and "idTagInfo" in answer:
            self._authorization.learn(id_tag, self._id_tags.info(answer["idTagInfo"]))

    # --- messages

    def _start_message(self, payload: bytes) -> dict:
        """OCPP 1.6 §6.45"""
        _, stamp, meter_wh, reservation_id, connector_id, id_tag, _ = records.unpack_start(payload)
        message = {
            "connectorId": connector_id,
            "idTag": id_tag,
            "meterStart": meter_wh,
            "timestamp": self._clock.iso(stamp),
        }
        if reservation_id >= 0:
            message["reservationId"] = reservation_id
        return message

    def _reading_message(self, payload: bytes) -> "dict | None":
        """OCPP 1.6 §6.31; None if there is nothing to tell before the transaction's end."""
        number, stamp, context, mask, stop_mask, values = records.unpack_reading(payload)
        row = self._open.get(number)
        if not mask or row is None:
            return None
        stored = records.stored_mask(mask, stop_mask)
        meter_value = {
            "timestamp": self._clock.iso(stamp),
            "sampledValue": meter_values.sampled_values(mask, stored, values, context, self._phases),
        }
        message = {"connectorId": row.connector_id, "meterValue": [meter_value]}
        if row.transaction_id != records.NO_ID:
            message["transactionId"] = row.transaction_id
        return message

    async def _stop_message(self, seq: int, payload: bytes) -> dict:
        """OCPP 1.6 §6.49"""
        number, stamp, meter_wh, reason, _, id_tag = records.unpack_stop(payload)
        row = self._open.get(number)
        message = {
            "transactionId": row.transaction_id if row else records.NO_ID,
            "meterStop": meter_wh,
            "timestamp": self._clock.iso(stamp),
            "reason": reason,
        }
        if id_tag:
            message["idTag"] = id_tag
        if row:
            data = await self._transaction_data(number, row.seq, seq)
            if data:
                message["transactionData"] = data
        return message

    async def _transaction_data(self, number: int, first: int, last: int) -> list:
        """The readings that StopTxnSampledData and StopTxnAlignedData asked for, thinned to a bounded number."""
        count = 0
        most = 1
        async for _, _, stop_mask, _, _ in _StopReadings(self._journal, number, first, last):
            count += 1
            most = max(most, _bits(stop_mask))
        limit = max(2, _MAX_STOP_VALUES // most)
        step = max(1, (count - 1 + limit - 2) // (limit - 1)) if count > limit else 1
        data = []
        index = 0
        newest = None
        async for reading in _StopReadings(self._journal, number, first, last):
            if index % step == 0:
                data.append(self._stop_value(*reading))
                newest = None
            else:
                newest = reading
            index += 1
        if newest:  # the last of them always: there may be fewer now than were counted
            data.append(self._stop_value(*newest))
        return data

    def _stop_value(self, stamp: int, context: int, stop_mask: int, stored: int, values: tuple) -> dict:
        sampled = meter_values.sampled_values(stop_mask, stored, values, context, self._phases)
        return {"timestamp": self._clock.iso(stamp), "sampledValue": sampled}


class _StopReadings:
    """Walks a transaction's readings for its STOP, and lets others run: (stamp, context, stop_mask, stored, values)."""

    def __init__(self, journal, number: int, first: int, last: int) -> None:
        self._records = journal.records(first)
        self._number = number
        self._last = last
        self._count = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        for seq, kind, payload in self._records:
            self._count += 1
            if seq >= self._last:
                break
            if kind == records.READING and records.number_of(payload) == self._number:
                _, stamp, context, mask, stop_mask, values = records.unpack_reading(payload)
                if stop_mask:
                    return stamp, context, stop_mask, records.stored_mask(mask, stop_mask), values
            if self._count % _SCAN_PAUSE == 0:
                await asyncio.sleep_ms(0)
        raise StopAsyncIteration


def _bits(mask: int) -> int:
    count = 0
    while mask:
        count += mask & 1
        mask >>= 1
    return count
