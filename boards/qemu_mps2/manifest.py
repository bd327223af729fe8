# What is frozen into the firmware image: firmware/, this board's Python and the models that it shares with boards/unix.
freeze("$(BOARD_DIR)/../../firmware", opt=0)
freeze("$(BOARD_DIR)", ("start.py", "hostfs.py"))
include("$(MPY_DIR)/extmod/asyncio")
