"""Cuts the power of one scenario at given points, inside MicroPython: a JSON line for each.

    micropython runner.py SCENARIO            {"operations": N, "after": M}: programs and erases of its story, uncut,
                                              and of the life after it
    micropython runner.py SCENARIO 12.half …  {"point": "12.half"} if all is well, else with "failure" and "seen"

A point is the number of the program or erase that is cut, and how much of it is done (`flashes.WAYS`). 12.half@20: the
journal has had 20 records before, so that others than usual are the first of a block. 12.half+3.done: the power is
cut again in the life after. 12.half-journal: a region of the flash is lost with the power, which must not go unnoticed.
"""

import gc
import io
import json
import sys

_here = __file__.rpartition("/")[0] or "."
for _path in ("/../../firmware", "/../../boards/unix", "/../unit/lib", "/../../tools/components", "/scenarios", "/lib"):
    sys.path.insert(0, _here + _path)

from fakes import FakeLog  # noqa: E402
from flashes import WAYS, CuttableFlash  # noqa: E402
from rig import Rig  # noqa: E402
from station.charging import records  # noqa: E402
from station.storage.journal import Journal  # noqa: E402
from station.storage.region import Region  # noqa: E402

SCENARIOS = {  # name: module, class
    "sessions": ("sessions", "Sessions"),
    "lists": ("lists", "Lists"),
    "settings": ("settings", "Settings"),
    "cache": ("cache", "Cache"),
    "full_journal": ("full_journal", "FullJournal"),
    "no_room": ("full_journal", "NoRoom"),
    "first_boot": ("first_boot", "FirstBoot"),
    "update": ("update", "Update"),
    "rolled_back": ("update", "RolledBack"),
}
_SHOWN = 60  # frames of a failure
_OTHER_BOOT = 200  # whose clock nobody asks for


class Runner:
    """The points of one scenario, each on a flash of its own."""

    def __init__(self, name):
        module, kind = SCENARIOS[name]
        self._kind = getattr(__import__(module), kind)
        scenario = self._kind()
        self._flash = CuttableFlash(scenario.blocks, scenario.BLOCK_SIZE, quiet=True)
        if not scenario.FROM_BLANK:
            rig = Rig(scenario, self._flash)
            assert rig.live(Rig.online)
            self._flash = rig.flash

    def _rig(self):
        return Rig(self._kind(), self._flash.after())

    def operations(self):
        """Those of a story without a power cut, and of the life after it; both must go well."""
        outcome = {}
        rig = self._rig()
        try:
            assert rig.live(rig.scenario.story, rig.scenario.resumed)
            outcome["operations"] = rig.flash.operations
            rig.restart()
            assert rig.live(rig.scenario.recover)
            outcome["after"] = rig.flash.operations
        except Exception as error:
            _tell(outcome, rig, error)
        return outcome

    def point(self, text):
        outcome = {"point": text}
        text, _, lost = text.partition("-")
        cuts = text.split("+")
        cuts[0], _, ahead = cuts[0].partition("@")
        rig = self._rig()
        try:
            if ahead:
                _append(rig, int(ahead))
            _cut(rig.flash, cuts[0])
            told_whole = rig.live(rig.scenario.story, rig.scenario.resumed)
            assert ahead or not told_whole, "the power was not cut: the story has fewer operations"
            rig.restart(lost)
            for cut in cuts[1:]:
                _cut(rig.flash, cut)
                if rig.live(rig.scenario.recover):  # it has fewer operations
                    return outcome
                rig.restart()
            assert rig.live(rig.scenario.recover), "the power was cut, and nobody did"
        except Exception as error:
            _tell(outcome, rig, error)
        return outcome


def _append(rig, count):
    """As many records as a life before may have left in the journal, all answered, each in one word of flash."""
    journal = Journal(Region(rig.flash, *rig.scenario.regions["journal"]), FakeLog())
    journal.mount()
    for _ in range(count):
        journal.append(records.CLOCK, records.pack_clock(_OTHER_BOOT, 0), journal.next - 1)
    journal.free(journal.next - 1)
    journal.sync()


def _cut(flash, text):
    number, _, way = text.partition(".")
    assert way in WAYS, "expected one of %s, got %r" % (", ".join(WAYS), text)
    flash.cut(int(number), way)


def _tell(outcome, rig, error):
    out = io.StringIO()
    sys.print_exception(error, out)
    outcome["failure"] = out.getvalue()
    outcome["seen"] = seen(rig)


def seen(rig):
    """The last frames, what the station logged, what was charged."""
    rows = ["%9.3f %-8s %s" % (at / 1000, who, _text(what)) for at, who, what in rig.backend.frames[-_SHOWN:]]
    for number, lines in enumerate(rig.logs):
        rows.append("-- life %d:" % (number + 1))
        rows.extend(lines[-30:])
    for witness in rig.witnesses:
        rows.append("-- charged at connector %d:" % witness.number)
        rows.extend([str(charge) + " to %s at %s ms" % (charge.wh_after, charge.ended) for charge in witness.charges])
    return "\n".join(rows)


def _text(what):
    return what if isinstance(what, str) else str(what, "utf-8")


def main(name, points):
    assert name in SCENARIOS, "expected one of %s, got %r" % (", ".join(SCENARIOS), name)
    runner = Runner(name)
    if not points:
        print(json.dumps(runner.operations()))
    for text in points:
        print(json.dumps(runner.point(text)))
        gc.collect()  # so that the next one has the heap of this one


main(sys.argv[1], sys.argv[2:])
