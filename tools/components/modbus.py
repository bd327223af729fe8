"""A component that speaks Modbus RTU, as `firmware/station/update/over_modbus.py` asks: the charge controller.

Framing, CRC and the form of each request are pymodbus's own; the line is a pseudo-terminal.
"""

import asyncio
import binascii
import contextlib
import os
import struct
import tty

from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.file_message import WriteFileRecordRequest, WriteFileRecordResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
)

from tools.components.device import PHASES, Refusal, Silence

STATUS, REGISTERS, ORDERS_AT = 0xF000, 50, 0xF100
PROFILE = 0x4C50
ORDERS = ("begin", "verify", "activate", "confirm", "roll_back", "discard")
FILE_BYTES = 20_000
ILLEGAL_ADDRESS, DEVICE_FAILURE = 2, 4
FAULTS = ("", "its self-test failed", "its image did not start")


class ModbusDevice:
    """A Device at `address`. `path`: the tty at whose other end it listens."""

    def __init__(self, device, address=32):
        self.device = device
        self.address = address
        self._framer = FramerRTU(DecodePDU(is_server=True))
        self._heard = b""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)

    async def start(self):
        asyncio.get_running_loop().add_reader(self._master, self._read)

    async def stop(self):
        """Its power goes; the line stays."""
        asyncio.get_running_loop().remove_reader(self._master)

    def close(self):
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def _read(self):
        self._heard += os.read(self._master, 4096)
        while self._heard:
            used, pdu = self._framer.handleFrame(self._heard, 0, 0)
            if not used:
                return
            self._heard = self._heard[used:]
            if pdu is not None and pdu.dev_id == self.address:
                with contextlib.suppress(Silence):
                    answer = self._answer(pdu)
                    answer.dev_id, answer.transaction_id = self.address, 0
                    os.write(self._master, self._framer.buildFrame(answer))

    def _answer(self, pdu):
        try:
            if isinstance(pdu, ReadHoldingRegistersRequest):
                if (pdu.address, pdu.count) != (STATUS, REGISTERS):
                    return ExceptionResponse(pdu.function_code, ILLEGAL_ADDRESS)
                return ReadHoldingRegistersResponse(registers=self._status())
            if isinstance(pdu, WriteMultipleRegistersRequest) and pdu.address == ORDERS_AT:
                self._order(pdu.registers)
                return WriteMultipleRegistersResponse(address=pdu.address, count=len(pdu.registers))
            if isinstance(pdu, WriteFileRecordRequest):
                for record in pdu.records:
                    offset = (record.file_number - 1) * FILE_BYTES + 2 * record.record_number
                    self.device.write(offset, record.record_data)
                return WriteFileRecordResponse(records=pdu.records)
        except Refusal:
            return ExceptionResponse(pdu.function_code, DEVICE_FAILURE)
        return ExceptionResponse(pdu.function_code, ILLEGAL_ADDRESS)

    def _status(self):
        row = self.device.status()
        numbers = [int(word) for word in row["version"].split(".")]
        data = struct.pack(">HHIH", PROFILE, PHASES.index(row["phase"]), row["limit"], len(numbers))
        data += struct.pack(">5i", *(numbers + [0] * 5)[:5])
        data += binascii.unhexlify(row["vendor"] + row["class"] + row["running"])
        data += struct.pack(">IH", row["received"], FAULTS.index(row["fault"]))
        return list(struct.unpack(f">{REGISTERS}H", data))

    def _order(self, registers):
        order = ORDERS[registers[0] - 1] if 1 <= registers[0] <= len(ORDERS) else None
        if order is None:
            raise Refusal("no such order")
        data = struct.pack(f">{len(registers) - 1}H", *registers[1:])
        arguments = (struct.unpack(">I", data[:4])[0], data[4:36]) if order in ("begin", "verify") else ()
        getattr(self.device, order)(*arguments)
