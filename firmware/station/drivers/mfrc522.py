"""The MFRC522, a reader chip for ISO/IEC 14443 A at 106 kbit/s, on SPI: its registers, and one exchange with the field.

`await start()` resets and configures it, `field(on)` switches the antenna, `await transceive(…)` sends a frame and
takes the answer, `check()` says whether the chip is still the one that was configured. All but transceive's waiting are
a few SPI transfers of microseconds. A chip that is not there, or answers nonsense, raises OSError; nothing else does.
"""

import asyncio

from machine import SPI, Pin
from micropython import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What `version` is of chips that are known to work: NXP's, then Fudan's and other copies of it.
VERSIONS = (0x91, 0x92)
CLONES = (0x88, 0xB2, 0x12)

FIFO_BYTES = const(64)
NO_ANSWER = const(0)
BROKEN = const(-1)

_BAUD = const(4_000_000)  # the chip takes 10 MHz; wires on a panel do not
_RESET_MS = const(1)  # the pin is low for at least 100 ns
_WAKE_MS = const(5)  # its crystal starts
_WAKE_POLLS = const(20)
# An exchange takes at most 64 bytes of 85 us and the timer's 1 ms: a chip that says nothing for longer is dead.
_POLL_MS = const(1)
_POLLS = const(15)

# registers, data sheet §9.2
_COMMAND = const(0x01)
_COM_IRQ = const(0x04)
_ERROR = const(0x06)
_FIFO_DATA = const(0x09)
_FIFO_LEVEL = const(0x0A)
_CONTROL = const(0x0C)
_BIT_FRAMING = const(0x0D)
_COLL = const(0x0E)
_MODE = const(0x11)
_TX_MODE = const(0x12)
_RX_MODE = const(0x13)
_TX_CONTROL = const(0x14)
_TX_ASK = const(0x15)
_RF_CFG = const(0x26)
_T_MODE = const(0x2A)
_T_PRESCALER = const(0x2B)
_T_RELOAD_H = const(0x2C)
_T_RELOAD_L = const(0x2D)
_VERSION = const(0x37)

_IDLE = const(0x00)
_TRANSCEIVE = const(0x0C)
_SOFT_RESET = const(0x0F)
_POWER_DOWN = const(0x10)
_CLEAR_IRQS = const(0x7F)
_RX_OR_IDLE_IRQ = const(0x30)
_ERR_IRQ = const(0x02)
_TIMER_IRQ = const(0x01)
_COLL_ERR = const(0x08)
_OTHER_ERR = const(0xD3)  # WrErr, TempErr, BufferOvfl, ParityErr, ProtocolErr; CRCs are not the chip's task here
_FLUSH = const(0x80)
_START_SEND = const(0x80)
_ANTENNA = const(0x03)
_NOT_VALID = const(0x20)

_T_AUTO = const(0x80)
_PRESCALER = const(169)  # 13.56 MHz / (2 x 169 + 1): 25 us
_RELOAD = const(40)  # 1 ms; a card begins its answer within 91 us (ISO/IEC 14443-3 §6.2.1.1)
_ASK_100 = const(0x40)

# What it is configured with; each is read back, so a bus with a stuck or a swapped wire is found out.
_SETUP = (
    (_TX_MODE, 0x00),  # 106 kbit/s, no CRC: short frames have none
    (_RX_MODE, 0x00),
    (_TX_ASK, _ASK_100),
    (_MODE, 0x3D),  # as after a reset, but a CRC begins with 6363h
    (_RF_CFG, 0x48),  # 33 dB
    (_T_MODE, _T_AUTO),
    (_T_PRESCALER, _PRESCALER),
    (_T_RELOAD_H, 0x00),
    (_T_RELOAD_L, _RELOAD),
)
_CHECKED = bytes((_VERSION, _TX_ASK, _T_MODE, _T_RELOAD_L))  # after a reset the last three are 00h
_OUTCOME = bytes((_ERROR, _FIFO_LEVEL, _CONTROL, _COLL))


class Mfrc522:
    """The chip on the SPI bus `spi` (arguments of machine.SPI, pins by their id), with its pins select and reset.

    `reset` is a pin id or None where the pin is not connected. `version` is the VersionReg, 0 before `start`.
    After an exchange `collided` says whether cards differed in a bit, and `before_collision` in which: the number of
    data bits before it, -1 if the chip does not know. Its data sheet leaves open how that counts once bits of the
    answer are known beforehand, so rely on it only where the whole of a UID was asked for.
    """

    def __init__(self, spi: "dict[str, Any]", select, reset=None) -> None:
        wires: "dict[str, Any]" = {name: Pin(value) for name, value in spi.items() if name != "id"}
        self._spi = SPI(spi["id"], baudrate=_BAUD, polarity=0, phase=0, **wires)
        self._select = Pin(select, Pin.OUT, value=1)
        self._reset = None if reset is None else Pin(reset, Pin.OUT, value=0)  # in power-down until `start`
        self._frame = bytearray(FIFO_BYTES + 1)  # an SPI transfer: what goes out is replaced by what comes in
        self._view = memoryview(self._frame)
        self._pair, self._quad = self._view[:2], self._view[: len(_OUTCOME) + 1]
        self._antenna_off = 0
        self.version = 0
        self.collided = False
        self.before_collision = -1

    async def start(self) -> None:
        """Reset and configure; raises OSError if there is no such chip. The antenna is off afterwards."""
        self.version = 0
        if self._reset:
            self._reset.value(0)
            await asyncio.sleep_ms(_RESET_MS)
            self._reset.value(1)
            await asyncio.sleep_ms(_WAKE_MS)
        self._write(_COMMAND, _SOFT_RESET)
        polls = _WAKE_POLLS
        while True:
            await asyncio.sleep_ms(_POLL_MS)
            if not self._read(_COMMAND) & _POWER_DOWN:
                break
            polls -= 1
            if not polls:
                raise OSError("MFRC522: does not come out of reset")
        version = self._read(_VERSION)
        if version not in VERSIONS and version not in CLONES:
            raise OSError("MFRC522: version 0x%02X is no such chip" % version)
        for register, value in _SETUP:
            self._write(register, value)
        for register, value in _SETUP:
            got = self._read(register)
            if got != value:
                raise OSError("MFRC522: register 0x%02X was set to 0x%02X, reads 0x%02X" % (register, value, got))
        self._write(_COLL, 0x00)  # bits after a collision read as 0; its other bits change by themselves
        self._antenna_off = self._read(_TX_CONTROL) & ~_ANTENNA
        self.version = version

    def check(self) -> None:
        """Raises OSError if the chip is gone, was reset behind our back, or was never started."""
        got = self._read_four(_CHECKED)
        if not self.version or got[1] != self.version:
            raise OSError("MFRC522: version reads 0x%02X, was 0x%02X" % (got[1], self.version))
        if got[2] != _ASK_100 or got[3] != _T_AUTO or got[4] != _RELOAD:
            raise OSError("MFRC522: has lost its settings")

    def field(self, on: bool) -> None:
        """Switch the antenna. Cards are ready 5 ms after that, and have forgotten all 5 ms after it is off."""
        self._write(_TX_CONTROL, self._antenna_off | (_ANTENNA if on else 0))

    async def transceive(self, frame, size: int, last_bits: int, answer, align: int = 0) -> int:
        """Send `size` bytes, of the last one only `last_bits` bits (0: all); returns how many bits `answer` has now.

        The first bit of the answer goes to bit `align` of answer[0]; the bits below count, too, and are 0. NO_ANSWER:
        no card spoke within 1 ms; BROKEN: what came is no frame, or is longer than `answer`. Raises OSError if the
        chip does not finish.
        """
        self.collided = False
        self.before_collision = -1
        self._write(_COMMAND, _IDLE)
        self._write(_COM_IRQ, _CLEAR_IRQS)
        self._write(_FIFO_LEVEL, _FLUSH)
        self._write_fifo(frame, size)
        self._write(_BIT_FRAMING, align << 4 | last_bits)
        self._write(_COMMAND, _TRANSCEIVE)
        self._write(_BIT_FRAMING, _START_SEND | align << 4 | last_bits)
        polls = _POLLS
        failing = False
        while True:
            await asyncio.sleep_ms(_POLL_MS)
            irqs = self._read(_COM_IRQ)
            if irqs & (_RX_OR_IDLE_IRQ | _TIMER_IRQ):
                break
            if irqs & _ERR_IRQ:
                if failing:  # it had a frame's time for the rest of the frame
                    break
                failing = True
            polls -= 1
            if not polls:
                raise OSError("MFRC522: does not finish an exchange")
        if irqs & _TIMER_IRQ and not irqs & (_RX_OR_IDLE_IRQ | _ERR_IRQ):
            return NO_ANSWER
        return self._take(answer)

    def _take(self, answer) -> int:
        got = self._read_four(_OUTCOME)
        errors, size, last_bits, collision = got[1], got[2], got[3] & 7, got[4]
        if errors & _COLL_ERR:  # which breaks parity and protocol as well
            self.collided = True
            if not collision & _NOT_VALID:
                self.before_collision = ((collision & 31) or 32) - 1
        elif errors & _OTHER_ERR:
            return BROKEN
        if not 0 < size <= len(answer):
            return BROKEN
        self._read_fifo(answer, size)
        return 8 * size if not last_bits else 8 * size - 8 + last_bits

    # --- SPI (data sheet §8.1.2): the address byte is RAAAAAA0, R for reading; a read's data come one byte later

    def _write(self, register: int, value: int) -> None:
        pair = self._pair
        pair[0], pair[1] = register << 1, value
        self._select.value(0)
        self._spi.write(pair)
        self._select.value(1)

    def _read(self, register: int) -> int:
        pair = self._pair
        pair[0], pair[1] = 0x80 | register << 1, 0
        self._transfer(pair)
        return pair[1]

    def _read_four(self, registers: bytes) -> memoryview:
        """The values of four registers, from index 1 on; good until the next transfer."""
        quad = self._quad
        i = 0
        while i < 4:
            quad[i] = 0x80 | registers[i] << 1
            i += 1
        quad[4] = 0
        self._transfer(quad)
        return quad

    def _write_fifo(self, data, size: int) -> None:
        frame = self._frame
        frame[0] = _FIFO_DATA << 1
        i = 0
        while i < size:
            frame[i + 1] = data[i]
            i += 1
        self._select.value(0)
        self._spi.write(self._view[: size + 1])
        self._select.value(1)

    def _read_fifo(self, data, size: int) -> None:
        frame = self._frame
        i = 0
        while i < size:
            frame[i] = 0x80 | _FIFO_DATA << 1
            i += 1
        frame[size] = 0
        self._transfer(self._view[: size + 1])
        i = 0
        while i < size:
            data[i] = frame[i + 1]
            i += 1

    def _transfer(self, view: memoryview) -> None:
        self._select.value(0)
        self._spi.write_readinto(view, view)
        self._select.value(1)
