"""The rows of the authorization cache: found, moved and given up as in a plain list."""

import os
import random
import unittest

from station.charging.cache_index import FOR_EVER, Index

NOON = 1795345200


class IndexTest(unittest.TestCase):
    def test_against_a_list(self):
        seed = int.from_bytes(os.urandom(4), "little")
        print("seed", seed)
        random.seed(seed)
        index, rows, limit = Index(6), [], 6
        for number in range(1, 4000):
            prefix = bytes([random.getrandbits(1) * 255 for _ in range(4)])
            at = [row[0] for row in rows].index(prefix) if prefix in [row[0] for row in rows] else -1
            self.assertEqual(index.find(prefix), at)
            choice = random.getrandbits(4)
            if at >= 0 and choice < 5:
                self.assertEqual(index.touch(at), at < len(rows) - 1)
                rows.append(rows.pop(at))
            elif at >= 0 and choice < 9:
                index.remove(at)
                rows.pop(at)
            elif at < 0 and len(rows) < limit:
                until = random.choice((0, NOON, FOR_EVER))
                index.add(prefix, number, until)
                rows.append((prefix, number, until))
            elif choice == 15:
                limit = len(rows) + random.getrandbits(2) + 1
                index.resize(limit)
            self.assertEqual(index.count, len(rows))
            self.assertEqual([index.prefix(row) for row in range(len(rows))], [row[0] for row in rows])
            self.assertEqual(list(index.numbers)[: len(rows)], [row[1] for row in rows])
            self.assertEqual(list(index.untils)[: len(rows)], [row[2] for row in rows])
            settled = list(index.numbers)[: index.settled]
            self.assertEqual(settled, sorted(settled))
            if rows:
                self.assertEqual(index.lowest(), min([row[1] for row in rows]))
            bad = [row for row in range(len(rows)) if rows[row][2] <= NOON]
            self.assertEqual(index.victim(NOON), bad[0] if bad else 0)
