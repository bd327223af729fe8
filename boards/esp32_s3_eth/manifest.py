# ruff: noqa: F821 - the words are those of MicroPython's manifests
# What is frozen into the image: the port's own modules, firmware/, and this board's Python.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
package("station", base_path="../../firmware")
for name in ("boot.py", "boot_choice.py", "main.py"):
    module(name, base_path="../../firmware")
freeze("../common", ("provision.py", "esp32_flash.py", "esp32_base.py"))
module("board.py")
