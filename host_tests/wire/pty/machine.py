"""`machine` for drivers that run on the unix port before a real tty: `UART("/dev/pts/3")`. Reads never wait."""

from tty import Tty


class UART:
    """`id` is the path of a tty in raw mode; a pseudo-terminal has no baud rate and no parity."""

    def __init__(self, id, baudrate=9600, bits=8, parity=None, stop=1, *, rxbuf=256):
        self._tty = Tty(id)
        self._rxbuf = rxbuf

    def any(self):
        return min(len(self._tty.rx), self._rxbuf)

    def readinto(self, buf):
        size = min(self.any(), len(buf))
        rx = self._tty.rx
        buf[:size] = rx[:size]
        self._tty.rx = rx[size:]
        return size or None

    def write(self, buf):
        self._tty.write(buf)
        return len(buf)


class Pin:
    """There is none at a tty."""
