# ruff: noqa: F821 - the words are those of MicroPython's manifests
# What is frozen into the image: the port's own modules, firmware/, and this board's Python.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
package("station", base_path="../../firmware")
module("main.py", base_path="../../firmware")
freeze("../common", ("provision.py", "esp32_flash.py"))
module("board.py")
