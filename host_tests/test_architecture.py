"""The arrows of the design: who may import whom. Read from the source, so that they hold without anyone watching.

Each rule is a function from the imports of a tree to the lines that break it, as "file:line: what". An import under
`if TYPE_CHECKING:` counts like any other: to name a type is to know it.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"

# A layer is a folder of firmware/station, "" the files beside them. It may import itself and:
MAY_KNOW = {
    "drivers": set(),
    "storage": set(),
    "crypto": set(),
    "charging": {"storage", ""},
    "transfer": set(),
    "ocpp": {"charging", "storage", "crypto", "transfer", ""},
    "update": {"storage", "crypto", "transfer", ""},
    "maintenance": {"storage", "crypto", ""},
    "": {"storage"},
}
# of the base image, which no update of an application touches: the applications in the slots find their records by it
BASE = {"boot_choice"}
COMMON = {"station.log"}  # is handed to everyone, who may therefore name its type
APP = "station.app"  # builds the parts, so it may know all of them; only main.py knows it
FITTER = "station.fitter"  # its hand for the devices: only the app knows it
COMPOSITION = {APP, FITTER, "main", "boot"}

# Bytes in, bytes out: no waiting, no devices, no sockets, no clock. They know one another and these modules.
SANS_IO = {
    "station.ocpp.websocket",
    "station.ocpp.framer",
    "station.ocpp.json_head",
    "station.ocpp.json_stream",
    "station.ocpp.schema",
    "station.ocpp.messages",
    "station.drivers.modbus",
    "station.update.cbor",
}
PURE = {"array", "binascii", "collections", "hashlib", "io", "json", "math", "micropython", "re", "struct", "sys"}

# What the boards' ports have; a module that only the unix port has does not belong here.
MICROPYTHON = PURE | {
    "asyncio",
    "cryptolib",
    "deflate",
    "errno",
    "gc",
    "machine",
    "os",
    "random",
    "select",
    "socket",
    "ssl",
    "time",
    "tls",
    "uctypes",
    "vfs",
}
FOR_HINTS = {"typing"}  # under TYPE_CHECKING only: no board has it


@dataclass(frozen=True)
class Import:
    """One imported module: by whom, where, and whether only type checkers see it."""

    importer: str
    module: str
    place: str
    for_hints: bool


def imports(root):
    """Every Import of the Python files under `root`, `from package import module` resolved to the module."""
    files = {path: path.relative_to(root).with_suffix("").as_posix().replace("/", ".") for path in root.rglob("*.py")}
    known = set(files.values())
    found = []
    for path, importer in sorted(files.items()):
        tree = ast.parse(path.read_text())
        hints = {id(node) for test in ast.walk(tree) if _is_for_hints(test) for node in ast.walk(test)}
        for node in ast.walk(tree):
            place = f"{path.relative_to(root.parent)}:{getattr(node, 'lineno', 0)}"
            for module in _modules(node, known):
                found.append(Import(importer, module, place, id(node) in hints))
    return found


def _is_for_hints(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _modules(node, known):
    """The names of the modules that an import statement asks for."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        inner = {f"{module}.{alias.name}" for alias in node.names}
        return (inner & known) | ({module} if inner - known else set())
    return set()


def layer(module):
    """The folder of firmware/station that a module lies in; "" beside them; None outside of the station."""
    parts = module.split(".")
    if parts[0] != "station":
        return None
    return parts[1] if len(parts) > 2 or module in {f"station.{name}" for name in MAY_KNOW if name} else ""


def against_arrows(found):
    """Layers import only what MAY_KNOW grants them, nobody the composition root."""
    for item in found:
        if item.importer in COMPOSITION:
            continue
        mine, other = layer(item.importer), layer(item.module)
        if item.module == APP:
            yield f"{item.place}: {item.importer} imports {APP}; only main.py may"
        elif item.module == FITTER:
            yield f"{item.place}: {item.importer} imports {FITTER}; only {APP} may"
        elif None in (mine, other) or mine == other or item.module in COMMON:
            continue
        elif other not in MAY_KNOW.get(mine, ()):
            yield f"{item.place}: {mine or 'the top'} may not know {other or 'the top'}, but imports {item.module}"


def against_hardware(found):
    """Only drivers import `machine`, only main.py and boot.py import the board."""
    for item in found:
        # these two must stand when the package does not
        if (
            item.module.partition(".")[0] == "machine"
            and layer(item.importer) != "drivers"
            and item.importer not in {"main", "boot"}
        ):
            yield f"{item.place}: only drivers/ and boards/ import machine"
        if item.module == "board" and item.importer not in {"main", "boot"}:
            yield f"{item.place}: only main.py imports the board"


def against_names(found):
    """Inside the package every import starts with `station.` or is a module that MicroPython has."""
    for item in found:
        top = item.module.partition(".")[0]
        if not item.importer.startswith("station") or top == "station":
            continue
        if top in BASE and layer(item.importer) == "update":
            continue
        if top not in MICROPYTHON and not (item.for_hints and top in FOR_HINTS):
            yield f"{item.place}: {item.module!r} is neither station.… nor a module of MicroPython"


def against_sans_io(found):
    """What takes bytes and gives bytes reaches, directly or not, nothing that opens or waits."""
    reached, todo = set(), set(SANS_IO)
    while todo:
        reached |= todo
        todo = {i.module for i in found if i.importer in todo and layer(i.module) is not None} - reached
    for item in found:
        if item.importer in reached and not item.for_hints and layer(item.module) is None and item.module not in PURE:
            yield f"{item.place}: {item.importer} is sans-I/O (or used by what is) and imports {item.module}"


RULES = (against_arrows, against_hardware, against_names, against_sans_io)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_firmware_keeps(rule):
    broken = list(rule(imports(FIRMWARE)))
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


def test_every_folder_has_its_place():
    folders = {path.parent.name for path in (FIRMWARE / "station").glob("*/*.py")}
    assert folders <= set(MAY_KNOW), "say in MAY_KNOW whom it may know"


# --- the rules themselves can fail

BROKEN = (
    (against_arrows, "charging/connector.py", "from station.ocpp.link import Link"),
    (against_arrows, "charging/connector.py", "def f():\n    import station.drivers.pilot"),
    (against_arrows, "charging/connector.py", "from station import app"),
    (against_arrows, "ocpp/link.py", "from station.fitter import Fitter"),
    (against_arrows, "ocpp/link.py", "if TYPE_CHECKING:\n    from station.drivers import meter"),
    (against_arrows, "storage/journal.py", "import station.clock"),
    (against_arrows, "settings.py", "from station.charging import connector"),
    (against_hardware, "charging/connector.py", "from machine import Pin"),
    (against_hardware, "app.py", "import board"),
    (against_names, "charging/connector.py", "import typing"),
    (against_names, "charging/connector.py", "import connector"),
    (against_names, "ocpp/link.py", "from . import framer"),
    (against_sans_io, "ocpp/framer.py", "import asyncio"),
    (against_sans_io, "ocpp/framer.py", "from station.ocpp import helper"),
)


@pytest.mark.parametrize(("rule", "file", "text"), BROKEN, ids=[f"{b[1]}: {b[2]}" for b in BROKEN])
def test_a_rule_names_the_line_that_breaks_it(rule, file, text, tmp_path):
    station = tmp_path / "firmware" / "station"
    for name, content in (
        ("app.py", ""),
        ("clock.py", ""),
        ("charging/connector.py", ""),
        ("drivers/meter.py", ""),
        ("ocpp/helper.py", "import socket"),
        (file, text),
    ):
        (station / name).parent.mkdir(parents=True, exist_ok=True)
        (station / name).write_text(content)
    broken = list(rule(imports(tmp_path / "firmware")))
    assert len(broken) == 1
    culprit = "ocpp/helper.py" if "helper" in text else file
    assert broken[0].startswith(f"firmware/station/{culprit}:{1 + text.count(chr(10)) if culprit == file else 1}:")
