# ruff: noqa: F821 - the words are those of MicroPython's manifests
# What is frozen into the image: firmware/, and this board's Python.
include("$(MPY_DIR)/extmod/asyncio")
package("station", base_path="../../firmware")
for name in ("boot.py", "boot_choice.py", "main.py"):
    module(name, base_path="../../firmware")
freeze("../common", "provision.py")
module("board.py")
module("nor_flash.py")
module("rom_flash.py")
