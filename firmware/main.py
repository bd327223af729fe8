"""Loads the board, builds the station, runs the loop.

The loop never ends by itself. An error that ends it has opened every contact on its way out; the board begins anew.
"""

import asyncio
import sys

import board
from station.app import App
from station.drivers import system

app = App(board)
try:
    asyncio.run(app.run())
except Exception as error:
    sys.print_exception(error, sys.stderr)  # type: ignore[arg-type]
    system.reset()
