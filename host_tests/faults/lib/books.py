"""The books that must agree whatever was cut: what was charged, and what the backend was told of it. `audit(rig)`.

Each charge has one StartTransaction and one StopTransaction in effect, in order, of its card and its readings. A
transaction that began and never charged is told as well, and cost nothing. Raises AssertionError.
"""

import time

from micropython import const
from station.clock import parse_iso

_SLACK_S = const(3)  # between the contact and its timestamp: lock, meter, network
_LATE_S = const(10)  # a reading that a leap went over
_SLACK_WH = const(1)  # the contactor takes 20 ms to open


class Books:
    """One transaction, as the backend has it."""

    def __init__(self, start):
        self.start = start
        self.readings = []  # (epoch, Wh)
        self.stop = None


def transactions(backend):
    """The Books in the order of their starts; asserts that everything came in order."""
    found = {}
    order = []
    last = None
    for effect in backend.effects:
        assert last is None or effect.salt == last.salt, "message ids of two lives of the flash"
        assert last is None or effect.number > last.number, "%s after %s" % (effect.unique_id, last.unique_id)
        last = effect
        if effect.action == "StartTransaction":
            books = found[effect.transaction_id] = Books(effect)
            order.append(books)
            continue
        books = found.get(effect.transaction_id)
        assert books, "%s of a transaction that never started: %r" % (effect.action, effect.payload)
        assert books.stop is None, "%s after the StopTransaction: %r" % (effect.action, effect.payload)
        if effect.action == "StopTransaction":
            books.stop = effect
        else:
            for value in effect.payload["meterValue"]:
                books.readings.append((parse_iso(value["timestamp"]), _register(value)))
    return order


def _register(meter_value):
    for sampled in meter_value["sampledValue"]:
        if sampled.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register":
            return int(sampled["value"])
    return None


def audit(rig):
    """Compare the backend's books with what the witnesses saw."""
    backend = rig.backend
    assert not backend.wrong, "\n".join(backend.wrong)
    told = transactions(backend)
    for witness in rig.witnesses:
        mine = [books for books in told if books.start.payload["connectorId"] == witness.number]
        _match(rig, witness, mine)


def _match(rig, witness, told):
    charges = list(witness.charges)
    for books in told:
        start = books.start.payload
        assert books.stop, "transaction %d never ended" % books.start.transaction_id
        if charges and _belongs(rig, books, charges[0]):
            _compare(rig, books, charges.pop(0), witness)
        else:
            assert books.stop.payload["meterStop"] == start["meterStart"], "billed, and nothing was charged: %r" % start
            assert start["idTag"] in witness.cards, "nobody has shown this card: %r" % start
        _in_time(books)
    assert not charges, "charged and never told: %s" % ", ".join([str(charge) for charge in charges])


def _belongs(rig, books, charge):
    """A transaction is of the charge that its card began then."""
    start = books.start.payload
    apart = abs(parse_iso(start["timestamp"]) - time.START - charge.began // 1000)
    return start["idTag"] == charge.card and apart <= rig.scenario.CLOCK_SLACK_S + _SLACK_S


def _compare(rig, books, charge, witness):
    start, stop = books.start.payload, books.stop.payload
    _compare_readings(rig, books, charge, witness)
    assert start["meterStart"] == charge.wh_before, "began at %d Wh, told: %r" % (charge.wh_before, start)
    ended = charge.wh_after
    if stop["reason"] == "PowerLoss":
        cut = [at for at in rig.cuts if 0 <= at - charge.ended <= _SLACK_S * 1000]
        assert charge.power_cut or cut, "nobody cut its power: %r" % stop
        since = charge.ended - (rig.scenario.INTERVAL_S + _LATE_S) * 1000
        least = max([charge.wh_before, witness.wh_at(since)] + [wh for _, wh in books.readings])
        assert least <= stop["meterStop"] <= ended + _SLACK_WH, "%d to %d Wh, told: %r" % (least, ended, stop)
        return
    assert not charge.power_cut, "ended by a power cut, told: %r" % stop
    assert abs(ended - stop["meterStop"]) <= _SLACK_WH, "ended at %d Wh, told: %r" % (ended, stop)
    assert stop.get("idTag") == charge.stopped_by, "stopped by %r, told: %r" % (charge.stopped_by, stop)
    assert stop["reason"] == ("Local" if charge.stopped_by else "EVDisconnected"), "not the reason: %r" % stop
    at = parse_iso(stop["timestamp"]) - time.START - charge.ended // 1000
    assert abs(at) <= rig.scenario.CLOCK_SLACK_S + _SLACK_S, "%d s off: %r" % (at, stop)


def _compare_readings(rig, books, charge, witness):
    """Each shows what the register was then, and none is missing."""
    scenario = rig.scenario
    if not scenario.CLOCK_SLACK_S:
        for epoch, wh in books.readings:
            ms = (epoch - time.START) * 1000
            least, most = witness.wh_at(ms - 1000), witness.wh_after(ms + 2000)
            assert least <= wh <= most, "at %d s the register was %d to %d Wh, told: %d" % (ms // 1000, least, most, wh)
    if scenario.ALL_READINGS:
        due = (charge.ended - charge.began - _LATE_S * 1000) // 1000 // scenario.INTERVAL_S
        assert len(books.readings) >= due, "%d readings of %d" % (len(books.readings), due)
    data = books.stop.payload.get("transactionData")
    assert data or not scenario.SETTINGS.get("StopTxnSampledData"), "no transactionData"
    if data:
        told = [books.start.payload["meterStart"]] + [_register(value) for value in data]
        told.append(books.stop.payload["meterStop"])
        assert told == sorted(told) and told[0] == told[1], "transactionData, between start and stop: %r" % told


def _in_time(books):
    """Time and register of a transaction rise."""
    last = parse_iso(books.start.payload["timestamp"]), books.start.payload["meterStart"]
    rows = books.readings + [(parse_iso(books.stop.payload["timestamp"]), books.stop.payload["meterStop"])]
    for row in rows:
        assert row[0] >= last[0] and row[1] >= last[1], "%r after %r" % (row, last)
        last = row
