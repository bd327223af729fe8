"""A port's `esp32`: partitions in RAM, {label: blocks} of `TABLE`; they erase and program as NOR flash does."""

from flashes import CuttableFlash

TABLE = {}
_made = {}


class Partition:
    TYPE_APP, TYPE_DATA = 0, 1

    @staticmethod
    def find(kind, label=None):
        if kind != Partition.TYPE_DATA or label not in TABLE:
            return []
        if label not in _made:
            _made[label] = CuttableFlash(TABLE[label], quiet=True)
        return [_made[label]]
