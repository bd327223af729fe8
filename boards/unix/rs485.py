"""An RS-485 line at a UART, with as many slaves as you like, where bytes take their time and only one may speak.

A driver is on while its direction pin is high: what we send without it reaches nobody, what a slave says meanwhile is
lost on us. A byte that is on its way when the direction changes is lost, too. Slaves are `modbus_slave.Meter`s.
"""

import utime  # real microseconds: the simulated clock moves by whole leaps


class Line:
    """`direction` True: the pin decides (see `drive`), False: the adapter turns by itself. `echo`: it hears itself."""

    def __init__(self, slaves, baudrate: int = 9600, parity=None, thinks_us: int = 5000, direction=True, echo=False):
        self._slaves = slaves
        self._character_us = (10 if parity is None else 11) * 1_000_000 // baudrate
        self._thinks_us = thinks_us
        self._switched = direction
        self._echo = echo
        self.sending = False  # the level of the direction pin
        self._out = []  # (moment at which its last bit is out, byte), us
        self._in = []
        self._rx = bytearray()
        self.lost = 0  # bytes that nobody got
        self.collisions = 0  # bytes of slaves lost because our driver was on

    # --- what `machine.UART` does

    def write(self, data) -> None:
        """Put the bytes on the line, one after the other, from now on."""
        self._settle()
        at = max(utime.ticks_us(), self._out[-1][0] if self._out else 0)
        for byte in data:
            at += self._character_us
            self._out.append((at, byte))

    def sent(self) -> bool:
        """Is the last bit out?"""
        self._settle()
        return not self._out

    @property
    def rx(self) -> bytearray:
        self._settle()
        return self._rx

    @rx.setter
    def rx(self, data) -> None:
        self._rx = bytearray(data)

    # --- what `machine.Pin` does

    def drive(self, terminal: int, level: int) -> None:
        """The direction pin."""
        self._settle()
        self.sending = bool(level)

    def level(self, terminal: int) -> int:
        return int(self.sending)

    def _settle(self) -> None:
        """Everything that has happened until now; the pin has been as it is all the time since the last call."""
        now = utime.ticks_us()
        while self._out and self._out[0][0] <= now:
            at, byte = self._out.pop(0)
            self._went_out(at, byte)
        while self._in and self._in[0][0] <= now:
            _, byte = self._in.pop(0)
            if self._switched and self.sending:
                self.collisions += 1
            else:
                self._rx.append(byte)

    def _went_out(self, at: int, byte: int) -> None:
        if self._switched and not self.sending:
            self.lost += 1
            return
        if self._echo:
            self._rx.append(byte)
        for slave in self._slaves:
            slave.write(bytes((byte,)))
            for answer in slave.rx:
                start = max(at + self._thinks_us, self._in[-1][0] if self._in else 0)
                self._in.append((start + self._character_us, answer))
            slave.rx = bytearray()
