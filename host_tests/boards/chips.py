"""What the pins of a chip can do, by its data sheet, as far as our boards use them.

ESP32 Series data sheet §2 and ESP32-S3 Series data sheet §2 (pins, strapping, what happens at power-up); STM32H743
data sheet DS12110, tables 9 and 10 and the alternate functions, package LQFP144.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
    """Pins are numbers on an ESP32, names as "D12" on an STM32.

    `pins` all that there are; `taken` those with flash, RAM, debugger or crystal at them; `inputs` those that can only
    be read; `adc` those of ADC 1 (an ESP32's ADC 2 is not for us) or any; `pwm` those with a timer's channel;
    `restless` those that are driven, pulled up or pulsing while the chip starts, or decide how it does: nothing that
    must be off may hang there; `never` those that stop the start if something holds them.
    """

    pins: frozenset
    taken: frozenset
    inputs: frozenset
    adc: frozenset
    pwm: frozenset
    restless: frozenset
    never: frozenset
    rmii: frozenset = frozenset()  # with fixed functions where the chip has an Ethernet MAC
    console: frozenset = frozenset()


def _set(*parts):
    found = set()
    for part in parts:
        found |= set(part) if isinstance(part, (range, set, frozenset, list, tuple)) else {part}
    return frozenset(found)


_ESP32_OUT = _set(range(0, 6), range(6, 20), range(21, 24), range(25, 28), 32, 33)
ESP32 = Chip(
    pins=_set(_ESP32_OUT, range(34, 40)),
    taken=_set(range(6, 12)),  # flash
    inputs=_set(range(34, 40)),
    adc=_set(range(32, 40)),
    pwm=_ESP32_OUT,
    restless=_set(0, 1, 2, 3, 5, 12, 14, 15),
    never=_set(12),  # the flash's voltage
    rmii=_set(19, 21, 22, 25, 26, 27),
    console=_set(1, 3),
)

_S3_OUT = _set(range(0, 22), range(26, 49))
ESP32_S3 = Chip(
    pins=_S3_OUT,
    taken=_set(range(26, 33), range(33, 38)),  # flash; octal PSRAM
    inputs=_set(),
    adc=_set(range(1, 11)),
    pwm=_S3_OUT,
    restless=_set(0, 3, 18, 19, 20, 39, 40, 41, 42, 43, 44, 45, 46),
    never=_set(0, 3, 45, 46),
    console=_set(19, 20, 43, 44),
)

_STM32_PINS = _set([f"{port}{pin}" for port in "ABCDEFG" for pin in range(16)], "H0", "H1")
STM32H743 = Chip(
    pins=_STM32_PINS,
    taken=_set("A13", "A14", "C14", "C15", "H0", "H1", "A11", "A12", "A9", "A10"),  # SWD, crystals, USB
    inputs=_set(),
    adc=_set(
        [f"A{pin}" for pin in range(8)],
        "B0",
        "B1",
        [f"C{pin}" for pin in range(6)],
        [f"F{pin}" for pin in range(3, 15)],
    ),
    pwm=_set(
        [f"A{pin}" for pin in (0, 1, 2, 3, 5, 6, 7, 8, 15)],
        [f"B{pin}" for pin in (0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15)],
        [f"C{pin}" for pin in (6, 7, 8, 9)],
        [f"D{pin}" for pin in (12, 13, 14, 15)],
        [f"E{pin}" for pin in (5, 6, 9, 11, 13, 14)],
        [f"F{pin}" for pin in (6, 7, 8, 9)],
    ),
    restless=_set("A13", "A14", "A15", "B3", "B4"),  # the debugger's, pulled from reset on
    never=_set(),
    console=_set("D8", "D9"),  # the ST-LINK's serial port
)

# (peripheral, signal): pins that it can be at, of the STM32H743; those of our boards
STM32_AF = {
    ("UART2", "TX"): {"A2", "D5"},
    ("UART2", "RX"): {"A3", "D6"},
    ("UART3", "TX"): {"B10", "C10", "D8"},
    ("UART3", "RX"): {"B11", "C11", "D9"},
    ("UART6", "TX"): {"C6", "G14"},
    ("UART6", "RX"): {"C7", "G9"},
    ("SPI3", "SCK"): {"B3", "C10"},
    ("SPI3", "MISO"): {"B4", "C11"},
    ("SPI3", "MOSI"): {"B2", "B5", "C12", "D6"},
    ("SPI3", "NSS"): {"A4", "A15"},
    ("SPI4", "SCK"): {"E2", "E12"},
    ("SPI4", "MISO"): {"E5", "E13"},
    ("SPI4", "MOSI"): {"E6", "E14"},
    ("SPI4", "NSS"): {"E4", "E11"},
    ("ETH", "MDC"): {"C1"},
    ("ETH", "MDIO"): {"A2"},
    ("ETH", "RMII_REF_CLK"): {"A1"},
    ("ETH", "RMII_CRS_DV"): {"A7"},
    ("ETH", "RMII_RXD0"): {"C4"},
    ("ETH", "RMII_RXD1"): {"C5"},
    ("ETH", "RMII_TX_EN"): {"B11", "G11"},
    ("ETH", "RMII_TXD0"): {"B12", "G13"},
    ("ETH", "RMII_TXD1"): {"B13", "G14"},
}

CHIPS = {"esp32_s3_eth": ESP32_S3, "esp32_eth": ESP32, "nucleo_h743zi": STM32H743}
