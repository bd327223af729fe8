"""What `boards/unix/machine.py` asks of this port beside its built-in `machine`, which has timers and clock already."""

from umachine import reset as restart  # noqa: F401
