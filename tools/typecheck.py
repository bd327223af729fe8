"""Checks the types of the firmware against MicroPython's own stubs: `python -m tools.typecheck [FILE …]`.

mypy knows CPython's standard library by heart, so the stub packages of a port and of MicroPython's standard library
are put together into one typeshed, `build/typings/PORT`, that stands in for it: `time.ticks_ms` is known,
`time.perf_counter` is an error. On the unix port `machine` is the unix board's, because that port has next to none.
Without FILE it checks firmware/ for the unix port, then firmware/ with each real board's code for that board's port.
Exit status is mypy's.
"""

import ast
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.boards import BOARDS, ROOT

TYPINGS = ROOT / "build" / "typings"
LIBRARY = "micropython-stdlib-stubs"
PORTS = {port: f"micropython-{port}-stubs" for port in ("unix", "esp32", "stm32")}
VERSIONS = Path("stdlib") / "VERSIONS"  # of a typeshed: the modules that it has
MACHINE = [ROOT / "boards" / "unix" / name for name in ("port.py", "machine.py")]  # which gives all of the former on
CHECKED = ("firmware",)


def prepare(port="unix"):
    """Puts the typeshed of a port together, unless it stands already; returns its directory."""
    TYPINGS.mkdir(parents=True, exist_ok=True)
    typeshed, done = TYPINGS / port, TYPINGS / port / ".made-of"
    made_of = pins(LIBRARY, PORTS[port])
    with open(TYPINGS / f".{port}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != "\n".join(made_of):
            shutil.rmtree(typeshed, ignore_errors=True)
            collect(typeshed, made_of)
            done.write_text("\n".join(made_of))
        if port == "unix":
            machine = "\n".join(ast.unparse(WithoutBuiltIn().visit(ast.parse(file.read_text()))) for file in MACHINE)
            replaced = typeshed / "stdlib" / "machine.pyi"
            if replaced.read_text() != machine:
                replaced.write_text(machine)
    return typeshed


class WithoutBuiltIn(ast.NodeTransformer):
    """Puts an empty class in place of what the board's `machine` takes from the built-in one, which has its name."""

    def visit_ImportFrom(self, node):
        if node.module == "port":
            return None
        if node.module != "machine":
            return node
        return [ast.parse(f"class {alias.name}: ...").body[0] for alias in node.names if alias.name != "*"]


def pins(*names):
    """These packages as requirements.txt pins them."""
    pinned = (ROOT / "requirements.txt").read_text()
    return [re.search(rf"^{name}==\S+$", pinned, re.MULTILINE)[0] for name in names]


def collect(typeshed, packages):
    """Installs the stubs, each package apart: the ports' have files of the same names. A port's own lie beside
    `stdlib/` in their package and go into it here."""
    modules = set()
    for package in packages:
        apart = typeshed / ".package"
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*words, "--target", apart, package], check=True)
        for file in sorted(apart.rglob("*")):
            place = file.relative_to(apart)
            if not file.is_file() or (file.suffix != ".pyi" and place != VERSIONS):
                continue
            into = typeshed / place
            if place.parts[0] not in ("stdlib", "stubs"):
                into = typeshed / "stdlib" / place
                modules.add(place.parts[0].removesuffix(".pyi"))
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, into)
        shutil.rmtree(apart)
    add_modules(typeshed / VERSIONS, modules)


def add_modules(versions, modules):
    """Enters modules into a typeshed's list of modules."""
    text = versions.read_text()
    known = {line.partition(":")[0] for line in text.splitlines()}
    versions.write_text(text + "".join(f"{name}: 3.0-\n" for name in sorted(modules - known)))


def check(files=CHECKED, cache=None, port="unix", path=()):
    """Runs mypy with the settings of pyproject.toml; returns its exit status. `path`: more folders of modules."""
    cache = cache or ROOT / "build" / "mypy" / port
    words = ["--custom-typeshed-dir", prepare(port), "--cache-dir", cache, "--no-site-packages", *files]
    folders = (str(ROOT / "firmware"), *map(str, path), os.environ.get("MYPYPATH", ""))
    words = [sys.executable, "-m", "mypy", *map(str, words)]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(filter(None, folders))}
    return subprocess.run(words, check=False, cwd=ROOT, env=environment).returncode


def check_board(board, cache=None):
    """The firmware with a board's own modules, for its port; returns mypy's exit status."""
    cache = cache or ROOT / "build" / "mypy" / board.name
    own = [path for path in sorted(board.folder.glob("*.py")) if path.name != "manifest.py"]
    return check((*CHECKED, *own), cache, board.port, (board.folder, ROOT / "boards" / "common"))


def main():
    if files := sys.argv[1:]:
        return check(files)
    worst = check()
    for board in BOARDS.values():
        if board.port in PORTS:
            print(f"{board.name}: ", end="", flush=True)
            worst = max(worst, check_board(board))
    return worst


if __name__ == "__main__":
    sys.exit(main())
