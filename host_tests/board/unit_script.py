"""On the board: runs a unit test module, the argument `module` (a path of the host), by `host_tests/unit/runner.py`.

Prints a JSON line for each test, as that does. The firmware and the models are those frozen into the image.
"""

import sys

import qemu

_unit = __file__.rpartition("/board/")[0] + "/unit"
sys.path.insert(0, _unit)
sys.path.insert(0, _unit + "/lib")

import runner  # noqa: E402

runner.main("/host" + qemu.argument("module"))
