"""In MicroPython: the bytes of heap that the firmware's code takes on the unix port, which compiles into the heap."""

import gc

gc.collect()
before = gc.mem_alloc()
import station.app  # noqa: E402, F401

gc.collect()
print(gc.mem_alloc() - before)
