"""MicroPython's prompt on a board: `python -m tools.shell PORT [--run CODE]`. Ctrl-] leaves it.

A station that runs there is interrupted, and opens its contacts; its watchdog is fed as long as CODE runs, not
at the prompt: reset it, or it will do that itself. `python -m tools.shell PORT --log` only listens.
"""

import argparse
import contextlib
import os
import sys

from tools.board_link import Link, LinkError, close, follow, opened


def listen(port):
    """Shows what the board prints, until Ctrl-C; interrupts nothing."""
    with contextlib.suppress(KeyboardInterrupt):
        follow(opened(port), port, None, print)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.shell", description=__doc__.splitlines()[0])
    parser.add_argument("port", nargs="?", help="serial port; without it the ports are listed")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", metavar="CODE", help="run this, print what it prints, and leave")
    what.add_argument("--log", action="store_true", help="show the board's log, interrupting nothing")
    words = parser.parse_args()
    try:
        if words.log:
            listen(words.port)
        elif words.run:
            with Link(words.port) as link:
                print(link.run(words.run), end="")
        else:
            close(opened(words.port))
            os.execv(sys.executable, [sys.executable, "-m", "mpremote", "connect", words.port, "resume", "repl"])
    except LinkError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace", line_buffering=True)
    main()
