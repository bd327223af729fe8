"""Which cards the authorization cache holds, in the order of their use: `find`, `add`, `touch`, `remove`, `victim`.

Three packed arrays of `limit` rows, the least recently used first, 12 bytes a row whatever it holds:

    prefix 4 bytes (of the card's hash) | number u32 (of its record in flash) | until u32

`until` is the epoch second until which the card may charge: 0 not at all, FOR_EVER. Two cards of one prefix (with
1,000 cards that is one new card in four millions) cannot both be held: the later takes the place of the earlier.
"""

from array import array

from micropython import const

PREFIX = const(4)
FOR_EVER = const(0xFFFFFFFF)


class Index:
    """Up to `limit` rows. `settled`: for so many from the front, the order of use is that of the numbers, too."""

    def __init__(self, limit: int) -> None:
        self._allot(limit)
        self.clear()

    def _allot(self, limit: int) -> None:
        self.limit = limit
        self.numbers = array("I", bytes(4 * limit))
        self.untils = array("I", bytes(4 * limit))
        self._prefixes = bytearray(PREFIX * limit)
        # views do not copy when a piece of them moves
        self._columns = memoryview(self.numbers), memoryview(self.untils)
        self._prefix_view = memoryview(self._prefixes)

    def clear(self) -> None:
        self.count = 0
        self.settled = 0

    def resize(self, limit: int) -> None:
        """Room for another number of rows, no fewer than there are."""
        old = self._prefixes, self.numbers, self.untils
        count = self.count
        self._allot(limit)
        self._prefix_view[: PREFIX * count] = memoryview(old[0])[: PREFIX * count]
        for column, rows in zip(self._columns, old[1:]):
            column[:count] = memoryview(rows)[:count]

    def find(self, prefix: bytes) -> int:
        """The row of this prefix, -1 if there is none."""
        at = self._prefixes.find(prefix)
        while at % PREFIX and at >= 0:
            at = self._prefixes.find(prefix, at + 1)
        return at // PREFIX if 0 <= at < self.count * PREFIX else -1

    def prefix(self, row: int) -> bytes:
        return bytes(self._prefix_view[row * PREFIX : (row + 1) * PREFIX])

    def add(self, prefix: bytes, number: int, until: int) -> None:
        """A card is used for the first time; its prefix has no row, and there is room."""
        row = self.count
        self._prefix_view[row * PREFIX : (row + 1) * PREFIX] = prefix
        self.count += 1
        self.set(row, number, until)

    def set(self, row: int, number: int, until: int) -> None:
        """This row's record is the newest of all now."""
        self.numbers[row] = number
        self.untils[row] = until
        if self.settled >= row:
            self.settled = row + 1

    def touch(self, row: int) -> bool:
        """The card was used. False if it was the last one used anyway."""
        if row == self.count - 1:
            return False
        prefix, number, until = self.prefix(row), self.numbers[row], self.untils[row]
        self.remove(row)
        last = self.count
        self._prefix_view[last * PREFIX : (last + 1) * PREFIX] = prefix
        self.numbers[last] = number
        self.untils[last] = until
        self.count += 1
        return True

    def remove(self, row: int) -> None:
        self.count -= 1
        if row < self.settled:
            self.settled -= 1
        view, end = self._prefix_view, self.count
        view[row * PREFIX : end * PREFIX] = view[(row + 1) * PREFIX : (end + 1) * PREFIX]
        for column in self._columns:
            column[row:end] = column[row + 1 : end + 1]

    def lowest(self) -> int:
        """The lowest number of all; ValueError if there is none."""
        return min(self._columns[0][: self.count])

    def victim(self, now: int) -> int:
        """The row to give up: one that lets nobody charge, else the least recently used one (OCPP 1.6 §3.5.1)."""
        for row in range(self.count):
            if self.untils[row] <= now:
                return row
        return 0
