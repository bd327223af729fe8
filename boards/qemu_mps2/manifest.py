# ruff: noqa: F821 - the words are those of MicroPython's manifests
# What is frozen into the firmware image: firmware/, this board's Python, and of boards/unix the simulated devices.
# Where both boards have a file of one name, this one's is taken.
import os

UNIX_ONLY = {"board.py", "port.py", "start.py", "store.py", "flash.py"}

package("station", base_path="../../firmware")
for name in ("boot.py", "boot_choice.py", "main.py"):
    module(name, base_path="../../firmware")
own = sorted(name for name in os.listdir(".") if name.endswith(".py") and name != "manifest.py")
models = sorted(name for name in os.listdir("../unix") if name.endswith(".py"))
freeze(".", own)
freeze("..", "unix/board.py")  # the wiring, as `unix.board`
freeze("../unix", [name for name in models if name not in UNIX_ONLY and name not in own])
include("$(MPY_DIR)/extmod/asyncio")
