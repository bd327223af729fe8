"""The firmware on the emulated 32-bit board: `figures()` yields what its flash, heap and instructions come to.

The least heap is found by bisection over the image's argument `heap`: a session (boards/qemu_mps2/player.py) passes
with it, or does not. The models of the simulated devices live in the same heap; `heap_models` says what they
take of it.
"""

import asyncio
import json
import ssl
import tempfile
from pathlib import Path

import station_update
import trustme

from tools import build_qemu, emulator
from tools.backend import Csms
from tools.emulate import seen_from_board
from tools.provisioning import provisioning

BENCHMARKS = Path(__file__).parent
FAST = 2  # -icount where heap is measured: some 250 million instructions a second
WITHIN_S = 30
LOW_KIB, HIGH_KIB = 32, 256
CPU_TICK_NS = 40
KIB = 1024

# name: instructions at most, compared with
PARTS = {
    "interlock_pass": ("<= 2000", "contact closed, devices that cost nothing"),
    "interlock_pass_drivers": (None, "the same over the drivers, pins and ADC that cost nothing"),
    "pilot_sample": (None, "both plateaus"),
    "remote_start": (None, "RemoteStartTransaction, from bytes to answer"),
    "ws_unmask_1k": (None, "a text frame of 1 KiB received"),
    "ws_mask_1k": (None, "a text frame of 1 KiB sent, masked"),
    "es256": (None, "one ECDSA verification on P-256"),
    "rsa2048": (None, "one RSA-2048 verification, PKCS1-v1_5"),
}


async def play(image, count, *, tls=False, heap="1M", icount=FAST, connectors=None):
    """Boots the station and plays a session on `count` connectors; (did it come to its end?, {what it said: value})."""
    context, ca = None, None
    if tls:
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(emulator.HOST, key_type=trustme.KeyType.ECDSA).configure_cert(context)
        ca = authority.cert_pem.bytes().decode()
    said, wrong = {}, []

    def line(text):
        if "MemoryError" in text or "restarted" in text:
            wrong.append(text)
        try:
            said.update(json.loads(text))
        except ValueError:
            pass  # a line of the log

    async with Csms(ssl=context) as csms:
        with tempfile.TemporaryDirectory() as folder:
            words = provisioning(
                seen_from_board(csms.url),
                connectors={"count": connectors or max(1, count)},
                settings={"MeterValueSampleInterval": "1", "MeterValuesSampledData": "Energy.Active.Import.Register"},
            )
            if ca:
                words["backend"]["ca"] = ca
            path = Path(folder) / "provision.json"
            path.write_text(json.dumps(words))
            arguments = {"provision": path, "state": folder, "play": count, "heap": heap}
            arguments.update(rtc="host", seed=1, readers=1)
            options = {"icount": icount, "reboot": False, "on_line": line}
            async with emulator.Emulator(image, arguments, **options) as board:
                try:
                    status = await board.ended(WITHIN_S)
                except emulator.EmulatorError:
                    return False, said
    return status == 0 and "played" in said and not wrong, said


def least(image, count, *, tls=False, connectors=None):
    """The least heap in KiB with which it comes to its end."""
    low, high = LOW_KIB, HIGH_KIB
    while high - low > 1:
        middle = (low + high) // 2
        passes, _ = asyncio.run(play(image, count, tls=tls, heap=f"{middle}K", connectors=connectors))
        low, high = (low, middle) if passes else (middle, high)
    return high


def parts(image):
    """{name: instructions} of emulated_parts.py"""
    arguments = {"script": BENCHMARKS / "emulated_parts.py", "path": BENCHMARKS, "seed": 1}
    arguments["shift"] = emulator.INSTRUCTION_SHIFT
    status, text = asyncio.run(emulator.run(image, arguments, icount=emulator.INSTRUCTION_SHIFT))
    if status:
        raise RuntimeError(f"emulated_parts.py ended with status {status}\n{text}")
    return json.loads(text.splitlines()[-1])


def boot(image):
    """Instructions from the start until BootNotification is sent."""
    shift = emulator.INSTRUCTION_SHIFT
    passes, said = asyncio.run(play(image, 0, icount=shift))
    if not passes:
        raise RuntimeError("the station did not boot")
    return said["boot_notification"] * CPU_TICK_NS >> shift


def figures():
    """Yields (name, value, unit, target, compared with what)."""
    build_qemu.image("code")
    code = build_qemu.sizes("code")["frozen"]
    yield "qemu.flash_code", code, "B", f"<= {160 * KIB}", "firmware/ frozen; MicroOcpp's library alone: 121 KB"
    image = build_qemu.image()
    for name, value in parts(image).items():
        target, compared = PARTS[name]
        yield f"qemu.instructions.{name}", value, "", target, compared
    compared = "the processor's waiting left out"
    yield "qemu.instructions.boot_to_boot_notification", boot(image), "", None, compared
    _, said = asyncio.run(play(image, 0))
    yield "qemu.heap_models", said["models"] / KIB, "KiB", None, "simulated devices: on a board there are none"
    yield (
        "qemu.heap_boot",
        said["online"] / KIB,
        "KiB",
        None,
        "in use after boot; MicroOcpp: 10.9 kB idle, 21.9 kB peak",
    )
    update = station_update.measure("qemu_mps2")
    extra = update["http"]["heap_extra"]
    yield (
        "update.heap_extra",
        extra,
        "B",
        f"<= {16 * KIB}",
        "above idle, over http; everything that it imports included",
    )
    extra = update["https"]["heap_extra"]
    yield "update.heap_extra_https", extra, "B", None, "the same with a second TLS connection"
    for connectors in (1, 2):
        value = least(image, 0, connectors=connectors)
        yield f"qemu.heap_least.boot.{connectors}", value, "KiB", None, "until online, models included"
        value = least(image, connectors)
        yield f"qemu.heap_least.ws.{connectors}", value, "KiB", "<= 64", "a session on each, models included"
        value = least(image, connectors, tls=True)
        yield f"qemu.heap_least.wss.{connectors}", value, "KiB", "<= 96", "mbedTLS lives in the same heap"
