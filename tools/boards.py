"""The boards that can be flashed: port, architecture, flash; and what their board.py says, read without running it."""

import ast
import dataclasses
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "boards"
STOCK_TABLE = "partitions-stock.csv"


@dataclasses.dataclass(frozen=True)
class Board:
    """`arch` is mpy-cross's name for the processor, `flash_bytes` the size of the flash that holds the partitions."""

    name: str
    port: str  # MicroPython's
    arch: str
    flash_bytes: int
    chip: str = ""  # esptool's name, where there is one

    @property
    def folder(self):
        return ROOT / "boards" / self.name

    @property
    def table(self):
        """The partition table, or None where the port has none."""
        path = self.folder / "partitions.csv"
        return path if path.exists() else None

    def constant(self, name, default=None):
        """The value of a constant of board.py (`NAME = const(…)` or a literal); `default` where it has none."""
        path = self.folder / "board.py"
        for node in ast.parse(path.read_text() if path.exists() else "").body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
                value = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
                return ast.literal_eval(value)
        return default


BOARDS = {
    board.name: board
    for board in (
        Board("esp32_s3_eth", "esp32", "xtensawin", 8 << 20, "esp32s3"),
        Board("esp32_eth", "esp32", "xtensawin", 4 << 20, "esp32"),
        Board("nucleo_h743zi", "stm32", "armv7emdp", 2 << 20),
        Board("qemu_mps2", "qemu", "armv7m", 4 << 20),
    )
}
