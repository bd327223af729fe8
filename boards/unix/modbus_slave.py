"""A small Modbus RTU slave at the far end of a UART: an energy meter of any of the types in `meter_models.py`.

It takes bytes as they come and answers whole requests, read only. It shares no table and no code with the firmware's
driver: an error in one of them must show at the other.
"""

from micropython import const

HOWS = ("ok", "silent", "corrupt")

_ILLEGAL_FUNCTION = const(1)
_ILLEGAL_ADDRESS = const(2)


def crc16(data) -> int:
    """CRC of Modbus over Serial Line 1.02 §6.2.2, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def framed(body) -> bytearray:
    """The body with its CRC behind it, low byte first."""
    crc = crc16(body)
    return bytearray(body) + bytes((crc & 255, crc >> 8))


class Meter:
    """`model` is one of `meter_models.MODELS`; `measure()` gives (energy_wh, current_ma, phases, voltage_dv);
    `seen()` is called once energy was read. `how` is one of HOWS."""

    def __init__(self, model, measure, seen, address: int = 1) -> None:
        self._model = model
        self._measure = measure
        self._seen = seen
        self._request = bytearray()
        self.address = address
        self.rx = bytearray()
        self.how = "ok"

    def write(self, data) -> None:
        """Bytes from the master; each whole request of 8 is answered into `rx`, or dropped if it is not for us."""
        self._request.extend(data)
        if self._request and self._request[0] != self.address:
            self._request = bytearray()
        elif len(self._request) >= 8:
            frame, self._request = self._request[:8], bytearray()
            if self.how != "silent" and framed(frame[:6]) == frame:
                self._answer(frame)

    def _answer(self, frame: bytearray) -> None:
        function, register, count = frame[1], frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
        model = self._model
        if function not in model.functions:
            reply = framed((self.address, function | 0x80, _ILLEGAL_FUNCTION))
        elif not model.has(register, count):
            reply = framed((self.address, function | 0x80, _ILLEGAL_ADDRESS))
        else:
            image = model.image(register, count, *self._measure())
            reply = framed(bytearray((self.address, function, 2 * count)) + image)
        if self.how == "corrupt":
            reply[-1] ^= 1
        self.rx = reply
        if register <= model.energy_register < register + count:
            self._seen()
