"""What `make run` shows: a line for each OCPP frame, for each change of a connector, and for what is being done.

`Console` aligns them in columns and, on a terminal, colours them, wraps payloads under their column and keeps the
input line of a `Prompt` below them. Colour is left out where the output is no terminal or `NO_COLOR` is set.
"""

import datetime
import json
import os
import shutil

from tools.frames import CALL, ERROR, RESULT, STATION

COLOURS = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
KINDS = {CALL: "CALL", RESULT: "RESULT", ERROR: "ERROR", None: "?"}
ACTION_WIDTH = 22
LEAST_PAYLOAD_WIDTH = 24

LEGEND = "→ station to backend   ← backend to station   ● the station   » what is done to it"


class Console:
    """Writes to `out`. `colour` and `width` are found out unless given; width None: lines are never wrapped."""

    def __init__(self, out, colour=None, width=None):
        terminal = out.isatty()
        self.out = out
        self.colour = (terminal and not os.environ.get("NO_COLOR")) if colour is None else colour
        self._width = width
        self._wraps = terminal or width is not None
        self.prompt = None  # a Prompt to keep below the output
        self.on_broken = None  # called when whoever reads the output has gone

    def say(self, text):
        """What is done to the station."""
        self.line(self._columns("»", "bold", text))

    def problem(self, text):
        """What went wrong."""
        self.line(self._columns("!", "red", text))

    def answer(self, text):
        """What a typed command gives; may have several lines."""
        for part in text.splitlines():
            self.line("  " + part)

    def frame(self, frame):
        """An OCPP frame: direction, kind, action, compact payload."""
        outward = frame.sender == STATION
        mark, colour = ("→", "cyan") if outward else ("←", "green")
        if frame.kind in (ERROR, None):
            colour = "red"
        payload = frame.text
        if frame.kind is not None:
            payload = json.dumps(frame.payload, separators=(",", ":"), ensure_ascii=False)
        action = frame.action or "?"
        head = f"{KINDS[frame.kind]:<6}  {action:<{ACTION_WIDTH}}"
        self.line(self._columns(mark, colour, head, payload, frame.at))

    def connector(self, row):
        """A connector as in the station's `state`: id, status, pilot, contactor, power_w, energy_wh."""
        contactor = "closed" if row["contactor"] else "open"
        text = (
            f"connector {row['id']}  {row['status'] or '-':<13}  pilot {row['pilot']}  contactor {contactor:<6}"
            f"  {row['power_w'] / 1000:6.2f} kW  {row['energy_wh'] / 1000:9.3f} kWh"
        )
        self.line(self._columns("●", "yellow", text))

    def line(self, text):
        """Writes one line above the prompt."""
        try:
            if self.prompt:
                self.prompt.hide()
            self.out.write(text + "\n")
            if self.prompt:
                self.prompt.show()
            self.out.flush()
        except BrokenPipeError:
            if self.on_broken:
                self.on_broken()

    def _columns(self, mark, colour, head, payload="", at=None):
        """time, mark, head and payload, the payload wrapped under its own column."""
        moment = datetime.datetime.now() if at is None else datetime.datetime.fromtimestamp(at)
        clock = moment.strftime("%H:%M:%S.%f")[:-3]
        left = f"{clock}  {mark}  {head}"
        if not payload:
            return self._paint(clock, "dim") + self._paint(left[len(clock) :], colour)
        indent = len(left) + 2
        parts = self._wrap(payload, indent)
        lines = ["  " + parts[0], *(" " * indent + part for part in parts[1:])]
        return self._paint(clock, "dim") + self._paint(left[len(clock) :], colour) + "\n".join(lines)

    def _wrap(self, text, indent):
        if not self._wraps:
            return [text]
        width = (self._width or shutil.get_terminal_size().columns) - indent
        width = max(width, LEAST_PAYLOAD_WIDTH)
        return [text[i : i + width] for i in range(0, len(text), width)]

    def _paint(self, text, colour):
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.colour else text
