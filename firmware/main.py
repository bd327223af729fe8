"""Loads the board, builds the station, runs the loop."""

import asyncio

import board
from station.app import App

asyncio.run(App(board).run())
