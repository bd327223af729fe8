"""The contactor: a coil output for each pole, feedback contacts that say where the contacts really are.

Only `step(on)`, called once a pass by the interlock, gives a coil current: one switch a pass and in an order, the
pre-charge relay, the first pole, the second pole once the first is seen closed, then the pre-charge relay off again.
`open()` takes the current from all of them at once. Each pass that does not ask for the contact writes every output
low again. The outputs are low from construction on, and whenever the board is in reset: each coil driver has a
pull-down, because a pin of a chip in reset, or one whose firmware has not run yet, drives nothing.

`min_off_ms` spares the contacts: so long after they opened, and after a start, they do not close again.
"""

import micropython
from machine import Pin


class Contactor:
    """One connector's contactor; nothing here allocates after construction, all may be called from a hard interrupt.

    `poles`: ((coil pin, (feedback, …)), …), one or two. A feedback is None, a pin that reads 1 while the pole is
    closed, or (pin, level while it is closed): (5, 0) is a mirror contact at pin 5. `precharge`: None or (pin, ms).
    `moves_ms`: the time within which feedback must follow. `period_ms` is that of the passes; times are counted in
    them. `told` has bit 0 set while the first pole's coil is on, bit 1 for the second.
    """

    def __init__(
        self,
        poles: "tuple[tuple[int, tuple], ...]",
        precharge: "tuple[int, int] | None" = None,
        min_off_ms: int = 0,
        moves_ms: int = 150,
        period_ms: int = 10,
    ) -> None:
        self.moves_ms = moves_ms
        self.count = len(poles)
        self.told = 0
        outputs, order, contacts = [], [], []
        if precharge:
            relay = Pin(precharge[0], Pin.OUT, value=0)
            outputs.append(relay.value)
            order.append((relay.value, 1, 0, _passes(precharge[1], period_ms)))
        for pole, (pin, feedback) in enumerate(poles):
            coil = Pin(pin, Pin.OUT, value=0)
            watched = [_contact(row, 1 << pole) for row in feedback if row is not None]
            outputs.append(coil.value)
            contacts.extend(watched)
            # a pole that nobody watches is taken for closed when its time is over
            order.append((coil.value, 1, 1 << pole, 0 if watched else _passes(moves_ms, period_ms)))
        if precharge:
            order.append((relay.value, 0, 0, 0))
        self._outputs = tuple(outputs)
        self._order = tuple(order)
        self._contacts = tuple(contacts)
        self._rest_passes = _passes(min_off_ms, period_ms)
        self._rest = self._rest_passes
        self._at = 0  # in the order
        self._wait = 0  # passes until the next

    @property
    def commanded(self) -> bool:
        """Does any pole's coil have current?"""
        return self.told != 0

    def is_rested(self) -> bool:
        """Have the contacts been open for `min_off_ms`?"""
        return self._rest == 0

    @micropython.native
    def step(self, on: int) -> int:
        """One pass with the contact wanted (1) or not (0); the coils of contacts that have not rested stay off.

        Returns the poles, as bits, whose feedback differs from what their coil was told until this pass.
        """
        differ = self._differ()
        if not on:
            self.open()
            if self._rest:
                self._rest -= 1
        elif self._wait:
            self._wait -= 1
        elif self._at < len(self._order) and not differ and not self._rest:
            output, level, bit, wait = self._order[self._at]
            output(level)
            self.told |= bit
            self._wait = wait
            self._at += 1
        return differ

    @micropython.native
    def open(self) -> None:
        """Take the current from every coil, now."""
        for output in self._outputs:
            output(0)
        if self._at:
            self._at = 0
            self._wait = 0
            self._rest = self._rest_passes
            self.told = 0

    def deinit(self) -> None:
        """The firmware ends: all coils off."""
        self.open()

    def is_closed(self) -> bool:
        """Is any pole closed, as far as feedback contacts tell, else the coils?"""
        return self.told ^ self._differ() != 0

    @micropython.native
    def _differ(self) -> int:
        """The poles, as bits, of whose feedback contacts one or more says other than its coil was told."""
        told = self.told
        differ = 0
        for value, closed, bit in self._contacts:
            if (value() == closed) != (told & bit != 0):
                differ |= bit
        return differ


def _passes(ms: int, period_ms: int) -> int:
    return -(-ms // period_ms)


def _contact(row: "int | tuple[int, int]", bit: int) -> tuple:
    """(a function that reads it, its level while the pole is closed, the pole's bit)"""
    pin, closed = row if isinstance(row, tuple) else (row, 1)
    return Pin(pin, Pin.IN).value, closed, bit
