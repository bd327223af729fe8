"""Modbus RTU, the master's side, sans-I/O: `request()`, `write_registers()` and `write_file()` make the bytes to send,
`find()` picks the reply out of what came back, `unpack()` takes its data, `parse()` says what is wrong where there is
none. A reply is judged by its request.

Opens nothing and waits for nothing. (Modbus over Serial Line 1.02 §2.5, Modbus Application Protocol 1.1b3 §6, §7.)
"""

from micropython import const

READ_HOLDING = const(3)
READ_INPUT = const(4)
WRITE_REGISTERS = const(16)
WRITE_FILE = const(21)
MAX_COUNT = const(125)  # registers in one request
MAX_WRITTEN = const(123)  # registers in one request
FILE_RECORDS = const(10_000)  # registers of one file
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
    if function not in (READ_HOLDING, READ_INPUT):
        raise ValueError("Modbus function must be 3 or 4, got %r" % function)
    if not 1 <= count <= MAX_COUNT or not 0 <= register <= 0x10000 - count:
        raise ValueError("no %r Modbus registers from %r on" % (count, register))
    return _framed(address, (function, register >> 8, register & 255, count >> 8, count & 255))


def write_registers(address: int, register: int, data: bytes) -> bytes:
    """The request that writes `data`, two bytes a register, from `register` on (§6.12). Raises ValueError."""
    count = len(data) // 2
    if len(data) & 1 or not 1 <= count <= MAX_WRITTEN or not 0 <= register <= 0x10000 - count:
        raise ValueError("no %r bytes into Modbus registers from %r on" % (len(data), register))
    return _framed(address, (WRITE_REGISTERS, register >> 8, register & 255, 0, count, 2 * count), data)


def write_file(address: int, file: int, record: int, data: "bytes | memoryview") -> bytes:
    """The request that writes `data`, two bytes a record, into a file from `record` on (§6.15). Raises ValueError."""
    count = len(data) // 2
    if len(data) & 1 or not 1 <= count <= 122 or not 1 <= file <= 0xFFFF or not 0 <= record <= FILE_RECORDS - count:
        raise ValueError("no %r bytes into Modbus file %r from record %r on" % (len(data), file, record))
    head = (WRITE_FILE, 7 + 2 * count, 6, file >> 8, file & 255, record >> 8, record & 255, 0, count)
    return _framed(address, head, data)


def _framed(address: int, head: "tuple[int, ...]", data: "bytes | memoryview" = b"") -> bytes:
    if not 1 <= address <= 247:
        raise ValueError("Modbus address must be 1 to 247, got %r" % address)
    frame = bytearray((address,) + head)
    frame.extend(data)
    crc = crc16(frame, len(frame))
    frame.append(crc & 255)
    frame.append(crc >> 8)
    return bytes(frame)


def reply_size(request: bytes) -> int:
    """Bytes of the reply to this request, if it is no exception."""
    function = request[1]
    if function == WRITE_FILE:  # the request once more
        return len(request)
    return 8 if function == WRITE_REGISTERS else 2 * request[5] + OVERHEAD


def _third(request: bytes) -> int:
    """The third byte of the reply: bytes of data that follow, or the first half of what was written to."""
    return request[2] if request[1] in (WRITE_REGISTERS, WRITE_FILE) else 2 * request[5]


def _is_whole(received: "bytes | bytearray | memoryview", start: int, size: int) -> bool:
    """Do these `size` bytes end with their own CRC?"""
    crc = crc16(received, size - 2, start)
    return received[start + size - 2] == crc & 255 and received[start + size - 1] == crc >> 8


def find(received: "bytes | bytearray | memoryview", size: int, request: bytes, begin: int = 0) -> int:
    """Where the reply to the request begins among the first `size` bytes received; -1: it is not there (yet).

    What an adapter echoes of our own request, the noise of a line whose direction turns, a reply of somebody else:
    none of these is taken for it. Address, function, length and CRC must agree, 40 bits in all; an exception reply
    to the function counts, too. Only WRITE_FILE is answered by the request itself: where the adapter echoes, its reply
    is looked for from `begin` on, behind the echo.
    """
    address, function = request[0], request[1]
    third, whole = _third(request), reply_size(request)
    for start in range(begin, size - EXCEPTION_SIZE + 1):
        if received[start] != address:
            continue
        if received[start + 1] == function:
            if received[start + 2] == third and size - start >= whole and _is_whole(received, start, whole):
                return start
        elif received[start + 1] == function | 0x80 and _is_whole(received, start, EXCEPTION_SIZE):
            return start
    return -1


def unpack(received: "bytes | bytearray | memoryview", start: int) -> memoryview:
    """The data, a view, of the reply that `find` found at `start`; none of one that only confirms what was written.

    Raises ModbusException if it is a refusal.
    """
    function = received[start + 1]
    if function & 0x80:
        raise ModbusException("exception %d" % received[start + 2])
    length = 0 if function in (WRITE_REGISTERS, WRITE_FILE) else received[start + 2]
    return memoryview(received)[start + 3 : start + 3 + length]


def parse(reply: "bytes | bytearray | memoryview", request: bytes) -> memoryview:
    """The data of the reply to the request, a view into `reply`; raises ModbusError with what is wrong with it."""
    size, whole = len(reply), reply_size(request)
    address, function = request[0], request[1]
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
    if reply[2] != _third(request) or size != whole:
        raise ModbusError("reply with %d bytes of data instead of %d" % (size - OVERHEAD, whole - OVERHEAD))
    return unpack(reply, 0)
