"""What NOR flash does to its cells: `clear_bits` programs, `is_erased` looks."""

import micropython


@micropython.viper
def clear_bits(cells: ptr8, data: ptr8, length: int) -> int:  # noqa: F821 (viper's own type)
    """Program `data` into `cells` as NOR does: bits go from 1 to 0 only. Returns the bits' or of what was
    asked to go from 0 to 1: not 0 is a mistake of the writer."""
    wrong = 0
    for i in range(length):
        new = int(data[i])
        old = int(cells[i])
        wrong |= new & ~old & 0xFF
        cells[i] = old & new
    return wrong


@micropython.viper
def is_erased(cells: ptr8, length: int) -> bool:  # noqa: F821
    """Whether all `length` bytes are 0xFF."""
    for i in range(length):  # noqa: SIM110 (viper has no generator)
        if int(cells[i]) != 0xFF:
            return False
    return True
