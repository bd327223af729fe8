"""What each type of energy meter speaks: its line, its registers, their scale. Data only; `meter.py` reads by it.

A row of TYPES is

    (baud, parity, function, order, thinks_ms, ((first register, count), …), fields)

parity as `machine.UART` takes it (None, 0 even, 1 odd), always 8 data bits and 1 stop bit. `thinks_ms` is how long
the meter may take until the first byte of its reply. `fields` are nine, in the order of a measurement: energy imported,
power, current of L1 to L3, voltage of L1 to L3, frequency. Each is (register, kind, exponent): the number in the
register times 10 ** exponent is Wh, W, mA, 0.1 V or 0.01 Hz. `None` is a quantity that the meter does not measure.

A reply does not say which registers it brings. So no two requests of a type ask for the same count: a reply that
comes late is never taken for that to another request.
"""

from micropython import const

from station.drivers import modbus

# kinds
F32 = const(0)  # IEEE 754 single
U16 = const(1)
I16 = const(2)
U32 = const(3)
I32 = const(4)
U64 = const(5)
I64 = const(6)

WORDS = (2, 1, 1, 2, 2, 4, 4)  # registers of each kind

# order of the registers of one number
HIGH_FIRST = const(0)
LOW_FIRST = const(1)

EVEN = const(0)  # as machine.UART has it

# Eastron SDM630-Modbus V2, "Modbus Protocol Implementation" §1.2 (input registers); at most 80 in a request, so that
# one takes all and the numbers belong together.
_SDM630 = (
    9600,
    None,
    modbus.READ_INPUT,
    HIGH_FIRST,
    250,
    ((0x0000, 74),),
    (
        (0x0048, F32, 3),  # 30073 total import, kWh
        (0x0034, F32, 0),  # 30053 total system power, W
        (0x0006, F32, 3),  # 30007, 30009, 30011 phase currents, A
        (0x0008, F32, 3),
        (0x000A, F32, 3),
        (0x0000, F32, 1),  # 30001, 30003, 30005 phase to neutral, V
        (0x0002, F32, 1),
        (0x0004, F32, 1),
        (0x0046, F32, 2),  # 30071 frequency, Hz
    ),
)

# Eastron SDM72D-M-2 (V2), "Modbus Protocol" §1.2: the SDM630's addresses. At most 30 numbers in a request.
_SDM72 = (
    9600,
    None,
    modbus.READ_INPUT,
    HIGH_FIRST,
    250,
    ((0x0000, 12), (0x0034, 22)),
    _SDM630[6],
)

# Eastron SDM72D-M (first version), user manual V1.5 part 3: of these it has total power and energies only.
_SDM72V1 = (
    9600,
    None,
    modbus.READ_INPUT,
    HIGH_FIRST,
    250,
    ((0x0034, 2), (0x0048, 4)),
    ((0x0048, F32, 3), (0x0034, F32, 0), None, None, None, None, None, None, None),
)

# Eastron SDM230-Modbus, "Modbus Protocol Implementation" §1.2, one phase.
_SDM230 = (
    9600,
    None,
    modbus.READ_INPUT,
    HIGH_FIRST,
    250,
    ((0x0000, 14), (0x0046, 4)),
    (
        (0x0048, F32, 3),  # 30073 import active energy, kWh
        (0x000C, F32, 0),  # 30013 active power, W
        (0x0006, F32, 3),  # 30007 current, A
        None,
        None,
        (0x0000, F32, 1),  # 30001 voltage, V
        None,
        None,
        (0x0046, F32, 2),  # 30071 frequency, Hz
    ),
)

# ABB EQ meters B23/B24, user manual 2CMC485003M0201 chapter "Communication with Modbus", mapping tables "Total energy
# accumulators" and "Instantaneous values". Holding registers, high word first, at most 125 in a request. A quantity
# without a value reads as all ones (unsigned) or as the highest positive number (signed). The line is set at the meter.
_B23 = (
    9600,
    EVEN,
    modbus.READ_HOLDING,
    HIGH_FIRST,
    500,
    ((0x5000, 4), (0x5B00, 45)),
    (
        (0x5000, U64, 1),  # active energy import, 0.01 kWh
        (0x5B14, I32, -2),  # active power total, 0.01 W
        (0x5B0C, U32, 1),  # current L1, L2, L3, 0.01 A
        (0x5B0E, U32, 1),
        (0x5B10, U32, 1),
        (0x5B00, U32, 0),  # voltage L1-N, L2-N, L3-N, 0.1 V
        (0x5B02, U32, 0),
        (0x5B04, U32, 0),
        (0x5B2C, U16, 0),  # frequency, 0.01 Hz
    ),
)

# Carlo Gavazzi EM330/EM340, "EM300 Series and ET300 Series Communication Protocol" V2 R9, "Instantaneous variables and
# meters (grouped by variable type)". INT32, low word first, at most 50 in a request; 7FFFFFFFh is an overflow.
_EM340 = (
    9600,
    None,
    modbus.READ_INPUT,
    LOW_FIRST,
    500,
    ((0x0000, 18), (0x0028, 14)),
    (
        (0x0034, I32, 2),  # 300053 kWh (+) TOT, 0.1 kWh
        (0x0028, I32, -1),  # 300041 W sys, 0.1 W
        (0x000C, I32, 0),  # 300013, 300015, 300017 A L1 to L3, 0.001 A
        (0x000E, I32, 0),
        (0x0010, I32, 0),
        (0x0000, I32, 0),  # 300001, 300003, 300005 V L1-N to L3-N, 0.1 V
        (0x0002, I32, 0),
        (0x0004, I32, 0),
        (0x0033, I16, 1),  # 300052 Hz, 0.1 Hz
    ),
)

TYPES = {
    "SDM72": _SDM72,
    "SDM72V1": _SDM72V1,
    "SDM230": _SDM230,
    "SDM630": _SDM630,
    "B23": _B23,
    "EM340": _EM340,
}
