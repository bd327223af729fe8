"""Builds a board's firmware: `python -m tools.firmware BOARD`.

A board is built by the module that BUILDERS names for its port: its `build(name)` yields a line for each thing made.
"""

import argparse
import importlib
import sys

from tools.boards import BOARDS

BUILDERS = {"qemu": "tools.build_qemu", "esp32": "tools.build_ports", "stm32": "tools.build_ports"}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.firmware", description=__doc__.splitlines()[0])
    parser.add_argument("board", choices=sorted(BOARDS), metavar="BOARD", help=", ".join(sorted(BOARDS)))
    board = parser.parse_args().board
    try:
        for line in importlib.import_module(BUILDERS[BOARDS[board].port]).build(board):
            print(line)
    except Exception as error:
        # A missing tool or a failed build has its reason in its text; anything else is our mistake and shows where.
        if type(error).__module__.startswith("tools."):
            sys.exit(str(error))
        raise


if __name__ == "__main__":
    main()
