"""The MFRC522 at the far end of an SPI bus: its registers, FIFO, commands and timer, as the data sheet has them.

Only what a reader of type A cards needs is here: Idle, CalcCRC, Transceive and SoftReset; frames at 106 kbit/s without
the chip's own CRC. What the chip would not take, or leaves open, is noted in `wrong`, one sentence each.
"""

from iso14443_cards import Field, crc_a

HOWS = ("ok", "silent")

FIFO_BYTES = 64
BIT_US = 128 / 13.56  # 106 kbit/s
DELAY_US = 1172 / 13.56  # from the end of a frame to the card's answer
START_MS = 1

# what the registers of each page hold after a reset (§9.2), constants that cost no heap where they are frozen
_AFTER_RESET = (
    b"\x00\x20\x80\x00\x14\x00\x00\x21\x00\x00\x00\x08\x10\x00\xa0\x00"
    b"\x00\x3f\x00\x00\x80\x00\x10\x84\x84\x4d\x00\x00\x62\x00\x00\xeb"
    b"\x00\xff\xff\x00\x26\x00\x48\x88\x20\x20\x00\x00\x00\x00\x00\x00"
    b"\x00\x00\x00\x00\x00\x00\x00\x92\x00\x00\x00\x00\x00\x00\x00\x00"
)
_RESERVED = b"\x00\x0f\x10\x1a\x1b\x1e\x20\x23\x25\x30\x31\x32\x33\x34\x35\x36\x38\x39\x3a\x3b\x3c\x3d\x3e\x3f"
_READ_ONLY = b"\x06\x07\x21\x22\x2e\x2f\x37"
COUNTS = ("frame", "fifo", "level")


class Mfrc522:
    """A chip with its antenna's `field`. `now()` in ms. The tester may change:

    `how`: one of HOWS; a silent chip lets the bus float. `version`: VersionReg. `stuck`: register -> what it reads.
    `counts`: how CollPos counts where the answer is stored from bit RxAlign on, which data sheets leave open: from the
    first bit of the frame, from the lowest bit of the FIFO's first byte, or from the first bit of the UID's level.
    """

    def __init__(self, now, field: "Field | None" = None) -> None:
        self._now = now
        self.field = field or Field(now)
        self.how = "ok"
        self.version = 0x92
        self.stuck = {}
        self.counts = "frame"
        self.wrong = []
        self.transfers = 0  # times that it was selected
        self._selected = False
        self._powered = True
        self._first = None  # the address byte of the transfer that goes on
        self.reset()

    # --- pins and bus

    def select(self, level: int) -> None:
        """The pin NSS."""
        self._selected = not level
        self._first = None
        if self._selected:
            self.transfers += 1

    def power(self, level: int) -> None:
        """The pin NRSTPD: low is power-down, its rise a reset."""
        if level and not self._powered:
            self.reset()
        self._powered = bool(level)
        if not level:
            self.field.power(False)

    @property
    def listens(self) -> bool:
        return self._selected and self._powered and self.how == "ok"

    def exchange(self, byte: int) -> int:
        """A byte comes in at MOSI, one goes out at MISO (§8.1.2)."""
        if self._first is None:
            self._first = byte
            if byte & 1:
                self.wrong.append("address byte 0x%02X: its last bit must be 0" % byte)
            self._address = byte >> 1 & 0x3F
            return 0
        if self._first & 0x80:
            value = self._read(self._address)
            self._address = byte >> 1 & 0x3F
            return value
        self._write(self._address, byte)
        return 0

    # --- registers

    def reset(self) -> None:
        """All registers as after power-on; also what a dip in the supply does."""
        self._registers = bytearray(_AFTER_RESET)
        self._fifo = []
        self._due = None  # when the exchange under way ends
        self._outcome = None
        self._wakes_at = self._now() + START_MS
        self.field.power(False)

    def _read(self, address: int) -> int:
        if address in self.stuck:
            return self.stuck[address] & 0xFF
        self._settle()
        if address == 0x01:
            return self._registers[0x01] | (0x10 if self._now() < self._wakes_at else 0)
        if address == 0x09:
            return self._fifo.pop(0) if self._fifo else 0
        if address == 0x0A:
            return len(self._fifo)
        if address == 0x37:
            return self.version
        return self._registers[address]

    def _write(self, address: int, value: int) -> None:
        self._settle()
        registers = self._registers
        if address in _RESERVED or address in _READ_ONLY:
            self.wrong.append("register 0x%02X is not for writing" % address)
        elif self._now() < self._wakes_at:
            self.wrong.append("register 0x%02X written while the chip wakes" % address)
        elif address == 0x01:
            self._command(value & 0x0F)
        elif address in (0x04, 0x05):
            mask = value & 0x7F
            registers[address] = registers[address] | mask if value & 0x80 else registers[address] & ~mask
        elif address == 0x09:
            if len(self._fifo) < FIFO_BYTES:
                self._fifo.append(value)
            else:
                registers[0x06] |= 0x10  # BufferOvfl
        elif address == 0x0A:
            if value & 0x80:
                self._fifo = []
                registers[0x06] &= ~0x10
        elif address == 0x0E:
            registers[0x0E] = registers[0x0E] & 0x7F | value & 0x80
        elif address == 0x0C:
            pass  # TStopNow, TStartNow: the timer is started by itself
        else:
            registers[address] = value
            if address == 0x14:
                self.field.power(bool(value & 3))
            elif address == 0x0D and value & 0x80:
                self._start()
            elif address in (0x12, 0x13) and value & 0xF8:
                self.wrong.append("the chip's own CRC and other bit rates are not modelled")

    def _command(self, command: int) -> None:
        registers = self._registers
        registers[0x01] = 0x20 | command
        registers[0x06] = 0
        self._due = None
        if command == 0x0F:
            self.reset()
        elif command == 0x03:
            crc = crc_a(self._fifo)
            registers[0x22], registers[0x21] = crc[0], crc[1]
            self._fifo = []
            registers[0x05] |= 0x04  # CRCIRq
        elif command == 0x0C:
            registers[0x01] = 0x0C  # the receiver is on
            if registers[0x0D] & 0x80:
                self._start()
        elif command not in (0x00, 0x07):
            self.wrong.append("command 0x%X is not modelled" % command)

    # --- an exchange with the field

    def _start(self) -> None:
        """StartSend: what is in the FIFO goes out; the answer is there when its time has come."""
        registers = self._registers
        if registers[0x01] != 0x0C or self._due is not None:
            return
        last = registers[0x0D] & 7
        bits = [byte >> i & 1 for byte in self._fifo for i in range(8)]
        if last and bits:
            bits = bits[: last - 8]
        self._fifo = []
        registers[0x04] |= 0x40  # TxIRq
        spent = BIT_US * len(bits) * 9 / 8
        self._outcome = self.field.exchange(bits) if bits else None
        if self._outcome:
            spent += DELAY_US + BIT_US * len(self._outcome[0]) * 9 / 8
        elif registers[0x2A] & 0x80:  # TAuto
            prescaler = (registers[0x2A] & 15) << 8 | registers[0x2B]
            spent += ((registers[0x2C] << 8 | registers[0x2D]) + 1) * (2 * prescaler + 1) / 13.56
        else:
            return  # and waits for ever
        self._due = self._now() + int(spent + 999) // 1000

    def _settle(self) -> None:
        if self._due is None or self._now() < self._due:
            return
        self._due = None
        registers = self._registers
        if self._outcome is None:
            registers[0x04] |= 0x01  # TimerIRq
            return
        answer, collision, parity_right = self._outcome
        align = registers[0x0D] >> 4 & 7
        registers[0x0E] = registers[0x0E] & 0x80 | 0x20  # CollPosNotValid
        if collision >= 0:
            self._collide(answer, collision, align)
        if not parity_right:
            registers[0x06] |= 0x02
        stored = [0] * align + answer
        registers[0x0C] = registers[0x0C] & ~7 | len(stored) & 7
        while stored:
            byte, stored = stored[:8], stored[8:]
            if len(self._fifo) < FIFO_BYTES:
                self._fifo.append(sum([bit << i for i, bit in enumerate(byte)]))
            else:
                registers[0x06] |= 0x10
        registers[0x04] |= 0x20 | (0x02 if registers[0x06] else 0)  # RxIRq, ErrIRq

    def _collide(self, answer: list, collision: int, align: int) -> None:
        registers = self._registers
        registers[0x06] |= 0x08
        place = collision + 1
        if self.counts == "fifo":
            place += align
        elif self.counts == "level":
            place += 40 - len(answer) if len(answer) <= 40 else 0
        if place <= 32:
            registers[0x0E] = registers[0x0E] & 0x80 | place & 31
        if not registers[0x0E] & 0x80:  # ValuesAfterColl
            for i in range(collision, len(answer)):
                answer[i] = 0
