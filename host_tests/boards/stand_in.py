"""Runs a board's board.py on this machine, with stand-ins for the port's modules that note what they are given."""

import importlib
import re
import sys
import types

from tools.boards import ROOT

OUT, IN = "out", "in"


class Pins(dict):
    """Pin.cpu: each attribute is its own name."""

    def __getattr__(self, name):
        return name


class Pin:
    OUT, IN = OUT, IN
    cpu = Pins()

    def __init__(self, number, mode=None, value=None):
        self.number = number.number if isinstance(number, Pin) else number
        self.mode = mode

    def __call__(self, value=None):
        return value


class Recorder:
    """A class of the port: `made` are the (arguments, keywords) that its objects were made with."""

    def __init__(self, attributes=None):
        self.made = []
        self._attributes = attributes or {}

    def __call__(self, *arguments, **keywords):
        self.made.append((arguments, keywords))
        made = types.SimpleNamespace(active=lambda on: None, **self._attributes)
        return made


class Loaded:
    """`board` is the module; `spi`, `lan` what it made of the port's classes."""

    def __init__(self, name, monkeypatch, partitions=()):
        folder = ROOT / "boards" / name
        self.spi, self.lan, self.nor = Recorder(), Recorder(), Recorder()
        self.header = self._header(folder / "mpconfigboard.h")
        lan = types.SimpleNamespace(LAN=self.lan, PHY_W5500="W5500", PHY_LAN8720="LAN8720")
        modules = {
            "machine": types.SimpleNamespace(Pin=Pin, SPI=self.spi),
            "network": lan,
            "esp32": types.SimpleNamespace(Partition=_partition_class(partitions)),
            "micropython": types.SimpleNamespace(const=lambda value: value),
            "nor_flash": types.SimpleNamespace(NorFlash=self.nor),
            "vfs": types.SimpleNamespace(),
        }
        for module, stand_in in modules.items():
            monkeypatch.setitem(sys.modules, module, stand_in)
        for module in ("board", "provision", "esp32_flash"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(str(ROOT / "boards" / "common"))
        monkeypatch.syspath_prepend(str(folder))
        self.board = importlib.import_module("board")
        monkeypatch.delitem(sys.modules, "board")

    @staticmethod
    def _header(path):
        """{(peripheral, signal): pin} of an STM32 board's mpconfigboard.h; nothing on an ESP32."""
        return {
            (kind, signal): pin
            for kind, signal, pin in re.findall(r"MICROPY_HW_(UART\d|SPI\d|ETH)_(\w+) +\(pin_(\w+)\)", path.read_text())
        }


def _partition_class(partitions):
    class Partition:
        TYPE_DATA = 1

        def __init__(self, part):
            self._part = part

        @staticmethod
        def find(kind, label=None):
            return [Partition(part) for part in partitions if part.type == kind and part.name == label]

        def ioctl(self, op, _):
            return {4: self._part.size // 4096, 5: 4096}[op]

    return Partition


class Uses:
    """Every pin that a board uses: `rows` of (pin, what it must be able to do, what for).

    What it must do is "in", "out", "adc", "pwm", or "coil": an output that must stay off while the chip starts.
    """

    def __init__(self, loaded, chip):
        self.rows = []
        self._loaded, self._chip = loaded, chip
        board = loaded.board
        self._keys = {"uart": set(), "spi": set()}
        for number in range(1, board.MAX_CONNECTORS + 1):
            self._connector(number, board.connector(number))
        for row in board.readers():
            self._reader(row)
        for key in sorted(self._keys["uart"]):
            self._uart(board.uart(key), f"UART {key}")
        for key in sorted(self._keys["spi"]):
            self._spi(board.spi(key), f"SPI {key}")
        self._network()
        for pin in chip.console:
            self._add(pin, "any", "console")

    def _add(self, pin, need, purpose):
        pin = pin.number if isinstance(pin, Pin) else pin
        if (pin, need, purpose) not in self.rows:
            self.rows.append((pin, need, purpose))

    def _connector(self, number, parts):
        contactor, pilot = parts["contactor"], parts["pilot"]
        for pole, (coil, contacts) in enumerate(contactor["poles"]):
            self._add(coil, "coil", f"coil {pole} of connector {number}")
            for contact in contacts:
                self._add(contact[0] if isinstance(contact, tuple) else contact, IN, f"feedback {pole} of {number}")
        if contactor["precharge"]:
            self._add(contactor["precharge"][0], "coil", f"pre-charge of {number}")
        self._add(pilot["pwm"], "pwm", f"pilot of {number}")
        for name in ("high", "low", "adc"):
            if name in pilot:
                self._add(pilot[name], "adc", f"{name} of {number}")
        if "sense" in pilot:
            self._add(pilot["sense"], IN, f"sense of {number}")
        if parts["lock"]:
            self._add(parts["lock"][0], "coil", f"lock of {number}")
            self._add(parts["lock"][1], IN, f"lock's contact of {number}")
        for pin, code, _ in parts["inputs"]:
            # one contact may serve every connector
            self._add(pin, IN, code if code != "ResidualCurrent" else f"{code} of {number}")
        for colour, pin in zip(("red", "green", "blue"), parts["leds"] or (), strict=False):
            self._add(pin, OUT, f"{colour} of {number}")
        self._keys["uart"].add(parts["meter"]["uart"])

    def _reader(self, row):
        if row["kind"] == "serial":
            self._keys["uart"].add(row["uart"])
            return
        self._keys["spi"].add(row["spi"])
        self._add(row["select"], OUT, "card select")
        self._add(row["reset"], OUT, "card reset")

    def _uart(self, words, purpose):
        if self._loaded.header:
            words = {**words, **self._of_header(f"UART{words['id']}")}
        self._add(words["tx"], OUT, f"{purpose} tx")
        self._add(words["rx"], IN, f"{purpose} rx")
        if words["direction"] is not None:
            self._add(words["direction"], OUT, f"{purpose} direction")

    def _spi(self, words, purpose):
        if self._loaded.header:
            words = {**words, **self._of_header(f"SPI{words['id']}")}
        for name, need in (("sck", OUT), ("mosi", OUT), ("miso", IN)):
            self._add(words[name], need, f"{purpose} {name}")

    def _of_header(self, peripheral):
        """As keywords of machine.UART or machine.SPI."""
        return {signal.lower(): pin for (name, signal), pin in self._loaded.header.items() if name == peripheral}

    def _network(self):
        loaded = self._loaded
        loaded.board.network()
        ((_, keywords),) = loaded.lan.made
        for name, value in keywords.items():
            if isinstance(value, Pin):
                self._add(value, "any", f"Ethernet {name}")
        for _, words in loaded.spi.made:
            self._spi(words, "Ethernet")
        if keywords.get("mdc"):
            for pin in self._chip.rmii:
                self._add(pin, "any", "RMII")
        for (name, signal), pin in loaded.header.items():
            if name == "ETH":
                self._add(pin, "any", f"Ethernet {signal}")
        if loaded.header:
            loaded.board.region("journal")
            ((arguments, _),) = loaded.nor.made
            ((bus, _),) = loaded.spi.made
            self._spi({"id": bus[0]}, "flash")
            self._add(arguments[1], OUT, "flash select")
