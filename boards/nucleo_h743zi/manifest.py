# ruff: noqa: F821 - the words are those of MicroPython's manifests
# What is frozen into the image: firmware/, and this board's Python.
include("$(MPY_DIR)/extmod/asyncio")
package("station", base_path="../../firmware")
module("main.py", base_path="../../firmware")
freeze("../common", "provision.py")
module("board.py")
module("nor_flash.py")
