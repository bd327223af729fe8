"""An input line that stays below output which comes at any time.

`read` gives what was typed, line by line, None at the end of the input; `hide` and `show` are called around
output. On a terminal the line is edited here (backspace, Ctrl-U, Ctrl-W, up and down for earlier lines), because
only who holds the typed characters can draw them again; elsewhere lines are read as they come. `close` gives the
terminal back.
"""

import asyncio
import codecs
import os
import re
import termios
import tty

CLEAR = "\r\x1b[K"
UP, DOWN = "\x1b[A", "\x1b[B"
KEY = re.compile("\x1b[\\[O][0-9;]*[@-~]|.", re.DOTALL)
SEQUENCE_BEGUN = re.compile("\x1b([\\[O][0-9;]*)?$")
HISTORY = 100


class Prompt:
    """Reads from the file `source` and draws on the file `out`, if both are terminals."""

    def __init__(self, source, out, text="ladepunkt> ", columns=lambda: 80):
        self.text = text
        self._fd, self._out, self._columns = source.fileno(), out, columns
        self._draws = source.isatty() and out.isatty() and os.environ.get("TERM") != "dumb"
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed = ""
        self._pending = ""  # an escape sequence that has not come whole
        self._lines = asyncio.Queue()
        self._history, self._place = [], 0
        self._shown = False
        self._saved = None
        if self._draws:
            self._saved = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd)
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def close(self):
        """Stops reading and restores the terminal."""
        asyncio.get_running_loop().remove_reader(self._fd)
        self.hide()
        self._shown = False
        if self._saved:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
            self._saved = None

    async def read(self):
        """The next line, without its end; None at the end of the input."""
        self._shown = True
        self.show()
        return await self._lines.get()

    def hide(self):
        """Makes way for output."""
        if self._draws and self._shown:
            self._out.write(CLEAR)

    def show(self):
        """Draws the line again, as much of its end as fits."""
        if self._draws and self._shown:
            room = max(self._columns() - len(self.text) - 1, 1)
            self._out.write(CLEAR + self.text + self._typed[-room:])
            self._out.flush()

    def _readable(self):
        data = os.read(self._fd, 4096)
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._lines.put_nowait(None)
            return
        for key in self._keys(self._decoder.decode(data)):
            self._press(key)
        self.show()

    def _keys(self, text):
        """What was read as keys; an escape sequence is one key, and one that is cut short waits for its rest."""
        text = self._pending + text
        cut = SEQUENCE_BEGUN.search(text)
        self._pending = cut.group() if cut else ""
        return KEY.findall(text[: len(text) - len(self._pending)])

    def _press(self, key):
        if key in "\r\n":
            self._enter()
        elif key in "\x7f\b":
            self._typed = self._typed[:-1]
        elif key == "\x15":
            self._typed = ""
        elif key == "\x17":
            self._typed = self._typed.rstrip().rpartition(" ")[0]
            self._typed += " " if self._typed else ""
        elif key == "\x04":
            if not self._typed:
                self._lines.put_nowait(None)
        elif key in (UP, DOWN):
            self._recall(-1 if key == UP else 1)
        elif key.isprintable():
            self._typed += key

    def _enter(self):
        line, self._typed = self._typed, ""
        if self._draws and self._shown:
            self._out.write(f"{CLEAR}{self.text}{line}\n")
        if line.strip() and line not in self._history[-1:]:
            self._history = [*self._history, line][-HISTORY:]
        self._place = len(self._history)
        self._lines.put_nowait(line)

    def _recall(self, step):
        self._place = min(max(self._place + step, 0), len(self._history))
        self._typed = self._history[self._place] if self._place < len(self._history) else ""
