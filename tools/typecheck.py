"""Checks the types of the firmware against MicroPython's own stubs: `python -m tools.typecheck [FILE …]`.

mypy knows CPython's standard library by heart, so the stub packages of the unix port and of MicroPython's standard
library are put together into one typeshed, `build/typings`, that stands in for it: `time.ticks_ms` is known,
`time.perf_counter` is an error. `machine` is the unix board's, because the unix port has next to none. Exit status
is mypy's.
"""

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPINGS = ROOT / "build" / "typings"
PACKAGES = ("micropython-stdlib-stubs", "micropython-unix-stubs")
VERSIONS = Path("stdlib") / "VERSIONS"  # of a typeshed: the modules that it has
MACHINE = ROOT / "boards" / "unix" / "machine.py"
CHECKED = ("firmware",)


def prepare():
    """Puts the typeshed together, unless it stands already; returns its directory."""
    done = TYPINGS / ".made-of"
    made_of = "\n".join(f"{name}=={importlib.metadata.version(name)}" for name in PACKAGES)
    if not done.exists() or done.read_text() != made_of:
        shutil.rmtree(TYPINGS, ignore_errors=True)
        collect()
        done.write_text(made_of)
    machine = WithoutBuiltIn().visit(ast.parse(MACHINE.read_text()))
    (TYPINGS / "stdlib" / "machine.pyi").write_text(ast.unparse(machine))
    return TYPINGS


class WithoutBuiltIn(ast.NodeTransformer):
    """Puts an empty class in place of what the board's `machine` takes from the built-in one, which has its name."""

    def visit_ImportFrom(self, node):
        if node.module != "machine":
            return node
        return [ast.parse(f"class {alias.name}: ...").body[0] for alias in node.names if alias.name != "*"]


def collect():
    """Copies the stubs of PACKAGES; the port's lie beside `stdlib/` in their package and go into it here."""
    modules = set()
    for name in PACKAGES:
        for file in importlib.metadata.files(name):
            if file.suffix != ".pyi" and file != VERSIONS:
                continue
            into = TYPINGS / file
            if file.parts[0] not in ("stdlib", "stubs"):
                into = TYPINGS / "stdlib" / file
                modules.add(file.parts[0].removesuffix(".pyi"))
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), into)
    add_modules(TYPINGS / VERSIONS, modules)


def add_modules(versions, modules):
    """Enters modules into a typeshed's list of modules."""
    text = versions.read_text()
    known = {line.partition(":")[0] for line in text.splitlines()}
    versions.write_text(text + "".join(f"{name}: 3.0-\n" for name in sorted(modules - known)))


def check(files=CHECKED, cache=ROOT / "build" / "mypy"):
    """Runs mypy with the settings of pyproject.toml; returns its exit status."""
    words = ["--custom-typeshed-dir", prepare(), "--cache-dir", cache, "--no-site-packages", *files]
    paths = os.pathsep.join((str(ROOT / "firmware"), os.environ.get("MYPYPATH", ""))).rstrip(os.pathsep)
    words = [sys.executable, "-m", "mypy", *map(str, words)]
    return subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, "MYPYPATH": paths}).returncode


if __name__ == "__main__":
    sys.exit(check(sys.argv[1:] or CHECKED))
