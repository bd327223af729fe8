"""What has to change on a board: `plan` compares what should be there with what is; nothing here talks to a board."""

import dataclasses
import hashlib

LIST = "/.ladepunkt"  # on the board: the paths that we put there, one a line; others are not ours to remove


@dataclasses.dataclass
class Plan:
    """Paths, sorted: to be written, to be removed, right already."""

    write: list
    remove: list
    keep: list

    @property
    def is_empty(self):
        return not self.write and not self.remove


def digest(data):
    """SHA-256 of bytes, in hex, as the board tells it."""
    return hashlib.sha256(data).hexdigest()


def plan(wanted, present, owned):
    """The Plan. `wanted` {path: bytes}, `present` {path: digest} of what is there, `owned` paths that we put there."""
    write = [path for path, data in wanted.items() if present.get(path) != digest(data)]
    # a source file beside its .mpy would be imported in its place
    shadows = {path.removesuffix(".mpy") + ".py" for path in wanted if path.endswith(".mpy")}
    remove = [path for path in present if path not in wanted and (path in owned or path in shadows)]
    keep = [path for path in wanted if path not in write]
    return Plan(sorted(write), sorted(remove), sorted(keep))


def room_needed(wanted, plan, sizes, block):
    """Bytes that the file system must have free: whole blocks of what is written, less what that replaces.

    `sizes` {path: bytes} of what is there now. One block more for each folder, and two for the list and a change.
    """

    def blocks(size):
        return max(1, -(-size // block))

    folders = {path.rpartition("/")[0] for path in plan.write} - {path.rpartition("/")[0] for path in sizes}
    more = sum(blocks(len(wanted[path])) for path in plan.write) + 2 * len(folders) + 2
    less = sum(blocks(sizes[path]) for path in (*plan.write, *plan.remove) if path in sizes)
    return (more - less) * block


def folders(paths):
    """Every folder above these paths, those above first; without the root."""
    found = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return sorted(found)
