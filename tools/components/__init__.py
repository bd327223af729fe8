"""Simulated components of a station, beside its application board: routers, PLCs, charge controllers.

`device.py` is the component itself, `https.py` and `modbus.py` are its two ways to speak with the board.
"""
