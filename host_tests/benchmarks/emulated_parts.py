"""On the emulated board: the instructions that single parts take. Prints one JSON object, {name: instructions}.

Runs with -icount: then `time.ticks_cpu()` counts 40 ns for each 40 / 2^shift instructions. The fastest of a few rounds
is told: a timer's interrupt or a collection of garbage comes now and then.
"""

import binascii
import gc
import hashlib
import io
import json
import sys
import time

import qemu

_ROUNDS = 50
_FEW = 3  # of what takes long
_TICK_NS = 40
_CLOSED = 1
_C_COUNTS = 45875  # 6 V
_LOW_COUNTS = 6554  # -12 V


def constant(value):
    """A function of the interpreter's C code that returns `value`, as a pin's or ADC's does on a board."""
    it = io.BytesIO()
    it.seek(value)
    return it.tell


class Pin:
    """`machine.Pin` as far as drivers go, all of it C code when called."""

    IN = OUT = PULL_UP = PULL_DOWN = 0
    level = 0  # of inputs made from now on

    def __init__(self, pin, mode=0, pull=0, *, value=None):
        self.value = constant(Pin.level) if value is None else int


class ADC:
    counts = _C_COUNTS

    def __init__(self, pin):
        self.read_u16 = constant(ADC.counts)
        ADC.counts = _LOW_COUNTS


class PWM:
    def __init__(self, pin, **_):
        self.duty_u16 = int


class Stub:
    def __init__(self, **methods):
        for name, method in methods.items():
            setattr(self, name, method)


def machine():
    """Drivers that are imported from here on find these devices."""
    sys.modules["machine"] = Stub(Pin=Pin, ADC=ADC, PWM=PWM)


_empty = []


def _nothing():
    pass


def instructions(work, rounds=_ROUNDS):
    """What one call of `work` takes."""
    best = None
    for _ in range(rounds):
        gc.collect()
        began = time.ticks_cpu()
        work()
        took = time.ticks_diff(time.ticks_cpu(), began)
        began = time.ticks_cpu()
        _nothing()
        took -= time.ticks_diff(time.ticks_cpu(), began)
        best = took if best is None or took < best else best
    return best * _TICK_NS >> int(qemu.argument("shift"))


def interlock_pass(pilot, contactor, faults, lock, closed=_nothing):
    """`closed()`: the contact has followed its coil."""
    from station.charging.interlock import Interlock

    interlock = Interlock(pilot, contactor, faults, lock)
    step = interlock.step
    for _ in range(20):
        step(None)
    assert interlock.close() and interlock.agrees(), (interlock.state, interlock.switch)
    step(None)
    closed()
    for _ in range(5):
        step(None)
    assert interlock.wanted and not interlock.failures
    return instructions(lambda: step(None))


def of_interlock():
    """A pass with the contact closed and all well: over devices that cost nothing, and over the drivers."""
    nothing = Stub(
        moves_ms=150, count=1, told=0, step=_empty.count, open=_nothing, is_rested=constant(1), is_closed=constant(1)
    )
    stubs = Stub(sample=constant(2)), nothing, Stub(any=bool), Stub(is_locked=constant(1))
    yield "interlock_pass", interlock_pass(*stubs)
    machine()
    from station.drivers.alarm_contacts import AlarmContacts
    from station.drivers.contactor import Contactor
    from station.drivers.pilot import Pilot

    pilot = Pilot(1, 2, 3)
    pilot.offer(160)
    pilot.sample()
    yield "pilot_sample", instructions(pilot.sample)
    contactor = Contactor(((1, (2,)),))
    feedback = io.BytesIO()
    contactor._feedback = (((feedback.tell, _CLOSED),),)
    alarms = AlarmContacts(tuple([(pin, "OtherError", 0) for pin in range(8)]))
    yield (
        "interlock_pass_drivers",
        interlock_pass(pilot, contactor, alarms, Stub(is_locked=constant(1)), lambda: feedback.seek(1)),
    )


class ChargePoint:
    """Takes a remote start without a charging station behind it."""

    def remote_start(self, id_tag, connector_id):
        return True


def of_requests():
    from frames import FRAMES
    from station.log import Log
    from station.ocpp import framer
    from station.ocpp.dispatch import Dispatcher
    from station.ocpp.profiles.core import Core
    from station.settings import Settings

    log = Log(1024)
    dispatcher = Dispatcher(log)
    registration = Stub(accepted=True)
    settings = Settings(None, log, {}, 2, 3)
    dispatcher.add(Core(ChargePoint(), settings, None, None, registration, log).handlers())

    def serve():
        answering = dispatcher.serve(framer.parse(FRAMES["remote_start"]))
        try:
            answering.send(None)
        except StopIteration as done:
            return done.value

    assert b"Accepted" in serve(), serve()
    yield "remote_start", instructions(serve)


def of_websocket():
    from station.ocpp.websocket import WebSocket

    key = bytes(16)
    ws = WebSocket(
        "ws://example.com/ocpp/CP", max_message=4096, random=lambda n: key[:n] if n == 16 else b"\x11\x22\x33\x44"[:n]
    )
    ws.request()
    given = binascii.b2a_base64(key)[:-1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = binascii.b2a_base64(hashlib.sha1(given).digest())[:-1]
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    ws.receive(head + b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    assert ws.event(), "not open"
    assert ws.event() is None
    text = b"x" * 1024
    frame = b"\x81\x7e\x04\x00" + text

    def unmask():
        ws.receive(frame)
        event = ws.event()
        assert len(event[1]) == 1024
        assert ws.event() is None

    def mask():
        ws.send_text(text)
        ws.output()

    yield "ws_unmask_1k", instructions(unmask)
    yield "ws_mask_1k", instructions(mask)


def of_signatures():
    from signatures import es256, rsa2048

    for name, work in (("es256", es256), ("rsa2048", rsa2048)):
        yield name, instructions(lambda: list(work()), _FEW)  # noqa: B023 - called at once


figures = {}
for part in (of_requests, of_websocket, of_signatures, of_interlock):
    for name, value in part():
        figures[name] = value
print(json.dumps(figures))
