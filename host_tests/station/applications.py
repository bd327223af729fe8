"""Applications for a station's slots, as signed packages: the firmware itself with some lines changed, compiled."""

import asyncio
import functools
import json
import shutil
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from tools import application
from tools.components.plant import uuids
from tools.packing import build, description, keys

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MICROPYTHON = Path(sys.executable).with_name("micropython")
VENDOR = "ladepunkt.example"
KEY = ec.derive_private_key(0x1ADE, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(0xBAD, ec.SECP256R1())

# what is wrong with an application: (file, text in it, text in its place)
WRONG = {
    "crash": ("station/app.py", "import asyncio\n", "import asyncio\nimport a_module_that_is_missing\n"),
    "hang": ("station/app.py", "Watchdog(self._board.WATCHDOG_MS)", "Watchdog(1500); self.supervisor.healthy = bool"),
    # beyond the reach of the unix board's watchdog, which is a task
    "hang at import": ("station/app.py", "import asyncio\n", "import asyncio\n\nwhile True:\n    pass\n"),
    "deaf": ("station/app.py", 'start("link", self._connect)', "pass"),
    "dying": ("station/app.py", 'start("cache", self._cache.run)', 'start("cache", lambda: 1 / 0)'),
    "broken build": ("station/ocpp/link.py", "class Link", "raise RuntimeError('built wrongly')\n\n\nclass Link"),
}


def firmware(folder, *changes):
    """A copy of the firmware in `folder` with these changes, (file, text, in its place); each must fit once."""
    shutil.copytree(ROOT / "firmware" / "station", folder / "station", ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        path = folder / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name}: {old!r} is there {text.count(old)} times"
        path.write_text(text.replace(old, new))
    return folder


def package(
    folder,
    version,
    *changes,
    board="unix",
    name="application",
    sequence=1,
    kind=None,
    key=KEY,
    beside=None,
    order=None,
    needs=None,
    uris=None,
):
    """The path of a signed package, made in `folder`: an application unless `name` is None, and images `beside` it.

    `beside`: {component: bytes}; their kinds of device are called as they are. `order` of installation: the application
    first. `needs`, `uris`: {component: as in a description}.
    """
    images = dict(beside or {})
    if name:
        images = {name: _image(board, version, changes), **images}
    parts = {}
    for component, image in images.items():
        path = folder / f"{component}-{version}.img"
        path.write_bytes(image)
        made_for = (kind or board) if component == name else component
        parts[component] = {"file": path.name, "class": made_for, "version": version}
    for component, wanted in (needs or {}).items():
        parts[component]["needs"] = wanted
    for component, uri in (uris or {}).items():
        parts[component]["uri"] = uri
    words = {"sequence": sequence, "vendor": VENDOR, "order": list(order or images), "components": parts}
    path = folder / f"{version}.suit"
    path.write_bytes(build.build(description.parse(words, folder), keys.unlocked(key)))
    return path


@functools.cache
def _image(board, version, changes):
    with tempfile.TemporaryDirectory() as folder:
        return application.image(board, version, firmware(Path(folder), *changes))


def identity(board="unix"):
    """What a station must know to take these packages, in hexadecimal: the key that signs, the UUIDs of the board."""
    vendor, kind = uuids(VENDOR, board)
    return {"key": keys.raw(KEY.public_key()).hex(), "vendor": vendor.hex(), "class": kind.hex()}


async def offer(box, path, was_online=True, board="unix"):
    """Switches the station off and lets it take the package; what it says, see stage_script.py."""
    await box.kill()
    words = {**identity(board), "sequence": 1, "online": was_online}
    folders = (ROOT / "boards" / "unix", ROOT / "firmware", box.state_dir / "provision.json", box.state_dir)
    process = await asyncio.create_subprocess_exec(
        *map(str, (MICROPYTHON, "-X", "heapsize=4M", HERE / "stage_script.py", *folders, path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(json.dumps(words).encode() + b"\n"), 30)
    assert process.returncode == 0, output.decode()
    return json.loads(output.splitlines()[-1])


async def stage(box, path, was_online=True, board="unix"):
    assert "staged" in await offer(box, path, was_online, board)
