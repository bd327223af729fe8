"""The journal's records: what is packed comes back, small, with room for what a newer firmware adds."""

import unittest

from station import measurands
from station.charging import metering, records
from station.storage.journal import MAX_PAYLOAD

WORD = 32
PREFIX = 12  # of a record in the journal


class RecordsTest(unittest.TestCase):
    def test_numbers_of_flash(self):
        kinds = (records.START, records.READING, records.STOP, records.STARTED, records.CLOCK, records.RENEWED)
        self.assertEqual(kinds, (1, 2, 3, 4, 5, 6))
        self.assertEqual(
            records.REASONS,
            (
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
            ),
        )

    def test_start(self):
        fields = (0, 1795345200, 4294967295, -1, 2, "04AB12CD", "GROUP")
        self.assertEqual(records.unpack_start(records.pack_start(*fields)), fields)
        self.assertEqual(records.stamp_of(records.pack_start(*fields)), 1795345200)

    def test_start_of_a_renewed(self):
        fields = (77, 1795345200, 0, 4711, 1, "12345678901234567890", None)
        payload = records.pack_start(*fields)
        self.assertEqual(records.unpack_start(payload), fields)
        self.assertEqual(records.number_of(payload), 77)

    def test_id_tags_of_any_script(self):
        fields = (0, 1, 2, -1, 1, "ÄÖÜ\U0001f50c" * 5, "é" * 20)
        payload = records.pack_start(*fields)
        self.assertEqual(records.unpack_start(payload), fields)
        self.assertLess(len(payload), MAX_PAYLOAD)

    def test_the_index_of_a_reading(self):
        for stop_mask in (0, 1, 0x7FF):
            for index, stored in ((0, 0), (1, 1), (15, 15), (16, 0), (37, 5)):
                payload = records.pack_reading(9, 60, metering.CLOCK, 3, stop_mask, (1, 2), index)
                self.assertEqual(records.unpack_index(payload), (stored, stop_mask != 0))
                self.assertEqual(records.unpack_reading(payload), (9, 60, metering.CLOCK, 3, stop_mask, (1, 2)))

    def test_reading(self):
        mask = measurands.mask_of("Energy.Active.Import.Register,Voltage", 3)
        stop_mask = measurands.mask_of("Frequency", 3)
        stored = records.stored_mask(mask, stop_mask)
        values = measurands.select(stored, (4000000000, 1, 2, 3, 4, 2300, 2310, 2320, 5001, 160))
        payload = records.pack_reading(9, 1795345260, metering.CLOCK, mask, stop_mask, values)
        self.assertEqual(
            records.unpack_reading(payload),
            (9, 1795345260, metering.CLOCK, mask, stop_mask, (4000000000, 5001, 2300, 2310, 2320)),
        )
        self.assertEqual(records.number_of(payload), 9)
        self.assertEqual(records.stamp_of(payload), 1795345260)

    def test_every_context_and_every_mask(self):
        whole = (1 << len(measurands.MEASURANDS)) - 1
        for context in range(len(metering.CONTEXTS)):
            for mask in (0, 1, whole):
                values = measurands.select(records.stored_mask(mask, 0), tuple(range(10)))
                back = records.unpack_reading(records.pack_reading(1, 2, context, mask, 0, values))
                self.assertEqual(back, (1, 2, context, mask, 0, tuple(values)))

    def test_the_register_is_always_stored(self):
        self.assertEqual(records.stored_mask(0b100, 0b1000), 0b1101)

    def test_a_reading_of_two_measurands_fits_one_word(self):
        payload = records.pack_reading(1, 2, 0, 0b11, 0, (1, 2))
        self.assertLessEqual(PREFIX + len(payload), WORD)

    def test_stop(self):
        for reason in records.REASONS:
            fields = (5, 1795345999, 123456, reason, 3, "04AB12CD")
            payload = records.pack_stop(*fields)
            self.assertEqual(records.unpack_stop(payload), fields)
        fields = (5, 1795345999, 123456, "EVDisconnected", 3, None)
        payload = records.pack_stop(*fields)
        self.assertEqual(records.unpack_stop(payload), fields)
        self.assertEqual((records.number_of(payload), records.stamp_of(payload)), (5, 1795345999))

    def test_started(self):
        for transaction_id in (0, 1, -1, 2147483647, -2147483648, 1795345200123, -1795345200123):
            for accepted in (True, False):
                fields = (5, transaction_id, accepted)
                payload = records.pack_started(*fields)
                self.assertEqual(records.unpack_started(payload), fields)
                self.assertEqual(records.number_of(payload), 5)
                self.assertLessEqual(PREFIX + len(payload), WORD)

    def test_clock(self):
        self.assertEqual(records.unpack_clock(records.pack_clock(300, 1795345200)), (44, 1795345200))

    def test_what_a_newer_firmware_adds_at_the_end_is_let_pass(self):
        start = (0, 1795345200, 1, -1, 2, "04AB12CD", "GROUP")
        stop = (5, 1795345999, 123456, "Local", 3, "04AB12CD")
        self.assertEqual(records.unpack_start(records.pack_start(*start) + b"new"), start)
        self.assertEqual(records.unpack_stop(records.pack_stop(*stop) + b"new"), stop)
        self.assertEqual(records.unpack_started(records.pack_started(5, 6, True) + b"new"), (5, 6, True))
        self.assertEqual(records.unpack_clock(records.pack_clock(1, 2) + b"new"), (1, 2))

    def test_a_memoryview_is_read_like_bytes(self):
        start = (0, 1795345200, 1, -1, 2, "04AB12CD", "GROUP")
        self.assertEqual(records.unpack_start(memoryview(records.pack_start(*start))), start)
