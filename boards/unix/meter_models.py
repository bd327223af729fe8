"""The registers of the energy meters that the simulator can play, written from their data sheets.

A model has `functions`, `has(register, count)`: may this be read?, and `image(…)`: the bytes of these registers. The
mains have 50 Hz; the car draws the same current in each of its phases, at a power factor of 1.
"""

import struct


class _Model:
    """`blocks` are the (first, last + 1) registers that may be read in one piece, `most` how many at once."""

    functions = ()
    blocks = ()
    most = 125
    energy_register = 0

    def has(self, register: int, count: int) -> bool:
        inside = any([first <= register and register + count <= end for first, end in self.blocks])
        return 1 <= count <= self.most and inside

    def image(self, register: int, count: int, energy_wh: int, current_ma: int, phases: int, voltage_dv: int) -> bytes:
        """`2 * count` bytes from `register` on; registers without a meaning are 0."""
        data = bytearray(2 * count)
        for first, piece in self.cells(energy_wh, current_ma, phases, voltage_dv):
            for index, byte in enumerate(piece):
                at = 2 * (first - register) + index
                if 0 <= at < len(data):
                    data[at] = byte
        return data


class Sdm630(_Model):
    """Eastron SDM630-Modbus: input registers, singles, high word first, from even registers only."""

    functions = (3, 4)
    blocks = ((0x0000, 0x004C),)
    most = 80
    energy_register = 0x48
    lines = 3

    def has(self, register: int, count: int) -> bool:
        return _Model.has(self, register, count) and not (register | count) & 1

    def cells(self, energy_wh, current_ma, phases, voltage_dv):
        amps, volts = current_ma / 1000, voltage_dv / 10
        for line in range(self.lines):
            used = line < phases
            yield 0x00 + 2 * line, struct.pack(">f", volts)
            yield 0x06 + 2 * line, struct.pack(">f", amps if used else 0)
            yield 0x0C + 2 * line, struct.pack(">f", amps * volts if used else 0)
        yield 0x34, struct.pack(">f", amps * volts * phases)
        yield 0x46, struct.pack(">f", 50)
        yield 0x48, struct.pack(">f", energy_wh / 1000)


class Sdm72(Sdm630):
    """Eastron SDM72D-M-2: at most 30 numbers at once."""

    functions = (4,)
    most = 60


class Sdm72V1(Sdm72):
    """Eastron SDM72D-M: total power and energies, nothing of the phases."""

    blocks = ((0x0034, 0x0036), (0x0048, 0x004C))

    def cells(self, energy_wh, current_ma, phases, voltage_dv):
        yield 0x34, struct.pack(">f", current_ma * voltage_dv * phases / 10_000)
        yield 0x48, struct.pack(">f", energy_wh / 1000)


class Sdm230(Sdm630):
    """Eastron SDM230-Modbus: one phase."""

    functions = (4,)
    blocks = ((0x0000, 0x0020), (0x0046, 0x0050))
    lines = 1


class B23(_Model):
    """ABB B23: holding registers, integers, high word first; what a phase does not have reads as no value."""

    functions = (3,)
    blocks = ((0x5000, 0x5004), (0x5B00, 0x5B43))
    energy_register = 0x5000

    def cells(self, energy_wh, current_ma, phases, voltage_dv):
        yield 0x5000, struct.pack(">Q", energy_wh // 10)
        yield 0x5B14, struct.pack(">i", current_ma * voltage_dv * phases // 100)  # 0.01 W
        for line in range(3):
            yield 0x5B00 + 2 * line, struct.pack(">I", voltage_dv)
            yield 0x5B0C + 2 * line, struct.pack(">I", current_ma // 10 if line < phases else 0)
            yield 0x5B12, b"\xff\xff\xff\xff"  # the neutral's current is not measured
        yield 0x5B2C, struct.pack(">H", 5000)


class Em340(_Model):
    """Carlo Gavazzi EM340: integers of 32 bits, low word first; functions 3 and 4 are the same."""

    functions = (3, 4)
    blocks = ((0x0000, 0x0050),)
    most = 50
    energy_register = 0x34

    def cells(self, energy_wh, current_ma, phases, voltage_dv):
        yield 0x34, _low_first(energy_wh // 100)
        yield 0x28, _low_first(current_ma * voltage_dv * phases // 1000)  # 0.1 W
        for line in range(3):
            yield 0x00 + 2 * line, _low_first(voltage_dv)
            yield 0x0C + 2 * line, _low_first(current_ma if line < phases else 0)
        yield 0x33, struct.pack(">h", 500)


def _low_first(number: int) -> bytes:
    return struct.pack(">HH", number & 0xFFFF, number >> 16 & 0xFFFF)


MODELS = {
    "SDM72": Sdm72(),
    "SDM72V1": Sdm72V1(),
    "SDM230": Sdm230(),
    "SDM630": Sdm630(),
    "B23": B23(),
    "EM340": Em340(),
}
