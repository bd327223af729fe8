"""The emulated board as a child process: `Emulator` starts QEMU with an image, collects what it prints, ends it.

`python -m tools.emulator IMAGE NAME=VALUE …` runs one on this terminal.
"""

import argparse
import asyncio
import collections
import contextlib
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from tools.station import tie

PROGRAM = "qemu-system-arm"
MACHINE = "mps2-an385"
HOST = "10.0.2.2"  # the host's loopback, seen from the board
RESET_STATUS = 75  # the firmware asks to be started again
FAULT_STATUS = 70  # the processor met a fault; its registers are the last lines
WRONG_STATUS = 2  # wrong arguments
INSTRUCTION_SHIFT = 6  # of -icount: an instruction takes 2^6 ns, about 15.6 million a second
CPU_TICK_NS = 40  # of time.ticks_cpu()
LIMIT_S = 60.0
LINE_LIMIT = 1 << 20
LINES = 20000


class EmulatorError(Exception):
    """The emulator did not do what was waited for; the text ends with what it printed last."""


def command(image, arguments=None, *, forward=(), serial=(), icount=None, network=True, reboot=True, stdio="stdio"):
    """The words that start QEMU.

    `arguments`: {name: value} that qemu.argument() gives on the board. `forward`: ((host port, board port), …) of TCP.
    `serial`: a QEMU character device for each of UART 1 to 4. `icount`: INSTRUCTION_SHIFT makes time follow the
    instructions, the same in each run. `reboot` False: a reset by the watchdog ends the emulator, with status 0.
    `stdio`: the character device of the console.
    """
    words = [PROGRAM, "-machine", MACHINE, "-display", "none", "-monitor", "none", "-kernel", str(image)]
    told = ",".join(f"arg={_escaped(name)}={_escaped(value)}" for name, value in (arguments or {}).items())
    words += ["-semihosting-config", "enable=on,target=native,arg=image" + (f",{told}" if told else "")]
    for device in (stdio, *serial):
        words += ["-serial", device]
    if network:
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{board}" for host, board in forward)
        words += ["-nic", f"user,model=lan9118{forwards}"]
    else:
        words += ["-nic", "none"]
    if icount is not None:
        words += ["-icount", f"shift={icount}"]
    if not reboot:
        words += ["-no-reboot"]
    return words


def _escaped(text):
    """QEMU joins the words of the command line with spaces and splits its options at commas."""
    return quote(str(text), safe="/:.=-_~+@")


class Emulator:
    """One emulated board; `async with` starts it and leaves nothing behind. Arguments as those of `command`."""

    def __init__(self, image, arguments=None, *, on_line=None, **options):
        self._words = command(image, arguments, **options)
        self.lines = collections.deque(maxlen=LINES)
        self.on_line = on_line
        self.status = None  # of the exit
        self._process = None
        self._reader = None
        self._changed = asyncio.Event()

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is ours to handle
            preexec_fn=tie,
        )
        self._reader = asyncio.create_task(self._read())

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.kill()

    @property
    def pid(self):
        return self._process.pid

    def write(self, data):
        """Types `data` (bytes) at the console."""
        self._process.stdin.write(data)

    async def printed(self, text, within=LIMIT_S):
        """Waits for a line that holds `text`, from the start on; returns it."""
        return await self._until(lambda: next((line for line in self.lines if text in line), None), within, text)

    async def ended(self, within=LIMIT_S):
        """Waits for the exit; returns the status. What runs longer is killed, and EmulatorError raised."""
        try:
            await self._until(self._reader.done, within, "exit")
        except EmulatorError:
            await self.kill()
            raise
        return self.status

    async def kill(self):
        """Cuts the power."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._reader:
            await asyncio.wait((self._reader,))

    def text(self, tail=None):
        """The last `tail` lines, or all."""
        lines = list(self.lines)
        return "\n".join(lines[-tail:] if tail else lines)

    async def _read(self):
        try:
            while line := await self._process.stdout.readline():
                line = line.decode(errors="replace").rstrip()
                self.lines.append(line)
                if self.on_line:
                    self.on_line(line)
                self._tell()
            self.status = await self._process.wait()
        finally:
            self._tell()

    def _tell(self):
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, condition, within, what):
        deadline = time.monotonic() + within
        while not (found := condition()):
            if self._reader.done():
                raise EmulatorError(f"ended with status {self.status}, no {what!r}\n{self.text(40)}")
            try:
                await asyncio.wait_for(self._changed.wait(), max(0, deadline - time.monotonic()))
            except asyncio.TimeoutError:
                if condition():
                    continue
                raise EmulatorError(f"no {what!r} within {within:g} s\n{self.text(40)}") from None
        return found


async def run(image, arguments=None, *, within=LIMIT_S, **options):
    """Runs an image to its end; returns (exit status, all that it printed)."""
    async with Emulator(image, arguments, **options) as emulator:
        status = await emulator.ended(within)
        return status, emulator.text()


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.emulator", description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path, help="an image of build/boards/qemu_mps2")
    parser.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="see boards/qemu_mps2/README.md")
    parser.add_argument("--forward", action="append", default=[], metavar="PORT:PORT", help="TCP, host to board")
    parser.add_argument("--icount", type=int, metavar="SHIFT", help="time follows the instructions, 2^SHIFT ns each")
    parser.add_argument("--pty", action="store_true", help="the console is a pseudo-terminal, for mpremote")
    parser.add_argument("--seconds", type=float, help="ends it after this time with status 124")
    words = parser.parse_intermixed_args()
    if wrong := [word for word in words.arguments if "=" not in word]:
        parser.error(f"NAME=VALUE, not {wrong[0]!r}")
    start = command(
        words.image,
        dict(word.split("=", 1) for word in words.arguments),
        forward=[pair.split(":") for pair in words.forward],
        icount=words.icount,
        stdio="pty" if words.pty else "stdio",
    )
    try:
        sys.exit(subprocess.run(start, timeout=words.seconds, check=False, preexec_fn=tie).returncode)
    except subprocess.TimeoutExpired:
        sys.exit(124)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
