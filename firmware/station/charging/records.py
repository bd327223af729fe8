"""The records that tell a transaction in the journal: small, binary, and never the JSON that tells it later.

Each kind has a `pack_…` that gives the bytes and an `unpack_…` that gives the fields back. All numbers are
little-endian; a stamp is what `clock.stamp()` gave. New fields go to the end of a record, new kinds get new
numbers, so that an older firmware reads what a newer one wrote.

    START    a transaction began            -> StartTransaction
    READING  a reading within it            -> MeterValues, and part of StopTransaction
    STOP     it ended                       -> StopTransaction
    STARTED  the backend's answer to START: its transaction id
    CLOCK    the clock was set: when this boot began
    RENEWED  START once more, nearer the head, for a transaction older than the journal is long
"""

import struct

from micropython import const

START = const(1)
READING = const(2)
STOP = const(3)
STARTED = const(4)
CLOCK = const(5)
RENEWED = const(6)

# OCPP 1.6 §7.36, in the order of their numbers in flash: append only
REASONS = (
    "Local",
    "Remote",
    "EVDisconnected",
    "HardReset",
    "SoftReset",
    "PowerLoss",
    "DeAuthorized",
    "EmergencyStop",
    "UnlockCommand",
    "Reboot",
    "Other",
)

TOLD = (START, READING, STOP)  # each becomes a message

NO_ID = const(-1)  # the transaction id of a transaction whose StartTransaction the backend never took

_START = "<IIIiBB"
_READING = "<IIHH"
_CONTEXT_SHIFT = const(12)  # the context stands above the bits of the mask,
_INDEX_SHIFT = const(12)  # and the reading's index above those of the stop mask
INDICES = const(16)
_STOP = "<IIIBB"
_STARTED = "<IqB"  # backends that count in milliseconds since 1970 need more than 32 bits
_CLOCK = "<BI"


def _pack_text(text: "str | None") -> bytes:
    data = (text or "").encode()
    return bytes((len(data),)) + data


def _unpack_text(payload, offset: int) -> "tuple[str, int]":
    end = offset + 1 + payload[offset]
    return str(bytes(payload[offset + 1 : end]), "utf-8"), end


def pack_start(number, stamp, meter_wh, reservation_id, connector_id, id_tag, parent_id_tag) -> bytes:
    """`number` is 0 in a START, whose own sequence number names the transaction; RENEWED repeats that."""
    head = struct.pack(_START, number, stamp, meter_wh, reservation_id, connector_id, 0)
    return head + _pack_text(id_tag) + _pack_text(parent_id_tag)


def unpack_start(payload) -> tuple:
    """(number, stamp, meter_wh, reservation_id, connector_id, id_tag, parent_id_tag or None)"""
    number, stamp, meter_wh, reservation_id, connector_id, _ = struct.unpack_from(_START, payload)
    id_tag, offset = _unpack_text(payload, struct.calcsize(_START))
    parent_id_tag, _ = _unpack_text(payload, offset)
    return number, stamp, meter_wh, reservation_id, connector_id, id_tag, parent_id_tag or None


def pack_reading(number, stamp, context, mask, stop_mask, values, index=0) -> bytes:
    """`values` are those of `stored_mask(mask, stop_mask)`, in the order of `measurands.select`.

    `index` counts the readings that may be thinned out, modulo INDICES; one with 0 is never.
    One measurand, or two, fit with the journal's header into one word of flash.
    """
    stop_mask |= index % INDICES << _INDEX_SHIFT
    head = struct.pack(_READING, number, stamp, mask | context << _CONTEXT_SHIFT, stop_mask)
    return head + struct.pack("<%dI" % len(values), *values)


def unpack_reading(payload) -> tuple:
    """(number, stamp, context, mask, stop_mask, values)"""
    number, stamp, mask, stop_mask = struct.unpack_from(_READING, payload)
    size = struct.calcsize(_READING)
    values = struct.unpack_from("<%dI" % ((len(payload) - size) // 4), payload, size)
    stop_mask &= (1 << _INDEX_SHIFT) - 1
    return number, stamp, mask >> _CONTEXT_SHIFT, mask & (1 << _CONTEXT_SHIFT) - 1, stop_mask, values


def unpack_index(payload) -> "tuple[int, bool]":
    """Of a READING: (index modulo INDICES, does StopTransaction want it)."""
    stop_mask = struct.unpack_from("<H", payload, struct.calcsize(_READING) - 2)[0]
    return stop_mask >> _INDEX_SHIFT, stop_mask & (1 << _INDEX_SHIFT) - 1 != 0


def stored_mask(mask: int, stop_mask: int) -> int:
    """What a READING holds: what is reported, and the energy register always: a power cut may make it the last."""
    return mask | stop_mask | 1


def pack_stop(number, stamp, meter_wh, reason, connector_id, id_tag) -> bytes:
    """`reason` is one of REASONS; `id_tag` is of the card that stopped it, None if none did."""
    head = struct.pack(_STOP, number, stamp, meter_wh, REASONS.index(reason), connector_id)
    return head + _pack_text(id_tag)


def unpack_stop(payload) -> tuple:
    """(number, stamp, meter_wh, reason, connector_id, id_tag or None)"""
    number, stamp, meter_wh, reason, connector_id = struct.unpack_from(_STOP, payload)
    id_tag, _ = _unpack_text(payload, struct.calcsize(_STOP))
    return number, stamp, meter_wh, REASONS[reason], connector_id, id_tag or None


def pack_started(number, transaction_id, accepted) -> bytes:
    return struct.pack(_STARTED, number, transaction_id, accepted)


def unpack_started(payload) -> tuple:
    """(number, transaction_id, accepted)"""
    number, transaction_id, accepted = struct.unpack_from(_STARTED, payload)
    return number, transaction_id, bool(accepted)


def pack_clock(boot, base) -> bytes:
    return struct.pack(_CLOCK, boot & 0xFF, base)


def unpack_clock(payload) -> tuple:
    """(boot modulo 256, epoch at its uptime 0)"""
    return struct.unpack_from(_CLOCK, payload)


def number_of(payload) -> int:
    """The transaction that a READING, STOP, STARTED or RENEWED is about."""
    return struct.unpack_from("<I", payload)[0]


def stamp_of(payload) -> int:
    """When what a START, READING or STOP tells happened."""
    return struct.unpack_from("<I", payload, 4)[0]
