"""Collects `unittest` cases statically, runs their module in MicroPython, shows each test in pytest.

One process a module; each pytest item reports its own outcome of that run.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATHS = [HERE / "lib", ROOT / "boards" / "unix", ROOT / "firmware", ROOT / "tools" / "components"]
MICROPYTHON = Path(sys.executable).with_name("micropython")
TIMEOUT_S = 100


def pytest_pycollect_makemodule(module_path, parent):
    if module_path.parent == HERE:
        return MicroPythonModule.from_parent(parent, path=module_path)
    return None


class MicroPythonModule(pytest.File):
    _outcomes = None

    def collect(self):
        for node in ast.parse(self.path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.bases and not node.name.startswith("_"):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef) and item.name.startswith("test"):
                        name = f"{node.name}.{item.name}"
                        yield MicroPythonTest.from_parent(self, name=name, line=item.lineno)

    def outcomes(self):
        """{test name: (outcome, text)} of the one run of this module, and what else it printed."""
        if self._outcomes is None:
            words = [MICROPYTHON, "-X", "heapsize=8M", HERE / "runner.py", self.path, *PATHS]
            done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=ROOT)
            found, other = {}, []
            for line in done.stdout.splitlines():
                try:
                    row = json.loads(line)
                    found[row["test"]] = row["outcome"], row["text"]
                except (ValueError, KeyError, TypeError):
                    other.append(line)
            self._outcomes = found, "\n".join([*other, done.stderr, f"exit status {done.returncode}"])
        return self._outcomes


class MicroPythonTest(pytest.Item):
    def __init__(self, *, line, **kw):
        super().__init__(**kw)
        self.line = line

    def runtest(self):
        found, output = self.parent.outcomes()
        if output.strip():
            self.add_report_section("call", "output of the module", output)
        if self.name not in found:
            raise MicroPythonFailure("MicroPython ended without running this test\n" + output)
        outcome, text = found[self.name]
        if outcome == "skipped":
            pytest.skip(text)
        if outcome != "passed":
            raise MicroPythonFailure(text)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, MicroPythonFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, self.line - 1, self.name


class MicroPythonFailure(Exception):
    pass
