"""The world around the simulated board: outlets with their cars, card readers, and what of it outlives the process.

`machine` asks it for what is at a pin or UART, the control commands change it, `describe()` tells what it is like now.
world.json in the state directory keeps cars, meter registers and defects across restarts; it is replaced as a whole,
after each change and before the firmware sees a new meter register, so a kill never turns a meter back for it.
"""

import json
import time

import store
from machine import disable_irq, enable_irq
from mfrc522 import Mfrc522
from outlet import TERMINALS, Outlet
from reader import Reader

_CONNECTOR_READERS = 10  # UART of the reader at connector i, if there are several, less i
SPI_BUS = 1
_CHIP_PINS = 2000  # the select pin of the chip beside the first serial reader, its reset pin; then the next one's


class World:
    """`path` is that of world.json, or None to keep nothing. Raises ValueError if the file cannot be read.

    `poles`: coils of each contactor, 1 or 2. `meter` is the type of all meters, `addresses` their Modbus addresses (1
    for each, if None).
    """

    def __init__(
        self,
        connectors: int,
        phases: int,
        path: "str | None" = None,
        poles: int = 1,
        meter: str = "SDM630",
        addresses: "tuple[int, ...] | None" = None,
    ) -> None:
        self._path = path
        self._ticks = time.ticks_ms()
        self._now = 0
        self._advanced = 0
        self._saved = None
        self.reset_cause = 0  # of this start, as `restarting` was told it; 0 if the process was killed, or is the first
        self._next_cause = 0
        addresses = addresses or (1,) * connectors
        outlets = [Outlet(i + 1, phases, self.now, self.save, poles, meter, addresses[i]) for i in range(connectors)]
        self.outlets = tuple(outlets)
        everywhere = tuple([outlet.number for outlet in self.outlets])
        self.flash: object = None  # the board's, which counts what is programmed
        self._lines: dict = {}  # UART: a device that does not belong to the simulated world
        self._readers = {0: Reader(everywhere)}
        if connectors > 1:
            for number in everywhere:
                self._readers[_CONNECTOR_READERS + number] = Reader((number,))
        # a chip for contactless cards beside each of them, in the same order
        self.chips = tuple([Mfrc522(self.now) for _ in self._readers])
        self._epoch = store.now_ms()  # ms since 1970 at now() == 0
        if path:
            self._load()

    # --- time

    def now(self) -> int:
        """Milliseconds since the process began."""
        ticks = time.ticks_ms()
        self._now += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now

    def advance(self, ms: int) -> None:
        """Move the clocks of everybody forward; kept, so that a restart does not turn them back."""
        state = disable_irq()  # no pin may look while ticks have leapt and the pilot's plan has not
        try:
            for outlet in self.outlets:
                outlet.settle()
            time.advance(ms)
            self._advanced += ms
            for outlet in self.outlets:
                outlet.skipped()
        finally:
            enable_irq(state)
        self.save()

    # --- what `machine` asks

    def terminal(self, pin: int) -> "tuple[Outlet | _ChipPins, int]":
        """The outlet, or the chip, and its terminal at a pin; raises ValueError if there is none."""
        if _CHIP_PINS <= pin < _CHIP_PINS + 2 * len(self.chips):
            return _ChipPins(self.chips[(pin - _CHIP_PINS) // 2]), pin & 1
        number, terminal = divmod(pin, TERMINALS)
        if not 1 <= number <= len(self.outlets):
            raise ValueError("no pin %r on this board" % pin)
        return self.outlets[number - 1], terminal

    def serial(self, uart_id: int):
        """The device at a UART: meters from 1 on, readers at 0 and from 11 on, or what was plugged in; ValueError if
        there is none."""
        if uart_id in self._lines:
            return self._lines[uart_id]
        if 1 <= uart_id <= len(self.outlets):
            return self.outlets[uart_id - 1].meter
        if uart_id in self._readers:
            return self._readers[uart_id]
        raise ValueError("no UART %r on this board" % uart_id)

    def plug_line(self, uart_id: int, device) -> None:
        """From now on `device` is at this UART: it has `rx` and `write(data)`."""
        self._lines[uart_id] = device

    def bus(self, spi_id: int) -> "tuple[Mfrc522, ...]":
        """The devices on an SPI bus; raises ValueError if there is none."""
        if spi_id != SPI_BUS:
            raise ValueError("no SPI %r on this board" % spi_id)
        return self.chips

    # --- what a tester asks

    def readers(self) -> "tuple[tuple[int, tuple[int, ...]], ...]":
        """((UART, connectors that it serves), …)"""
        return tuple([(uart_id, self._readers[uart_id].connectors) for uart_id in sorted(self._readers)])

    def reader(self, connectors: "tuple[int, ...] | None" = None) -> Reader:
        """The reader that serves just these connectors, or all; raises ValueError if there is none."""
        for uart_id, served in self.readers():
            if connectors is None or tuple(sorted(connectors)) == served:
                return self._readers[uart_id]
        choices = [list(served) for _, served in self.readers()]
        raise ValueError("connectors: no card reader serves %r, there are %r" % (list(connectors), choices))

    def contactless(self) -> "tuple[tuple[int, int, tuple[int, ...]], ...]":
        """((select pin, reset pin, connectors that it serves), …) of the chips on SPI_BUS."""
        served = [connectors for _, connectors in self.readers()]
        return tuple([(_CHIP_PINS + 2 * i, _CHIP_PINS + 2 * i + 1, served[i]) for i in range(len(served))])

    def chip(self, connectors: "tuple[int, ...] | None" = None) -> Mfrc522:
        """The chip beside the reader that `reader` finds."""
        reader = self.reader(connectors)
        return self.chips[[self._readers[uart_id] for uart_id, _ in self.readers()].index(reader)]

    def break_readers(self, connectors: "tuple[int, ...] | None", how: str) -> None:
        """Break, or mend ("ok"), a serial reader and the chip beside it."""
        self.reader(connectors).how = self.chip(connectors).how = how

    def describe(self) -> "list[dict]":
        """What each outlet is like now."""
        return [outlet.describe() for outlet in self.outlets]

    def tidy(self) -> None:
        """Bring all up to the present and keep what changed by itself, such as a car that left."""
        for outlet in self.outlets:
            outlet.settle()
            if outlet.dirty:
                outlet.dirty = False
                self.save()

    # --- what outlives the process

    def save(self) -> None:
        """Write world.json if it has changed."""
        if not self._path:
            return
        kept = {"advanced_ms": self._advanced, "outlets": self._outlets(), "readers": self._hows()}
        if self._next_cause:
            kept["reset_cause"] = self._next_cause
        text = json.dumps(kept)
        if text == self._saved:
            return
        store.replace(self._path, text)
        self._saved = text

    def restarting(self, cause: int) -> None:
        """Keep all, and why the process ends."""
        self._next_cause = cause
        self.save()

    def _hows(self) -> "dict[str, str]":
        return {str(uart_id): reader.how for uart_id, reader in self._readers.items() if reader.how != "ok"}

    def _outlets(self) -> "list[dict]":
        kept = []
        for outlet in self.outlets:
            car = outlet.ev
            if car:
                car = {"at": self._epoch + car.at, "paused": car.paused, "parameters": car.parameters}
            kept.append(
                {
                    "energy": outlet.energy,
                    "ev": car,
                    "alarms": outlet.alarms,
                    "shorted": outlet.shorted,
                    "contactor": [pole.how for pole in outlet.poles],
                    "lock": outlet.lock.how,
                    "locked": outlet.lock.position,
                    "meter": outlet.meter.how,
                }
            )
        return kept

    def _load(self) -> None:
        try:
            text = store.read(self._path).decode()
        except OSError:
            return
        try:
            kept = json.loads(text)
            time.advance(kept["advanced_ms"])  # no interrupt runs yet
            self._advanced = kept["advanced_ms"]
            self._ticks = time.ticks_ms()
            self._epoch = store.now_ms()
            for outlet, old in zip(self.outlets, kept["outlets"]):
                self._revive(outlet, old)
            for uart_id, how in kept["readers"].items():
                if int(uart_id) in self._readers:
                    self.break_readers(self._readers[int(uart_id)].connectors, how)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("%s is damaged (%r): remove it to start with a new world" % (self._path, error))
        self._saved = text
        self.reset_cause = kept.get("reset_cause", 0)
        if self.reset_cause:
            self.save()  # without it: it was the cause of this start, and of no other

    def _revive(self, outlet: Outlet, old: dict) -> None:
        outlet.energy = old["energy"]
        outlet.alarms = old["alarms"]
        outlet.shorted = old["shorted"]
        outlet.meter.how = old["meter"]
        outlet.lock.restore(old["locked"])
        outlet.break_lock(old["lock"])
        hows = old["contactor"]
        for at, how in enumerate([hows] if isinstance(hows, str) else hows):  # a text in worlds of before
            outlet.break_contactor(how, at + 1)
        if old["ev"]:
            outlet.arrive(old["ev"]["parameters"], old["ev"]["at"] - self._epoch, old["ev"]["paused"])


class _ChipPins:
    """The pins of a reader's chip, as a Pin wants them: 0 select, 1 reset."""

    def __init__(self, chip: Mfrc522) -> None:
        self._chip = chip

    def drive(self, terminal: int, level: int) -> None:
        if terminal:
            self._chip.power(level)
        else:
            self._chip.select(level)
