"""A device on a Modbus line that is more than a meter: holding registers and files, read and written.

Each request is tried three times; what is written twice because its answer was lost must do no harm.
"""

from micropython import const

from station.drivers import modbus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.drivers.modbus_bus import Bus

_TRIES = const(3)
_THINKS_MS = const(500)  # a device may write to its flash before it answers


class SlaveError(OSError):
    """The device gave no usable answer, or refused; the text says why."""


class Slave:
    """The device at `address` on a line. Every method raises SlaveError."""

    def __init__(self, bus: "Bus", address: int) -> None:
        self._bus = bus
        self._address = address

    async def read(self, register: int, count: int) -> bytes:
        """The `2 * count` bytes of these holding registers."""
        return await self._ask(modbus.request(self._address, modbus.READ_HOLDING, register, count))

    async def write(self, register: int, data: bytes) -> None:
        """`data`, two bytes a register, from `register` on."""
        await self._ask(modbus.write_registers(self._address, register, data))

    async def write_file(self, file: int, record: int, data: "bytes | memoryview") -> None:
        """`data`, two bytes a record, into a file from `record` on."""
        await self._ask(modbus.write_file(self._address, file, record, data))

    async def _ask(self, request: bytes) -> bytes:
        failure = ""
        for _ in range(_TRIES):
            try:
                return await self._bus.ask(request, _THINKS_MS)
            except modbus.ModbusException as error:
                raise SlaveError(str(error))
            except modbus.ModbusError as error:
                failure = str(error)
        raise SlaveError(failure)
