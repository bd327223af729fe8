"""Lets CPython import the sans-I/O parts of the firmware, beside the shim that stands for `micropython`."""

import sys
from pathlib import Path

HOST_TESTS = Path(__file__).parent.parent
for path in (HOST_TESTS / "cpython", HOST_TESTS.parent / "firmware"):
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
