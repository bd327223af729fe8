"""A whole update of the application, from UpdateFirmware on, of the firmware as a process: heap, flash, time."""

import asyncio
import contextlib
import ssl
import tempfile
from pathlib import Path

import trustme

from tools import emulator, workbench
from tools.backend import Csms
from tools.emulate import seen_from_board
from tools.provisioning import provisioning
from tools.run import station_of
from tools.update import offer
from tools.web import HOST

_WITHIN_S = 60
_LOOK_S = 0.01
_HEAP = "2M"


async def _measure(board, folder, path, context=None, ca=None):
    async with Csms() as csms, offer(path, context) as url:
        update = workbench.trust(board)
        if ca:
            update["ca"] = ca
        box = station_of(board)(provisioning(csms.url, update=update), folder, heap=_HEAP)
        location = url if board == "unix" else seen_from_board(url)
        async with box:
            await csms.status(1, "Available", _WITHIN_S)
            idle = min([(await box.state())["heap_bytes"] for _ in range(20)])
            before = (await box.state())["flash_programmed"]
            await csms.call("UpdateFirmware", location=location, retrieveDate=csms.now())
            most, programmed = await _until_installing(csms, box)
            installing = csms.transcript.calls("FirmwareStatusNotification", status="Installing")[0]
            await csms.status(1, "Available", _WITHIN_S)
            ready = csms.transcript.calls("StatusNotification", connectorId=1, status="Available")[-1]
            after = (await box.state())["flash_programmed"]  # of the life after the restart
            return {
                "idle": idle,
                "heap_extra": most - idle,
                "write_amplification": (programmed - before + after) / path.stat().st_size,
                "activate_s": ready.at - installing.at,
            }


async def _until_installing(csms, box):
    """(the most heap in use, bytes programmed) up to the restart."""
    most = programmed = 0
    while not csms.transcript.calls("FirmwareStatusNotification", status="Installing"):
        state = await box.state()
        most, programmed = max(most, state["heap_bytes"]), state["flash_programmed"]
        await asyncio.sleep(_LOOK_S)
    return most, programmed


def measure(board="unix"):
    """{"http": figures, "https": figures}"""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST if board == "unix" else emulator.HOST).configure_cert(context)
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        path = workbench.package(folders[0], "1.1.0", board, beside=())
        ca = authority.cert_pem.bytes().decode()
        return {
            "http": asyncio.run(_measure(board, folders[1], path)),
            "https": asyncio.run(_measure(board, folders[2], path, context, ca)),
        }
