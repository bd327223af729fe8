# ruff: noqa: F821 - the words are those of MicroPython's manifests
# The stock image: MicroPython as anyone would have it on a board; nothing of ours but the mount of its file system.
freeze(".", "_boot.py")
freeze("..", "ssl.py")
include("$(MPY_DIR)/extmod/asyncio")
