"""Writes a board's provisioning file: `python -m tools.provision BOARD PORT FILE.json [--ca CA.pem]`.

The firmware's own parser checks it first, in MicroPython on this machine, so nothing gets there that it would refuse.
A certificate is part of the file (`backend.ca`); `--ca` puts that of a PEM file in.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.board_link import Link, LinkError
from tools.boards import BOARDS, ROOT
from tools.flash_plan import digest

_CHECK = """
import sys
from station import provisioning
try:
    found = provisioning.parse(sys.stdin.buffer.read())
except provisioning.ProvisioningError as error:
    print(error)
    sys.exit(2)
print(found.connectors, found.lock)
"""
WRONG_STATUS = 2

# where it goes, as the firmware on the board says; its file system may lie where only that firmware looks
_PLACE = """
import os
try:
    import board
except ImportError:
    print('')
else:
    device = board.filesystem()
    if device:
        try:
            os.stat('/flash')
        except OSError:
            from station.storage import filesystem
            from station.log import Log
            filesystem.mount(device, Log(256))
    print(board.PROVISION)
"""


class ProvisionError(Exception):
    """The file is wrong, or cannot be written; the text says why."""


def text_of(path, ca=None):
    """The bytes to write: the file's JSON as it is, or with the certificate of the PEM file `ca` put in."""
    try:
        text = Path(path).read_bytes()
        if not ca:
            return text
        certificate = Path(ca).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisionError(f"cannot be read: {error}") from None
    try:
        given = json.loads(text)
        given["backend"]["ca"] = certificate
    except (ValueError, KeyError, TypeError) as error:
        raise ProvisionError(f"{path}: expected JSON with a section backend, got {error!r}") from None
    return json.dumps(given).encode()


def check(text, board):
    """Raises ProvisionError if the firmware would refuse `text` (bytes), or the board has not what it asks for."""
    program = Path(sysconfig.get_path("scripts")) / "micropython"
    done = subprocess.run(
        [program, "-c", _CHECK],
        input=text,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "MICROPYPATH": f"{ROOT / 'firmware'}:.frozen"},
    )
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode:
        raise ProvisionError(said if done.returncode == WRONG_STATUS else f"the check itself failed:\n{said}")
    connectors, lock = said.split()
    most = board.constant("MAX_CONNECTORS", 8)
    if int(connectors) > most:
        raise ProvisionError(f"connectors.count: expected at most {most}, {board.name} has no more, got {connectors}")
    if lock == "True" and not board.constant("HAS_LOCK", True):
        raise ProvisionError(f"connectors.lock: expected false, {board.name} has no pins for locks")


def write(link, text):
    """Puts it in its place, the old one staying until the new one is whole; returns the path. Raises LinkError."""
    path = link.run(_PLACE).strip() or "/provision.json"
    fresh = path + ".new"
    link.write(fresh, text)
    there = link.run(
        f"import hashlib, binascii\nwith open({fresh!r}, 'rb') as f: "
        "print(binascii.hexlify(hashlib.sha256(f.read()).digest()).decode())"
    )
    if there.strip() != digest(text):
        raise ProvisionError(f"{fresh}: not as it was sent; nothing was changed")
    # littlefs replaces the old one at once, FAT wants it gone before
    link.run(
        f"import os\ntry: os.rename({fresh!r}, {path!r})\n"
        f"except OSError:\n os.remove({path!r})\n os.rename({fresh!r}, {path!r})\n"
    )
    return path


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.provision", description=__doc__.splitlines()[0])
    parser.add_argument("board", choices=sorted(BOARDS), metavar="BOARD", help=", ".join(sorted(BOARDS)))
    parser.add_argument("port", help="serial port")
    parser.add_argument("file", help="the provisioning file, see boards/unix/README.md")
    parser.add_argument("--ca", metavar="PEM", help="the certificate to trust")
    words = parser.parse_args()
    try:
        text = text_of(words.file, words.ca)
        check(text, BOARDS[words.board])
        with Link(words.port, fresh=True) as link:
            path = write(link, text)
            print(f"{path}: {len(text)} bytes, verified; the board starts with it now")
            link.reset()
    except ProvisionError as error:
        sys.exit(f"{words.file}: {error}")
    except LinkError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
