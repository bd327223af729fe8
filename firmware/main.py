"""Loads the board, builds the station, runs the loop. Part of the base image: no update of an application touches it.

The loop never ends by itself. An error that ends it has opened every contact on its way out; the board begins anew. An
application on trial that fails here has lost, see boot_choice.py.
"""

import asyncio
import sys

import board
import boot_choice
import machine

try:
    from station.app import App

    app = App(board)
except Exception as error:
    if not boot_choice.on_trial():
        raise
    sys.print_exception(error, sys.stderr)  # type: ignore[arg-type]
    boot_choice.crashed(error)
    machine.reset()
try:
    asyncio.run(app.run())
except Exception as error:
    sys.print_exception(error, sys.stderr)  # type: ignore[arg-type]
    boot_choice.crashed(error)
    machine.reset()
