"""`frames_script.py` in a MicroPython process, asked line by line."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class MicroPython:
    def __init__(self):
        words = [
            Path(sys.executable).with_name("micropython"),
            "-X",
            "heapsize=8M",
            Path(__file__).with_name("frames_script.py"),
        ]
        self._process = subprocess.Popen(
            words, env={"MICROPYPATH": str(ROOT / "firmware")}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def parse(self, text: bytes):
        return self._ask("parse", text)

    def check(self, direction, action, text: bytes, strict=True):
        return self._ask(f"check {direction} {'strict' if strict else 'loose'} {action}", text)

    def _ask(self, words, text):
        try:
            self._process.stdin.write(f"{words} {text.hex()}\n".encode())
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        assert line, f"MicroPython ended with status {self._process.wait(10)} at `{words}` of {text!r}"
        return json.loads(line)

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
