"""A small Modbus RTU slave at the far end of a UART, with the registers of an Eastron SDM630.

It takes bytes as they come and answers whole requests. Read only: functions 3 and 4, even registers from 0 to 0x4B.
"""

import struct

from micropython import const
from station.drivers.modbus import crc16

ADDRESS = const(1)
HOWS = ("ok", "silent", "corrupt")

_REGISTERS = const(0x4C)
_ILLEGAL_FUNCTION = const(1)
_ILLEGAL_ADDRESS = const(2)


class Meter:
    """`measure()` gives (energy_wh, current_ma, phases, voltage_dv); `seen()` is called once energy was read."""

    def __init__(self, measure, seen) -> None:
        self._measure = measure
        self._seen = seen
        self._request = bytearray()
        self.rx = bytearray()
        self.how = "ok"

    def write(self, data: bytes) -> None:
        """Bytes from the master; each whole request of 8 is answered into `rx`, or dropped if it is not for us."""
        self._request.extend(data)
        if self._request[0] != ADDRESS:
            self._request = bytearray()
        elif len(self._request) >= 8:
            frame, self._request = self._request[:8], bytearray()
            if self.how != "silent" and crc16(frame, 6) == frame[6] | frame[7] << 8:
                self._answer(frame)

    def _answer(self, frame: bytearray) -> None:
        function, register, count = frame[1], frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
        if function not in (3, 4):
            reply = bytearray((ADDRESS, function | 0x80, _ILLEGAL_FUNCTION))
        elif not 1 <= count <= 80 or register + count > _REGISTERS or (register | count) & 1:
            reply = bytearray((ADDRESS, function | 0x80, _ILLEGAL_ADDRESS))
        else:
            reply = bytearray((ADDRESS, function, 2 * count)) + self._image()[2 * register : 2 * (register + count)]
        crc = crc16(reply, len(reply))
        if self.how == "corrupt":
            crc ^= 0x0100
        reply.append(crc & 255)
        reply.append(crc >> 8)
        self.rx = reply
        if register <= 0x48 < register + count:
            self._seen()

    def _image(self) -> bytearray:
        """All registers at this moment, as singles."""
        energy_wh, current_ma, phases, voltage_dv = self._measure()
        image = bytearray(2 * _REGISTERS)
        amps, volts = current_ma / 1000, voltage_dv / 10
        for phase in range(3):
            struct.pack_into(">f", image, 4 * phase, volts)
            if phase < phases:
                struct.pack_into(">f", image, 0x06 * 2 + 4 * phase, amps)
                struct.pack_into(">f", image, 0x0C * 2 + 4 * phase, amps * volts)
        struct.pack_into(">f", image, 0x34 * 2, amps * volts * phases)
        struct.pack_into(">f", image, 0x46 * 2, 50.0)
        struct.pack_into(">f", image, 0x48 * 2, energy_wh / 1000)
        return image
