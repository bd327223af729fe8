"""The board's reader of packages in a MicroPython process, asked line by line."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


class Board:
    """`ask(what, …)` as `update_script.py` says."""

    def __init__(self):
        environment = {**os.environ, "MICROPYPATH": f"{HERE.parent.parent / 'firmware'}:.frozen"}
        program = Path(sys.executable).with_name("micropython")
        self._process = subprocess.Popen(
            [program, "-X", "heapsize=32M", HERE / "update_script.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, *words):
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            raise AssertionError(f"MicroPython ended: {line}{self._process.stdout.read()}") from None

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
