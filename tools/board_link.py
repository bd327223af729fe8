"""A board at a serial port, over MicroPython's raw REPL: `Link`, on mpremote's transport.

Connecting interrupts what runs there, so a station opens its contacts. Its watchdog cannot be stopped: it is fed from
a timer as long as the link is open.
"""

import ast
import contextlib
import os
import struct
import time

import serial
import serial.tools.list_ports
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

ENTER_S = 12
TRY_S = 2
BANNER = b"raw REPL; CTRL-B to exit\r\n"
ANSWER_S = 10  # to a few bytes of the raw REPL's own
COMES_BACK_S = 15  # a board with USB of its own is gone while it resets
CHUNK = 1024

_WATCHED = "'station.drivers.watchdog' in __import__('sys').modules"  # the station's watchdog runs
_FEED = """
import machine
_ladepunkt_wdt = machine.WDT(timeout=8000)
for _id in (-1, 3, 1):
    try:
        _ladepunkt_feeder = machine.Timer(_id)
        _ladepunkt_feeder.init(mode=machine.Timer.PERIODIC, period=1000, callback=lambda t: _ladepunkt_wdt.feed())
        break
    except ValueError:
        pass
"""


class LinkError(Exception):
    """The board cannot be reached, or did not do what it was told; the text says what to do."""


def ports():
    """The serial ports of this machine as lines, with what is known of what is there."""
    found = [
        f"  {port.device}  {port.description}" for port in serial.tools.list_ports.comports() if port.vid is not None
    ]
    return found or ["  none with a USB device at it"]


def opened(port):
    """mpremote's transport at `port`; raises LinkError."""
    if not port:
        raise LinkError("PORT=… is missing; the serial ports here:\n" + "\n".join(ports()))
    try:
        return SerialTransport(port, baudrate=115200)
    except (TransportError, OSError, serial.SerialException, ValueError) as error:
        busy = "" if not os.path.exists(port) else " (is another program using it? may you use it?)"
        raise LinkError(
            f"{port} cannot be opened{busy}: {error}; the serial ports here:\n" + "\n".join(ports())
        ) from None


def close(transport):
    """Closes a port that may have gone: a board that resets takes its USB with it."""
    try:
        transport.close()
    except OSError:
        transport.serial.close()


class Link:
    """`with Link(port) as link:` the board waits for our code; leaving gives it back as it is, at its prompt.

    `fresh`: MicroPython is started anew without main.py, so that of the program that ran no timer, no memory, and no
    code in the flash that we write is in use any more. Its watchdog goes on, and is fed.
    """

    def __init__(self, port, fresh=False):
        self._port = port
        self._fresh = fresh
        self._transport = None

    def __enter__(self):
        self._transport = opened(self._port)
        try:
            self._enter()
            watched = self.value(_WATCHED)
            if self._fresh:
                self._restart()
            if watched:
                self.run(_FEED)
        except BaseException:
            close(self._transport)
            raise
        return self

    def _enter(self):
        """A board that is just starting may miss the first Ctrl-C: it is tried again until ENTER_S are over."""
        serial_port = self._transport.serial
        serial_port.timeout = TRY_S / 4  # a terminal is read without looking first, and would wait for ever
        end = time.monotonic() + ENTER_S
        while not self._transport.in_raw_repl:
            try:
                # what mpremote prints when it fails is for its own users
                with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                    self._transport.enter_raw_repl(soft_reset=False, timeout_overall=TRY_S)
            except (TransportError, OSError) as error:
                if time.monotonic() > end:
                    raise LinkError(
                        f"{self._port}: no MicroPython answers there ({error}). If the board is new, put MicroPython "
                        "onto it first; if its program hangs, reset it and try again"
                    ) from None
        while serial_port.read(256):  # answers to the tries before
            pass
        serial_port.timeout = ANSWER_S
        serial_port.write(b"\r\x01")  # a prompt of our own
        if not self._transport.read_until(1, BANNER, timeout=ANSWER_S).endswith(BANNER):
            raise LinkError(f"{self._port}: MicroPython's raw REPL does not answer; reset the board and try again")

    def _restart(self):
        transport = self._transport
        transport.read_until(1, b">", timeout=ANSWER_S)
        transport.serial.write(b"\x04")
        if not transport.read_until(1, BANNER, timeout=ENTER_S).endswith(BANNER):
            raise LinkError(f"{self._port}: MicroPython does not start anew; reset the board and try again")

    def __exit__(self, *_):
        with contextlib.suppress(OSError, TransportError):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        close(self._transport)

    def run(self, code, within=60):
        """Runs code on the board; returns what it printed. Raises LinkError with the board's traceback."""
        try:
            said, failed = self._transport.exec_raw(code, timeout=within)
        except (TransportError, OSError, struct.error) as error:
            raise LinkError(f"{self._port}: the board is silent: {error}") from None
        if failed:
            raise LinkError("the board failed:\n" + failed.decode(errors="replace").strip())
        return said.decode(errors="replace").replace("\r\n", "\n")

    def value(self, expression):
        """The value of an expression on the board; it must be a literal."""
        return ast.literal_eval(self.run(f"print(repr({expression}))").strip())

    def write(self, path, data, wrote=lambda count: None):
        """Writes a file; `wrote(count)` is told after each piece how many bytes it has. Raises LinkError."""
        try:
            self._transport.fs_writefile(path, data, CHUNK, lambda done, _: wrote(done))
        except (TransportExecError, TransportError, OSError, struct.error) as error:
            raise LinkError(f"{path}: cannot be written: {error}") from None

    def soft_reset(self):
        """Starts MicroPython on the board anew, with boot.py and main.py; what it prints can be `follow`ed."""
        self._transport.exit_raw_repl()
        self._transport.serial.write(b"\x04")

    def reset(self):
        """Resets the board, as its button does."""
        with contextlib.suppress(TransportError, OSError):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._transport.in_raw_repl = False

    def follow(self, seconds, say):
        """Hands what the board prints to `say`, a line at a time; a port that is gone meanwhile is opened again."""
        follow(self._transport, self._port, seconds, say)


def follow(transport, port, seconds, say):
    """As `Link.follow`, for a board that nobody has interrupted. `seconds` None: until Ctrl-C."""
    line, end = b"", None if seconds is None else time.monotonic() + seconds
    serial_port = transport.serial
    while end is None or time.monotonic() < end:
        try:
            serial_port.timeout = 0.2
            piece = serial_port.read(max(1, serial_port.in_waiting))
        except (OSError, serial.SerialException):
            serial_port.close()
            transport = _again(port)
            serial_port = transport.serial
            continue
        line += piece
        while b"\n" in line:
            text, _, line = line.partition(b"\n")
            say(text.decode(errors="replace").rstrip("\r"))
    if line:
        say(line.decode(errors="replace"))


def _again(port):
    """Opens a port that went away, when it is back; raises LinkError."""
    end = time.monotonic() + COMES_BACK_S
    while True:
        try:
            return opened(port)
        except LinkError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
