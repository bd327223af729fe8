"""The table proper: entries in order of their keys, found through an index. `Tree.find`, `Builder`, `TreeSource`.

100 data pages of 42 entries each make a group, an index page with the first key of each of them follows. The first
keys of the groups are kept in RAM, 10 bytes for 4,200 cards. So a card is found in two pages, whatever the number of
cards and however their keys lie.

What a damaged page leaves: its 42 cards are unknown; an index page is done without, its group is searched by halves.
"""

import errno

from micropython import const

from station.storage.cards.entries import KEY, SIZE, copy, seek
from station.storage.cards.ring import DATA, INDEX, PAGE, Damaged, Ring, Space, Writer, load

PER_PAGE = const(42)
_GROUP = const(100)


def pages(entries: int) -> int:
    """Pages of a tree with so many entries."""
    data = -(-entries // PER_PAGE)
    return data + -(-data // _GROUP)


class Tree:
    """The row of `entries` entries at block `start`. `root` holds the first key of each group."""

    def __init__(self, ring: Ring, start: int, entries: int, generation: int, root: bytearray):
        self.ring = ring
        self.start = start
        self.entries = entries
        self.generation = generation
        self.data_pages = -(-entries // PER_PAGE)
        self.root = root

    def mount(self, view: memoryview) -> None:
        """Fill `root` from flash."""
        groups = -(-self.data_pages // _GROUP)
        self.root = bytearray(groups * KEY)
        for group in range(groups - 1, -1, -1):
            at = group * KEY
            if self._load_index(group, view) > 0 or self.load(group * _GROUP, view) > 0:
                self.root[at : at + KEY] = view[:KEY]
            else:  # lost, with the first page of the group; the order is kept
                self.root[at : at + KEY] = self.root[at + KEY : at + 2 * KEY] or b"\xff" * KEY

    def find(self, key: bytes, view: memoryview) -> int:
        """Offset of the key's entry in `view`, -1 if there is none. Raises Damaged if that cannot be known."""
        group = _last(seek(self.root, key, len(self.root) // KEY, KEY))
        if group < 0:
            return -1
        count = self._load_index(group, view)
        page = _last(seek(view, key, count, KEY)) if count > 0 else self._halve(group, key, view)
        if page < 0:
            return -1
        count = self.load(group * _GROUP + page, view)
        if count < 0:
            raise Damaged(errno.EIO, "cards: page of the card is damaged")
        found = seek(view, key, count, SIZE)
        return (found >> 1) * SIZE if found & 1 else -1

    def load(self, number: int, view: memoryview) -> int:
        """Read data page `number`: how many entries it holds, -1 if it is damaged."""
        return load(self.ring, self.start, number + number // _GROUP, view, DATA, self.generation)

    def _load_index(self, group: int, view: memoryview) -> int:
        number = min((group + 1) * _GROUP, self.data_pages) + group
        return load(self.ring, self.start, number, view, INDEX, self.generation)

    def _halve(self, group: int, key: bytes, view: memoryview) -> int:
        """Which page of the group may hold the key, without the index."""
        low, high = 0, min(_GROUP, self.data_pages - group * _GROUP) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.load(group * _GROUP + middle, view) < 0:
                raise Damaged(errno.EIO, "cards: index and page are damaged")
            if _last(seek(view, key, 1, KEY)) < 0:
                high = middle - 1
            else:
                low = middle
        return low


def _last(found: int) -> int:
    """From what `seek` gave: the last key that is not above the one sought, -1 if all are."""
    return (found >> 1) - 1 + (found & 1)


class TreeSource:
    """The tree's entries one after another: at `at` of `buf` after each `advance`."""

    def __init__(self, tree: Tree):
        self.buf = memoryview(bytearray(PAGE))
        self.at = 0
        self._tree = tree
        self._page = 0
        self._end = 0

    def advance(self) -> bool:
        """False at the end. Raises Damaged: what is lost must not be left out of a new table in silence."""
        self.at += SIZE
        if self.at < self._end:
            return True
        if self._page == self._tree.data_pages:
            return False
        count = self._tree.load(self._page, self.buf)
        if count <= 0:
            raise Damaged(errno.EIO, "cards: page %d is damaged, only a Full list can mend it" % self._page)
        self._page += 1
        self.at, self._end = 0, count * SIZE
        return True


class Builder:
    """Writes a new tree: `add` entries in order, then `finish`."""

    def __init__(self, ring: Ring, space: Space, generation: int):
        self.entries = 0
        self._ring = ring
        self._writer = Writer(ring, space, generation)
        self._root = bytearray()
        self._page = memoryview(bytearray(PAGE))
        self._index = memoryview(bytearray(PAGE))
        self._in_page = 0
        self._in_index = 0

    def add(self, buf: "bytearray | memoryview", at: int) -> None:
        """The entry at `at` of `buf`. Raises OSError."""
        copy(self._page, buf, self._in_page * SIZE, at)
        self._in_page += 1
        self.entries += 1
        if self._in_page == PER_PAGE:
            self._write_page()

    def finish(self) -> Tree:
        """The tree, whole on flash. Raises OSError."""
        if self._in_page:
            self._write_page()
        if self._in_index:
            self._write_index()
        return Tree(self._ring, self._writer.start, self.entries, self._writer.generation, self._root)

    def _write_page(self) -> None:
        key = self._page[:KEY]
        if not self._in_index:
            self._root.extend(key)
        self._index[self._in_index * KEY : (self._in_index + 1) * KEY] = key
        self._writer.write(self._page, self._in_page, DATA)
        self._in_page = 0
        self._in_index += 1
        if self._in_index == _GROUP:
            self._write_index()

    def _write_index(self) -> None:
        self._writer.write(self._index, self._in_index, INDEX)
        self._in_index = 0
