"""Mounts the application that `boot_choice` picks at /rom, before the one in the base image. Runs once, before main.py.

A board gives `region("boot")`, `mapped(name)`, the flash of a slot as a buffer, and `reset_by_watchdog()`. Whatever is
wrong with them, the factory's application runs.
"""

import sys

import board
import boot_choice
import machine
import vfs

_PATIENCE = 3  # times the watchdog's own time, for the start of a slot on trial


def _mapped(slot: int):
    return board.mapped(boot_choice.NAMES[slot])


def _run() -> None:
    try:
        records = boot_choice.Records(*board.region("boot"))
    except (OSError, ValueError, KeyError) as error:
        print("boot: no records (%r), the factory's application runs" % error, file=sys.stderr)
        return
    boot_choice.records = records
    try:
        slot = boot_choice.choose(records, _mapped, board.reset_by_watchdog())
    except OSError as error:
        print("boot: %r" % error, file=sys.stderr)
        slot = records.state.confirmed
        if not boot_choice.is_whole(records.state, slot, _mapped):
            slot = boot_choice.FACTORY
    if slot == boot_choice.FACTORY:
        return
    if records.state.trial == slot:
        machine.WDT(timeout=_PATIENCE * board.WATCHDOG_MS)  # it may hang before it feeds one of its own
    try:
        vfs.umount("/rom")  # some ports have mounted the first slot there, whichever is chosen
    except OSError:
        pass
    try:
        vfs.mount(vfs.VfsRom(_mapped(slot)), "/rom")  # type: ignore
    except (OSError, ValueError) as error:
        boot_choice.crashed(error)
        machine.reset()
    sys.path.insert(0, "/rom")
    boot_choice.running = slot


_run()
