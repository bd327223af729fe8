"""Modbus RTU, the master's side, sans-I/O: `request()` makes the bytes to send, `find()` picks the reply out of what
came back, `unpack()` takes its data, `parse()` says what is wrong where there is none.

Opens nothing and waits for nothing. (Modbus over Serial Line 1.02 §2.5, Modbus Application Protocol 1.1b3 §6, §7.)
"""

from micropython import const

READ_HOLDING = const(3)
READ_INPUT = const(4)
MAX_COUNT = const(125)  # registers in one request
OVERHEAD = const(5)  # address, function, length and CRC around the data
EXCEPTION_SIZE = const(5)  # address, function | 0x80, exception code, CRC

# One entry a nibble of the polynomial 0xA001, low bytes and high bytes. In bytes, for a frozen tuple keeps an integer
# above 8191 as a big one, and with such each step of the sum would allocate.
_CRC_LOW = b"\x00\x01\x01\x00\x01\x00\x00\x01\x01\x00\x00\x01\x00\x01\x01\x00"
_CRC_HIGH = b"\x00\xcc\xd8\x14\xf0\x3c\x28\xe4\xa0\x6c\x78\xb4\x50\x9c\x88\x44"


class ModbusError(Exception):
    """The reply cannot be used; the text says why."""


class ModbusException(ModbusError):
    """The slave says that it will not (Modbus Application Protocol 1.1b3 §7): the line is well."""


def crc16(data: "bytes | bytearray | memoryview", size: int, start: int = 0) -> int:
    """The CRC of `size` bytes from `start` on; it is sent low byte first."""
    crc = 0xFFFF
    for index in range(start, start + size):
        crc ^= data[index]
        low = crc & 15
        crc = (crc >> 4) ^ _CRC_LOW[low] ^ (_CRC_HIGH[low] << 8)
        low = crc & 15
        crc = (crc >> 4) ^ _CRC_LOW[low] ^ (_CRC_HIGH[low] << 8)
    return crc


def request(address: int, function: int, register: int, count: int) -> bytes:
    """The request for `count` registers from `register` on (Modbus Application Protocol 1.1b3 §6.3, §6.4).

    Raises ValueError for what no slave could answer.
    """
    if not 1 <= address <= 247:
        raise ValueError("Modbus address must be 1 to 247, got %r" % address)
    if function not in (READ_HOLDING, READ_INPUT):
        raise ValueError("Modbus function must be 3 or 4, got %r" % function)
    if not 1 <= count <= MAX_COUNT or not 0 <= register <= 0x10000 - count:
        raise ValueError("no %r Modbus registers from %r on" % (count, register))
    frame = bytearray((address, function, register >> 8, register & 255, count >> 8, count & 255, 0, 0))
    crc = crc16(frame, 6)
    frame[6] = crc & 255
    frame[7] = crc >> 8
    return bytes(frame)


def _is_whole(received: "bytes | bytearray | memoryview", start: int, size: int) -> bool:
    """Do these `size` bytes end with their own CRC?"""
    crc = crc16(received, size - 2, start)
    return received[start + size - 2] == crc & 255 and received[start + size - 1] == crc >> 8


def find(received: "bytes | bytearray | memoryview", size: int, address: int, function: int, count: int) -> int:
    """Where the reply to such a request begins among the first `size` bytes received; -1: it is not there (yet).

    What an adapter echoes of our own request, the noise of a line whose direction turns, a reply of somebody else:
    none of these is taken for it. Address, function, length and CRC must agree, 40 bits in all; an exception reply
    to the function counts, too.
    """
    whole = 2 * count + OVERHEAD
    for start in range(size - EXCEPTION_SIZE + 1):
        if received[start] != address:
            continue
        if received[start + 1] == function:
            if received[start + 2] == 2 * count and size - start >= whole and _is_whole(received, start, whole):
                return start
        elif received[start + 1] == function | 0x80 and _is_whole(received, start, EXCEPTION_SIZE):
            return start
    return -1


def unpack(received: "bytes | bytearray | memoryview", start: int) -> memoryview:
    """The data, a view, of the reply that `find` found at `start`; raises ModbusException if it is a refusal."""
    if received[start + 1] & 0x80:
        raise ModbusException("exception %d" % received[start + 2])
    return memoryview(received)[start + 3 : start + 3 + received[start + 2]]


def parse(reply: "bytes | bytearray | memoryview", address: int, function: int, count: int) -> memoryview:
    """The data of a reply to such a request, `2 * count` bytes, a view into `reply`; raises ModbusError with what is
    wrong with it."""
    size = len(reply)
    if not size:
        raise ModbusError("no reply")
    if size < EXCEPTION_SIZE:
        raise ModbusError("short reply of %d bytes" % size)
    if not _is_whole(reply, 0, size):
        raise ModbusError("wrong CRC in a reply of %d bytes" % size)
    if reply[0] != address:
        raise ModbusError("reply of slave %d instead of %d" % (reply[0], address))
    if reply[1] == function | 0x80:
        raise ModbusException("exception %d" % reply[2])
    if reply[1] != function:
        raise ModbusError("reply to function %d instead of %d" % (reply[1], function))
    if reply[2] != 2 * count or size != 2 * count + OVERHEAD:
        raise ModbusError("reply with %d bytes of data instead of %d" % (size - OVERHEAD, 2 * count))
    return memoryview(reply)[3 : 3 + 2 * count]
