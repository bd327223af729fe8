"""What `make run` and `make update` share: the key with which packages for the simulated station are signed, and such
packages, made of this working copy.

The key is made when it is first needed, in build/, and is worth nothing beyond this machine.
"""

import contextlib
import os
import tempfile
import time
from pathlib import Path

from tools import application
from tools.boards import ROOT
from tools.components.device import image_of
from tools.components.plant import NAMES, uuids
from tools.packing import build, description, keys

VENDOR = "ladepunkt.example"
KEY = ROOT / "build" / "update-key.pem"


def signing_key():
    """The private key; whoever is the first of several processes makes it, whole."""
    if not KEY.exists():
        KEY.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEY.parent) as folder:
            made, _ = keys.generate(Path(folder) / KEY.name, "p256")
            with contextlib.suppress(FileExistsError):
                os.link(made, KEY)
    return keys.private(KEY, "p256")


def trust(board):
    """The section "update" of the provisioning of a simulated station."""
    vendor, kind = uuids(VENDOR, board)
    return {"keys": keys.raw(signing_key().public_key()).hex(), "vendor": vendor.hex(), "class": kind.hex()}


def package(folder, version, board="unix", beside=NAMES):
    """The path of a package, made in `folder`: the application of this working copy, and images of the components.

    Raises PackError, ApplicationError, CompileError.
    """
    parts = {}
    for name in (*beside, "application"):
        path = folder / f"{name}.img"
        own = name == "application"
        path.write_bytes(application.image(board, version) if own else image_of(version, 40_000))
        parts[name] = {"file": path.name, "class": board if own else name, "version": version}
    words = {"sequence": int(time.time()), "vendor": VENDOR, "components": parts}
    path = folder / "update.suit"
    path.write_bytes(build.build(description.parse(words, folder), keys.unlocked(signing_key())))
    return path
