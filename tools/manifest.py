"""What a board's manifest.py names: `resolve(path)` gives the Python files and where each goes.

It knows the words of MicroPython's manifests that ours use. What lies outside the project (the port's own modules,
asyncio) is part of every MicroPython; it is named, not followed.
"""

from pathlib import Path

OUTSIDE = ("$(MPY_DIR)", "$(PORT_DIR)", "$(MPY_LIB_DIR)")


class ManifestError(Exception):
    """A manifest names what is not there, or two files for one place."""


class Manifest:
    """`files`: {path on the board: file here}. `outside`: what was named of MicroPython's own."""

    def __init__(self):
        self.files = {}
        self.outside = []
        self._folders = []

    def _words(self):
        return {name: getattr(self, name) for name in ("include", "freeze", "package", "module", "require", "metadata")}

    def include(self, path, **_):
        if self._is_outside(path):
            return
        path = self._path(path)
        if path.is_dir():
            path = path / "manifest.py"
        if not path.is_file():
            raise ManifestError(f"{path}: is missing")
        self._folders.append(path.parent)
        # its words are ours, and so is the file
        exec(compile(path.read_text(), path, "exec"), self._words() | {"__file__": str(path)})
        self._folders.pop()

    def freeze(self, path, script=None, opt=None):
        if self._is_outside(path):
            return
        folder = self._path(path)
        if script is None:
            for file in sorted(folder.rglob("*.py")):
                self._add(file.relative_to(folder), file)
            return
        for name in (script,) if isinstance(script, str) else script:
            self._add(Path(name), folder / name)

    def package(self, package_path, files=None, base_path=".", opt=None):
        if self._is_outside(base_path):
            return
        base = self._path(base_path)
        folder = base / package_path
        if not folder.is_dir():
            raise ManifestError(f"{folder}: is missing")
        for file in [folder / name for name in files] if files else sorted(folder.rglob("*.py")):
            self._add(file.relative_to(base), file)

    def module(self, module_path, base_path=".", opt=None):
        if not self._is_outside(base_path):
            self._add(Path(module_path), self._path(base_path) / module_path)

    def require(self, name, **_):
        self.outside.append(name)

    def metadata(self, **_):
        return ""

    def _add(self, target, file):
        target, file = target.as_posix(), file.resolve()
        if not file.is_file():
            raise ManifestError(f"{file}: is missing")
        if self.files.get(target, file) != file:
            raise ManifestError(f"{target}: both {self.files[target]} and {file}")
        self.files[target] = file

    def _is_outside(self, path):
        if path.startswith(OUTSIDE):
            self.outside.append(path)
            return True
        return False

    def _path(self, path):
        return (self._folders[-1] / path).resolve() if self._folders else Path(path).resolve()


def resolve(path):
    """The Manifest of the file `path`; raises ManifestError. `os.listdir` in it sees its own folder."""
    import os

    here = os.getcwd()
    manifest = Manifest()
    try:
        os.chdir(Path(path).parent)  # as MicroPython's own tool does
        manifest.include(str(Path(path).resolve()))
    finally:
        os.chdir(here)
    return manifest
