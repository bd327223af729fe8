"""What happens to one outlet in the physical world, whatever the firmware makes of it: `Witness`.

It sees the coil of the contactor and the meter's register, and is told of cards: what was charged, and by whom.
"""

import time

import outlet as outlets
from micropython import const

_WH = const(3_600_000_000)  # mW ms


class Charge:
    """The contact was closed from `began` to `ended` (ms, None: it still is); `card` was the last one before that.

    `wh_before`, `wh_after`: the register then. `power_cut`: lost power ended it.
    """

    def __init__(self, connector_id, card, began, wh_before):
        self.connector_id = connector_id
        self.card = card
        self.began = began
        self.wh_before = wh_before
        self.ended = None
        self.wh_after = None
        self.power_cut = False
        self.stopped_by = None  # the card, if one was held to the reader while it charged

    def __str__(self):
        return "%s from %d Wh, at %d ms" % (self.card, self.wh_before, self.began)


class Witness:
    """Watches `outlet`; `charges` is what it saw."""

    def __init__(self, outlet):
        self.number = outlet.number
        self._outlet = outlet
        self._drive = outlet.drive
        self._register = []  # (ms, Wh), as often as `look` was called
        outlet.drive = self._watch
        self.charges = []
        self.cards = []  # in the order in which they were shown
        self._closed = False

    @property
    def charge(self):
        """The one that is under way, or None."""
        return self.charges[-1] if self._closed else None

    def wh(self):
        self._outlet.settle()
        return self._outlet.energy // _WH

    def look(self):
        self._register.append((time.ticks_ms(), self.wh()))

    def wh_at(self, ms):
        """The register at the last look before that time."""
        found = 0
        for at, wh in self._register:
            if at > ms:
                break
            found = wh
        return found

    def wh_after(self, ms):
        """The register at the first look at that time or later."""
        for at, wh in self._register:
            if at >= ms:
                return wh
        return self.wh()

    def saw_card(self, id_tag):
        self.cards.append(id_tag)
        if self._closed:
            self.charges[-1].stopped_by = id_tag

    def power_off(self):
        """The board loses its power: the coil drops, the pilot is still."""
        charge = self.charge
        if charge:
            charge.power_cut = True
        self._watch(outlets.COIL, 0)
        self._drive(outlets.LOCK, 0)
        self._outlet.wave(outlets.PILOT, 1000, 0)
        self._outlet.meter.rx = bytearray()

    def _watch(self, terminal, level):
        self._drive(terminal, level)
        if terminal == outlets.COIL and bool(level) != self._closed:
            self._closed = bool(level)
            self.look()
            if self._closed:
                self.charges.append(Charge(self.number, self.cards[-1], time.ticks_ms(), self.wh()))
            else:
                self.charges[-1].ended = time.ticks_ms()
                self.charges[-1].wh_after = self.wh()
