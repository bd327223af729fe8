"""`Slice`: a stretch of a flash that is a block device of its own."""

from micropython import const

_BLOCK_COUNT, _BLOCK_ERASE = const(4), const(6)
_EINVAL = const(22)


class Slice:
    """Blocks `first` to `first + count - 1` of `device`, as a block device for `VfsLfs2`."""

    def __init__(self, device, first: int, count: int):
        total = device.ioctl(_BLOCK_COUNT, 0)
        if first < 0 or count < 1 or first + count > total:
            raise ValueError("slice: blocks %d+%d, device has 0 to %d" % (first, count, total - 1))
        self._device = device
        self._first = first
        self._count = count

    def readblocks(self, block: int, buf, offset: int = 0):
        self._check(block)
        return self._device.readblocks(self._first + block, buf, offset)

    def writeblocks(self, block: int, buf, offset: "int | None" = None):
        self._check(block)
        if offset is None:
            return self._device.writeblocks(self._first + block, buf)
        return self._device.writeblocks(self._first + block, buf, offset)

    def ioctl(self, op: int, arg: int):
        if op == _BLOCK_COUNT:
            return self._count
        if op == _BLOCK_ERASE:
            self._check(arg)
            return self._device.ioctl(op, self._first + arg)
        return self._device.ioctl(op, arg)

    def _check(self, block: int) -> None:
        if not 0 <= block < self._count:
            raise OSError(_EINVAL)
