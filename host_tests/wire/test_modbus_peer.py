"""The meter driver against pymodbus, which plays every type of meter, over pseudo-terminals.

The registers below are written from the data sheets, apart from the driver's table, and pymodbus's own encoder makes
them: `convert_to_registers` with its word order.
"""

import contextlib

import pytest
from line import BAUD, Driver, Line
from pymodbus import FramerType
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

KIND = ModbusClientMixin.DATATYPE
INPUT, HOLDING, BOTH = "input", "holding", "both"

# type: (table, word order, [(first, last) register of each block], {register: (data type, value)}, what is read)
# The numbers are all different, so that one taken for another shows.
SDM_PHASES = {
    0x0000: (KIND.FLOAT32, 229.5),
    0x0002: (KIND.FLOAT32, 230.6),
    0x0004: (KIND.FLOAT32, 231.7),
    0x0006: (KIND.FLOAT32, 15.25),
    0x0008: (KIND.FLOAT32, 14.125),
    0x000A: (KIND.FLOAT32, 13.5),
    0x000C: (KIND.FLOAT32, 3499.875),
}
SDM_TOTALS = {
    0x0034: (KIND.FLOAT32, 9885.0),
    0x0048: (KIND.FLOAT32, 7654.321),
    0x004A: (KIND.FLOAT32, 11.0),  # exported
}
SDM_FREQUENCY = {0x0046: (KIND.FLOAT32, 49.98)}
THREE = [7_654_321, 9885, 15250, 14125, 13500, 2295, 2306, 2317, 4998]
METERS = {
    "SDM630": (INPUT, "big", [(0, 0x4F)], {**SDM_PHASES, **SDM_TOTALS, **SDM_FREQUENCY}, THREE),
    "SDM72": (INPUT, "big", [(0, 0x4F)], {**SDM_PHASES, **SDM_TOTALS, **SDM_FREQUENCY}, THREE),
    "SDM72V1": (INPUT, "big", [(0x34, 0x35), (0x48, 0x4B)], SDM_TOTALS, [7_654_321, 9885, *[0] * 7]),
    "SDM230": (
        INPUT,
        "big",
        [(0, 0x1F), (0x46, 0x4F)],
        {
            0x0000: (KIND.FLOAT32, 229.5),
            0x0006: (KIND.FLOAT32, 15.25),
            0x000C: (KIND.FLOAT32, 3499.875),
            0x0046: (KIND.FLOAT32, 49.98),
            0x0048: (KIND.FLOAT32, 7654.321),
        },
        [7_654_321, 3500, 15250, 0, 0, 2295, 0, 0, 4998],
    ),
    "B23": (
        HOLDING,
        "big",
        [(0x5000, 0x500B), (0x5B00, 0x5B42)],
        {
            0x5000: (KIND.UINT64, 0x1_2345_6789),  # 0.01 kWh
            0x5004: (KIND.UINT64, 99),  # exported
            0x5B00: (KIND.UINT32, 2295),  # 0.1 V
            0x5B02: (KIND.UINT32, 2306),
            0x5B04: (KIND.UINT32, 2317),
            0x5B06: (KIND.UINT32, 3976),  # between phases
            0x5B0C: (KIND.UINT32, 1525),  # 0.01 A
            0x5B0E: (KIND.UINT32, 1412),
            0x5B10: (KIND.UINT32, 0xFFFFFFFF),  # no value
            0x5B14: (KIND.INT32, -988_551),  # 0.01 W
            0x5B16: (KIND.INT32, 349_987),  # L1
            0x5B2C: (KIND.UINT16, 4998),  # 0.01 Hz
        },
        [48_867_183_450, -9886, 15250, 14120, 0, 2295, 2306, 2317, 4998],
    ),
    "EM340": (
        BOTH,
        "little",
        [(0, 0x4F)],
        {
            0x0000: (KIND.INT32, 2295),  # 0.1 V
            0x0002: (KIND.INT32, 2306),
            0x0004: (KIND.INT32, 2317),
            0x0006: (KIND.INT32, 3976),
            0x000C: (KIND.INT32, 152_500),  # 0.001 A: more than 16 bits
            0x000E: (KIND.INT32, 141_250),
            0x0010: (KIND.INT32, 135_000),
            0x0012: (KIND.INT32, 34_998),
            0x0028: (KIND.INT32, -98_851),  # 0.1 W
            0x0033: (KIND.INT16, 500),  # 0.1 Hz
            0x0034: (KIND.INT32, 87_654_321),  # 0.1 kWh
            0x004E: (KIND.INT32, 5),  # exported
        },
        [8_765_432_100, -9885, 152_500, 141_250, 135_000, 2295, 2306, 2317, 5000],
    ),
}


def device(kind, address, replaced=()):
    """The SimDevice of a type; `replaced` is {register: (data type, value)}."""
    table, order, blocks, numbers, _ = METERS[kind]
    blocks = [(first, [0] * (last - first + 1)) for first, last in blocks]
    for register, (data_type, value) in {**numbers, **dict(replaced)}.items():
        words = ModbusClientMixin.convert_to_registers(value, data_type, word_order=order)
        for first, cells in blocks:
            if first <= register < first + len(cells):
                cells[register - first : register - first + len(words)] = words
    data = [SimData(first, values=cells, datatype=DataType.REGISTERS) for first, cells in blocks]
    if table == BOTH:
        return SimDevice(address, simdata=data)
    none = [SimData(0xFFF0, values=[0], datatype=DataType.REGISTERS)]
    bits = [SimData(0xFFF0, values=[False] * 16, datatype=DataType.BITS)]
    return SimDevice(address, simdata=(bits, bits, *((data, none) if table == HOLDING else (none, data))))


@contextlib.asynccontextmanager
async def line_with(*devices):
    """The path of a tty at whose other end pymodbus plays these devices."""
    addresses = {device.id for device in devices}
    ours = Line()
    theirs = Line(ours.write)
    # pymodbus answers for slaves that are not there, too: they must not hear of it
    ours.received = lambda request: theirs.write(request) if request[0] in addresses else None
    server = ModbusSerialServer(
        list(devices), framer=FramerType.RTU, port=theirs.path, baudrate=BAUD, ignore_missing_devices=True
    )
    await server.serve_forever(background=True)
    try:
        yield ours.path
    finally:
        await server.shutdown()
        ours.close()
        theirs.close()


@pytest.mark.parametrize("kind", METERS)
async def test_every_type(kind):
    async with line_with(device(kind, 1)) as path, Driver(path) as driver:
        for _ in range(2):
            assert (await driver.read(kind)).get("numbers") == METERS[kind][4]


async def test_several_on_one_line():
    async with line_with(*[device(kind, 10 + i) for i, kind in enumerate(METERS)]) as path, Driver(path) as driver:
        for i, kind in enumerate(METERS):
            assert (await driver.read(kind, 10 + i)).get("numbers") == METERS[kind][4]


async def test_a_meter_of_another_type_refuses():
    async with line_with(device("SDM72V1", 1)) as path, Driver(path) as driver:
        for kind in ("SDM630", "B23"):
            assert "exception" in (await driver.read(kind))["error"]
        assert "numbers" in await driver.read("SDM72V1")


async def test_nobody_at_this_address():
    async with line_with(device("SDM630", 1)) as path, Driver(path) as driver:
        answer = await driver.read("SDM630", 2)
        assert "no reply" in answer["error"]
        assert answer["ms"] < 1500
        assert (await driver.read("SDM630", 1)).get("numbers") == THREE


@pytest.mark.parametrize(
    ("kind", "register", "data_type", "value", "found"),
    [
        ("B23", 0x5000, KIND.UINT64, 0xFFFFFFFFFFFFFFFF, None),
        ("B23", 0x5000, KIND.UINT64, 99_999_999, 999_999_990),
        ("EM340", 0x34, KIND.INT32, 0x7FFFFFFF, None),
        ("EM340", 0x34, KIND.INT32, -1, None),
        ("EM340", 0x34, KIND.INT32, 0x7FFFFFFE, 214_748_364_600),
        ("SDM630", 0x48, KIND.FLOAT32, float("nan"), None),
        ("SDM630", 0x48, KIND.FLOAT32, 99_999.0, 99_999_000),
        ("SDM630", 0x48, KIND.FLOAT32, 0.001, 1),
    ],
)
async def test_energy_at_its_limits(kind, register, data_type, value, found):
    """None: such a register is no measurement."""
    async with line_with(device(kind, 1, {register: (data_type, value)})) as path, Driver(path) as driver:
        answer = await driver.read(kind)
        assert answer.get("numbers", [None])[0] == found
        if found is None:
            assert "energy register" in answer["error"]
