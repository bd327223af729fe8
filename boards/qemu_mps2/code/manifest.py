# ruff: noqa: F821 - the words are those of MicroPython's manifests
# The firmware and nothing else: what its frozen code takes of a board's flash (`make bench BOARD=qemu_mps2`).
package("station", base_path="../../../firmware")
module("main.py", base_path="../../../firmware")
