"""For the journal's tests: `make` and `content`, and `Model`, what a journal must hold after whatever befell it.

`Parity` is a policy for thinning: of READING, each level keeps every other number of those the level before kept.

Regions are small (words by the dozen), so that the ring turns often.
"""

import random

from fakes import FakeLog
from flashes import CuttableFlash
from station.storage.journal import MAX_PAYLOAD, Journal
from station.storage.region import Region

BLOCKS = 5
BLOCK_SIZE = 1024


def make(flash=None, blocks=BLOCKS, block_size=BLOCK_SIZE):
    """(flash, mounted journal, log)"""
    flash = flash or CuttableFlash(blocks, block_size)
    log = FakeLog()
    journal = Journal(Region(flash, 0, flash.blocks), log)
    journal.mount()
    return flash, journal, log


def content(journal, start=None):
    return [(seq, kind, bytes(payload)) for seq, kind, payload in journal.records(start)]


def payload_of(number, length):
    """Bytes of which a shifted or foreign piece is recognised; some end in what erased flash holds."""
    data = bytes([(number * 7 + i) & 0xFF for i in range(length)])
    if number % 3 == 0:
        data = data[: length // 2] + b"\xff" * (length - length // 2)
    return data


def random_from(seed):
    """A function n -> 0 … n-1 that does not depend on the port."""
    generator = random
    generator.seed(seed)
    return lambda limit: generator.getrandbits(24) % limit


READING = 2  # the kind that gives way


class Parity:
    def __init__(self):
        self.gone = []

    def keeps(self, number, kind, payload, level):
        return kind != READING or number % (2 << level) == 0

    def left_out(self, number, kind, payload):
        self.gone.append(number)


class Model:
    """What a journal must hold, written down as its user did it."""

    def __init__(self):
        self.written = {}  # number: (kind, payload) of each append that returned
        self.freed = 0
        self.synced = 0
        self.hold = None
        self.pending = None  # (kind, payload) under way
        self.gone = {}  # number: (kind, payload) of what thinning left out
        self.known = {}  # number: (kind, payload) of all that ever was; once freed, it may come back
        self.going = []  # numbers that a thinning under way will leave out
        self.unwanted = 0  # below this number thinning left out what it liked
        self.worn = False  # a block that fails may take freed records with it, before their mark is on flash

    def append(self, journal, kind, payload):
        self.pending = kind, payload
        seq = journal.append(kind, payload)
        assert not self.written or seq > max(self.written), seq
        self.written[seq] = self.known[seq] = self.pending
        self.pending = None
        self.synced = self.freed
        return seq

    def free(self, journal, up_to):
        journal.free(up_to)
        self.freed = max(self.freed, up_to)

    def keep(self, journal, seq):
        journal.hold = self.hold = seq

    def sync(self, journal):
        if journal.sync():
            self.synced = self.freed

    def thin(self, journal, between=None):
        """Thin one block, and say whether there was one; `between()` is called at every pause."""
        policy = Parity()
        self.going = policy.gone
        thinned = False
        self._thinning()
        for done in journal.thin(policy):
            thinned = done
            if done:
                for number in policy.gone:
                    self.gone[number] = self.written.pop(number)
            elif between:
                between()
            self._thinning()
        self.going = []
        return thinned

    def _thinning(self):
        self.unwanted = max(self.unwanted, min(self.freed + 1, self.hold or self.freed + 1))

    def compare(self, journal):
        """The journal that was not mounted again must hold the same."""
        wanted = [(seq,) + self.written[seq] for seq in sorted(self.written) if seq > self.freed]
        found = content(journal)
        assert found == wanted, (found, wanted)

    def check(self, journal):
        """Compare with a journal that was mounted again; then take what came back as the truth."""
        found = {seq: (kind, payload) for seq, kind, payload in content(journal, journal.oldest)}
        last = max(self.written) if self.written else 0
        assert self.synced < journal.first <= self.freed + 1, (self.synced, journal.first, self.freed)
        freed = self.freed if self.worn else journal.first - 1
        assert journal.oldest <= freed + 1, (journal.oldest, journal.first)
        if self.hold is not None:
            assert journal.oldest <= self.hold, (journal.oldest, self.hold)
        going = [seq for seq in self.going if seq >= journal.oldest]
        left = [seq for seq in going if seq in found]
        assert not left or len(left) == len(going), "of %r only %r is left" % (going, left)
        for seq, record in self.written.items():
            given_up = seq < max(journal.oldest, self.unwanted) or (seq in going and not left)
            assert given_up or found.get(seq) == record, "record %d of %d to %d: %r, not %r" % (
                seq,
                journal.oldest,
                last,
                found.get(seq),
                record,
            )
        for seq, record in found.items():
            if seq <= freed and seq in self.known:
                assert record == self.known[seq], "record %d: %r came back" % (seq, record)
            elif seq not in self.written:
                assert seq > last and record == self.pending, "record %d: %r was never appended" % (seq, record)
                last = seq
        assert journal.next > last, (journal.next, last)
        buf = bytearray(MAX_PAYLOAD)
        for seq, (kind, payload) in found.items():
            if seq >= journal.first:
                assert journal.read(seq, buf) == (kind, len(payload)) and buf[: len(payload)] == payload, seq
        self.written = found
        self.known.update(found)
        self.freed = self.synced = journal.first - 1
        self.hold = self.pending = None
        self.going = []
