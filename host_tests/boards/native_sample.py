"""Machine code, for test_manifests.py."""

import micropython


@micropython.native
def twice(number: int) -> int:
    return 2 * number
