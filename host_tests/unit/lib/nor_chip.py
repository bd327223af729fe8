"""A model of a serial NOR flash at the level of its commands (Winbond W25Q128JV §8): SPI bus and select pin at once."""

BLOCK = 4096


class Chip:
    """SPI bus and select pin at once: `select(level)`, `write`, `readinto`. Time is counted in reads of the status."""

    def __init__(self, blocks, capacity=24):
        self.cells = bytearray(b"\xff" * (blocks * BLOCK))
        self.identity = b"\xef\x40" + bytes((capacity,))
        self.busy_for = 3  # reads of the status that a program or erase takes
        self.programs = []  # bytes in each
        self.erases = 0
        self.protected = False
        self.asleep = True
        self._busy = 0
        self._enabled = False
        self._got = None

    def __call__(self, level):
        if level:
            if self._got:
                self._do(bytes(self._got))
            self._got = None
        else:
            assert self._got is None, "selected twice"
            self._got = bytearray()

    def write(self, data):
        self._got.extend(data)

    def readinto(self, buf):
        command = self._got[0]
        if self.asleep:
            buf[:] = b"\xff" * len(buf)
        elif command == 0x9F:
            buf[:] = self.identity
        elif command == 0x05:
            buf[0] = (1 if self._busy else 0) | (2 if self._enabled else 0)
            self._busy = max(0, self._busy - 1)
        else:
            assert command == 0x03 and not self._busy
            at = self._address(self._got)
            buf[:] = self.cells[at : at + len(buf)]

    def _address(self, got):
        return got[1] << 16 | got[2] << 8 | got[3]

    def _do(self, got):
        """What a command does when the chip is let go."""
        command = got[0]
        if command == 0xAB:
            self.asleep = False
        if self.asleep or command in (0x9F, 0x05, 0x03, 0xAB):
            return
        assert not self._busy, "a busy chip ignores commands"
        if command == 0x06:
            self._enabled = not self.protected
            return
        if not self._enabled:
            return
        self._enabled = False
        self._busy = self.busy_for
        at = self._address(got)
        if command == 0x20:
            self.erases += 1
            at -= at % BLOCK
            self.cells[at : at + BLOCK] = b"\xff" * BLOCK
        else:
            assert command == 0x02
            data = got[4:]
            self.programs.append(len(data))
            page = at - at % 256
            for index, byte in enumerate(data):
                self.cells[page + (at + index) % 256] &= byte  # at its end a page begins again
