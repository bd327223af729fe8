"""Every pin that a board's board.py names exists on the chip, can do what is asked of it, and has one job."""

import csv

import pytest
from chips import CHIPS, ESP32, STM32_AF
from stand_in import Loaded, Uses

from tools.boards import BOARDS

NAMES = sorted(CHIPS)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def uses(name, monkeypatch):
    return Uses(Loaded(name, monkeypatch), CHIPS[name]).rows


def capable(chip, pin, need):
    """Can the pin do it?"""
    if pin not in chip.pins or pin in chip.taken or (pin in chip.never and need != "any"):
        return False
    if need == "adc":
        return pin in chip.adc
    if need in ("out", "pwm", "coil") and pin in chip.inputs:
        return False
    if need == "pwm":
        return pin in chip.pwm
    return need != "coil" or pin not in chip.restless


def test_each_pin_can_do_what_it_is_for(name, uses):
    assert not [row for row in uses if not capable(CHIPS[name], row[0], row[1])]


def test_no_pin_has_two_jobs(uses):
    pins = [pin for pin, _, _ in uses]
    assert not [row for row in uses if pins.count(row[0]) > 1]


def test_pins_csv_names_these_and_no_others(name, uses):
    with open(BOARDS[name].folder / "pins.csv", newline="") as file:
        named = dict(csv.reader(file))
    prefix = "GPIO" if BOARDS[name].port == "esp32" else "P"
    used = {f"{prefix}{pin}" for pin, _, _ in uses}
    # USB's power switch is the debugger's business and USB's own pins are the port's
    spare = {"USB_POWER"}
    assert {pin for what, pin in named.items() if what not in spare} == used
    assert len(set(named.values())) == len(named)


def test_a_coil_pin_in_the_table_of_names_is_the_coil(name, uses):
    with open(BOARDS[name].folder / "pins.csv", newline="") as file:
        named = {what: pin for what, pin in csv.reader(file)}
    coils = {str(pin) for pin, need, purpose in uses if need == "coil" and "coil" in purpose}
    assert {pin.removeprefix("GPIO").removeprefix("P") for what, pin in named.items() if "COIL" in what} == coils


def test_the_stm32_peripherals_are_at_pins_that_they_can_be_at(monkeypatch):
    header = Loaded("nucleo_h743zi", monkeypatch).header
    assert ("ETH", "MDC") in header and ("SPI4", "SCK") in header and ("UART2", "TX") in header
    assert not {where: pin for where, pin in header.items() if pin not in STM32_AF[where]}


@pytest.mark.parametrize(
    ("pin", "need"),
    [(12, "in"), (6, "out"), (34, "out"), (4, "adc"), (24, "in"), (5, "coil"), (14, "coil"), (36, "pwm")],
)
def test_the_check_finds_what_is_wrong(pin, need):
    assert not capable(ESP32, pin, need)
