"""A station on the emulated board qemu_mps2, as a child process; `tools.run --board qemu_mps2` uses it.

`EmulatedStation` is used as `StationProcess` is. Its state directory holds the flash's image and the world; killing
it is a power cut. The backend on this machine's loopback is reached, the control port comes by a forwarded one.
"""

import contextlib
import copy
import functools
import json
import socket
from pathlib import Path

from tools import emulator, sources
from tools.build_qemu import image
from tools.process import StationProcess
from tools.station import tie

LOOPBACKS = ("127.0.0.1", "localhost")
CONTROL_PORT = 8080  # on the board


def free_port():
    """A TCP port of the loopback that nothing uses now."""
    with contextlib.closing(socket.socket()) as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def seen_from_board(url):
    """The URL of a backend on this machine, as the board has to name it."""
    for name in LOOPBACKS:
        url = url.replace(f"//{name}", f"//{emulator.HOST}")
    return url


class EmulatedStation(StationProcess):
    """One station on the emulated board. Arguments as StationProcess; `arguments` go to the image, see the README.

    `icount`: emulator.INSTRUCTION_SHIFT makes its time follow the instructions.
    """

    start_s = 60.0
    preexec = staticmethod(tie)

    def __init__(self, provisioning, state, *, heap=None, arguments=None, icount=None, control=True, **options):
        super().__init__(provisioning, state, heap=heap, **options)
        self.arguments = dict(arguments or {})
        self._icount = icount
        self._control = control
        self.elf = None  # the image; None: that of `make firmware`

    def _host_port(self, port):
        return self._forwarded

    def _words(self):
        self.state_dir.mkdir(parents=True, exist_ok=True)
        words = self.provisioning
        if not isinstance(words, dict):
            with open(words) as file:
                words = json.load(file)
        words = copy.deepcopy(words)
        with contextlib.suppress(KeyError, AttributeError):  # the station refuses what is wrong with it
            words["backend"]["url"] = seen_from_board(words["backend"]["url"])
        path = self.state_dir / "provision.json"
        path.write_text(json.dumps(words))
        arguments = {"provision": path, "state": self.state_dir, **self.arguments}
        if self.extension:
            arguments["extension"] = Path(self.extension).resolve()
        if self.heap:
            arguments["heap"] = self.heap
        forward = ()
        if self._control:
            arguments["control"] = 1
            self._forwarded = self.control_port or free_port()
            forward = ((self._forwarded, CONTROL_PORT),)
        return emulator.command(self.elf or prepare(), arguments, forward=forward, icount=self._icount)


@functools.cache
def prepare():
    """Builds the image if need be; returns its path. Raises what the build raises."""
    sources.programs(emulator.PROGRAM)
    return image()
