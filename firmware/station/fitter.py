"""The devices at the pins, built as the board and the provisioning file say; the hand of `app.py` for them.

`devices(i)` and `lamp(i)` are a connector's, `reader(row)` is one of the board's card readers, `component(name, row)`
one of the station's other components. What the file asks of the board and the board has not raises ProvisioningError
with the file's key.
"""

from station.charging.connector import Devices
from station.charging.faults import AT_ONCE, WARNINGS, Faults
from station.charging.interlock import Interlock
from station.drivers import meter_types
from station.drivers.alarm_contacts import AlarmContacts
from station.drivers.contactor import Contactor
from station.drivers.lamp import Lamp
from station.drivers.lock import Lock
from station.drivers.meter import Meter
from station.drivers.modbus_bus import Bus
from station.provisioning import ProvisioningError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from station.log import Log
    from station.provisioning import Provisioning
    from station.settings import Settings

_COMPONENT_BAUD = 115200  # of a line without meters, unless the file says otherwise
_PARITIES = {"none": None, "even": 0, "odd": 1}  # as machine.UART takes them


class Fitter:
    """`interlocks` are those of the connectors built so far, in their order."""

    def __init__(self, board: "Any", given: "Provisioning", log: "Log", settings: "Settings") -> None:
        if given.connectors > board.MAX_CONNECTORS:
            expected = "at most %d on this board" % board.MAX_CONNECTORS
            raise ProvisioningError("connectors.count: expected %s, got %d" % (expected, given.connectors))
        self._board = board
        self._given = given
        self._log = log
        self._settings = settings
        self._lines: dict = {}  # key of the UART: (its Bus, addresses on it)
        self.interlocks: "list[Interlock]" = []

    def devices(self, i: int) -> Devices:
        """What connector `i`, counted from 1, drives and reads."""
        pins, period_ms = self._board.connector(i), self._board.INTERLOCK_PERIOD_MS
        pilot = _pilot(pins["pilot"])
        contactor = Contactor(period_ms=period_ms, **pins["contactor"])
        if self._given.lock and not pins["lock"]:
            raise ProvisioningError("connectors.lock: expected false, this board has no lock, got True")
        lock = Lock(*pins["lock"]) if self._given.lock else None
        faults = AlarmContacts(tuple([row for row in pins["inputs"] if row[1] not in WARNINGS]), AT_ONCE)
        warnings = AlarmContacts(tuple([row for row in pins["inputs"] if row[1] in WARNINGS]))
        interlock = Interlock(pilot, contactor, faults, lock, period_ms=period_ms)
        self.interlocks.append(interlock)
        return Devices(interlock, pilot, self._meter(i, pins["meter"]), lock, Faults(faults, warnings, interlock))

    def lamp(self, i: int) -> "Lamp | None":
        """The lamp of connector `i`, if it has one."""
        pins = self._board.connector(i)
        return Lamp(pins["leds"], pins.get("led_active", 1)) if pins["leds"] else None

    def reader(self, row: dict) -> "tuple[str, Any]":
        """(its name for the log, a card reader)"""
        if row["kind"] == "serial":
            from station.drivers.card_reader import CardReader  # a driver takes its memory where there is its device

            return str(row["uart"]), CardReader(self._board.uart(row["uart"]), self._log)
        from station.charging import id_tag
        from station.drivers.mfrc522 import Mfrc522
        from station.drivers.rfid_reader import RfidReader

        name = "%s/%s" % (row["spi"], row["select"])
        chip = Mfrc522(self._board.spi(row["spi"]), row["select"], row["reset"])
        return name, RfidReader(chip, lambda uid: id_tag.of_uid(uid, self._settings), name, self._log)

    def component(self, name: str, row: tuple) -> "Any":
        """A component of the station beside our own board, `row` as the provisioning has it."""
        if isinstance(row[0], str):
            from station.update.over_https import HttpsComponent  # takes its memory where there is such a component

            return HttpsComponent(name, row[0], row[1].encode())
        from station.drivers.slave import Slave
        from station.update.over_modbus import ModbusComponent

        address, baudrate = row
        key = getattr(self._board, "COMPONENT_LINE", None)
        if key is None:
            raise ProvisioningError("components.%s: this board has no serial line for components" % name)
        if key not in self._lines:
            self._lines[key] = Bus(self._board.uart(key), baudrate or _COMPONENT_BAUD), []
        elif baudrate:
            raise ProvisioningError("components.%s.baudrate: the meters' line has that of the meters" % name)
        bus, taken = self._lines[key]
        if address in taken:
            expected = "one that no other device on this line has"
            raise ProvisioningError("components.%s.address: expected %s, got %d" % (name, expected, address))
        taken.append(address)
        return ModbusComponent(name, Slave(bus, address))

    def _meter(self, i: int, row: dict) -> Meter:
        """`row` is what the board says of it, provisioning may say otherwise."""
        given = self._given
        key, wanted = row["uart"], given.meter_address
        kind = meter_types.TYPES[given.meter_type or row["type"]]
        if key not in self._lines:
            parity = _PARITIES[given.meter_parity] if given.meter_parity else kind[1]
            self._lines[key] = Bus(self._board.uart(key), given.meter_baudrate or kind[0], parity), []
        bus, taken = self._lines[key]
        if isinstance(wanted, list):
            address = wanted[i - 1]
        else:  # those that share a line count on from the first
            address = row["address"] if wanted is None else wanted + len(taken)
        if address in taken:
            expected = "another address for connector %d, whose line has a meter %d already" % (i, address)
            raise ProvisioningError("meter.address: expected %s, got %r" % (expected, wanted))
        taken.append(address)
        return Meter(bus, address, kind)


def _pilot(row: dict) -> "Any":
    if "sense" in row:
        from station.drivers.pilot_gated import GatedPilot

        return GatedPilot(**row)
    from station.drivers.pilot import Pilot

    return Pilot(**row)
