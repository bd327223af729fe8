# The stock image: MicroPython as anyone would have it on a board; nothing of ours but the mount of its file system.
freeze("$(BOARD_DIR)/stock", "_boot.py")
include("$(MPY_DIR)/extmod/asyncio")
