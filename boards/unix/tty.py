"""A serial line of this host, as a device at a UART: a USB adapter, or a pseudo-terminal with whoever is at its end."""

import select

_ROOM = 4096  # bytes that may wait here


class Tty:
    """`path` of a tty in raw mode, with the speed and parity that it is set to. Raises OSError if it cannot be opened.

    `rx`: the bytes that have come; what is taken from it is assigned back.
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "r+b")  # noqa: SIM115 - as long as the process lives
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._rx = bytearray()

    @property
    def rx(self) -> bytearray:
        while len(self._rx) < _ROOM and self._poll.poll(0):
            byte = self._file.read(1)
            if not byte:
                break
            self._rx.extend(byte)
        return self._rx

    @rx.setter
    def rx(self, data) -> None:
        self._rx = bytearray(data)

    def write(self, data) -> None:
        self._file.write(data)
