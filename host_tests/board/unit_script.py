"""On the board: runs a unit test module, the argument `module` (a path of the host), by `host_tests/unit/runner.py`.

Prints a JSON line for each test, as that does, but for those that `skip` names, with colons between them. The firmware
and the models are those frozen into the image.
"""

import os
import sys

import qemu

_tests = __file__.rpartition("/board/")[0]
sys.path.insert(0, _tests + "/unit")
sys.path.insert(0, _tests + "/unit/lib")
sys.path.append(_tests.rpartition("/")[0] + "/tools/components")
os.chdir(_tests.rpartition("/")[0])  # as the unix port runs them

import runner  # noqa: E402

runner.main("/host" + qemu.argument("module"), (qemu.argument("skip") or "").split(":"))
