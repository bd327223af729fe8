"""Builds a board's firmware: `python -m tools.firmware BOARD`.

A board is built by the module that BUILDERS names: its `build()` yields a line for each thing that was made.
"""

import argparse
import importlib
import sys

BUILDERS = {"qemu_mps2": "tools.build_qemu"}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.firmware", description=__doc__.splitlines()[0])
    parser.add_argument("board", choices=sorted(BUILDERS), metavar="BOARD", help=", ".join(sorted(BUILDERS)))
    board = parser.parse_args().board
    try:
        for line in importlib.import_module(BUILDERS[board]).build():
            print(line)
    except Exception as error:
        # A missing tool or a failed build has its reason in its text; anything else is our mistake and shows where.
        if type(error).__module__.startswith("tools."):
            sys.exit(str(error))
        raise


if __name__ == "__main__":
    main()
