"""`machine` for drivers that run on the unix port before a real tty: `UART("/dev/pts/3")`. Reads never wait."""

import select


class UART:
    """`id` is the path of a tty in raw mode; a pseudo-terminal has no baud rate and no parity."""

    def __init__(self, id, baudrate=9600, bits=8, parity=None, stop=1, *, rxbuf=256):
        self._tty = open(id, "r+b")  # noqa: SIM115 - as long as the process lives
        self._poll = select.poll()
        self._poll.register(self._tty, select.POLLIN)
        self._rxbuf = rxbuf
        self._rx = bytearray()

    def any(self):
        while len(self._rx) < self._rxbuf and self._poll.poll(0):
            byte = self._tty.read(1)
            if not byte:
                break
            self._rx.extend(byte)
        return len(self._rx)

    def readinto(self, buf):
        size = min(self.any(), len(buf))
        buf[:size] = self._rx[:size]
        self._rx = self._rx[size:]
        return size or None

    def write(self, buf):
        self._tty.write(buf)
        return len(buf)


class Pin:
    """There is none at a tty."""
