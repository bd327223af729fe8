"""The application's two slots: which one runs, and the new image on its way into the other.

Which one runs is told by `boot_choice`, a part of the base image that all applications share. A slot is a raw region
that holds a ROMFS image, from its first byte on; its length and CRC-32 stand in the boot records, so that a slot whose
image was written in part is never run.
"""

import boot_choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.log import Log
    from station.storage.region import Region

VERSION_FILE = "/rom/version.txt"


class Slots:
    """`region(name)` gives the Region of "slot_a" or "slot_b". `factory_version`: of the application in the base."""

    def __init__(self, region: "Callable[[str], Region]", factory_version: str, log: "Log") -> None:
        self._region_of = region
        self._log = log
        self._records = boot_choice.records
        self.running = boot_choice.NAMES[boot_choice.running]
        self.version = factory_version
        if boot_choice.running:
            self.version = _version()
        self._slot = 0  # that is being written
        self._writer: "Any" = None  # its buffer is taken with the first image, and kept

    @property
    def available(self) -> bool:
        """Has this board slots at all? Without an image that has `boot.py` in it there are none."""
        return self._records is not None

    @property
    def on_trial(self) -> bool:
        """Does a slot run that has not been confirmed?"""
        return boot_choice.on_trial()

    @property
    def was_online(self) -> bool:
        """Was the backend connected when the application before this trial gave way to it?"""
        return self._records is not None and self._records.state.was_online

    @property
    def was_well(self) -> bool:
        """Did no device fail under the application before this trial?"""
        return self._records is not None and self._records.state.was_well

    @property
    def fallen_back(self) -> "tuple[str, str] | None":
        """(slot, reason) of the latest trial, if it was lost."""
        state = self._records.state if self._records else None
        if not state or not state.failed:
            return None
        reason = (
            boot_choice.REASONS[state.reason] if state.reason < len(boot_choice.REASONS) else "reason %d" % state.reason
        )
        return boot_choice.NAMES[state.failed], reason + (": " + state.note if state.note else "")

    def told_fallback(self) -> str:
        """`fallen_back` as a text, "" if there is none."""
        return "%s: %s" % self.fallen_back if self.fallen_back else ""

    @property
    def former(self) -> "str | None":
        """The slot that a rollback by hand would run, "factory" among them; None if that is the one that runs."""
        if not self._records or self.on_trial or self._records.state.confirmed == boot_choice.FACTORY:
            return None
        return boot_choice.NAMES[self._records.state.former]

    @property
    def capacity(self) -> int:
        """Bytes that a new image may have."""
        return self._region_of(boot_choice.NAMES[self._target()]).size if self.available else 0

    @property
    def target(self) -> str:
        """The slot that a new image goes to."""
        return boot_choice.NAMES[self._target()]

    def _target(self) -> int:
        """The slot that a new image goes to: the one that is neither running nor confirmed; A from the factory."""
        state = self._records.state
        return (
            boot_choice.SLOT_B if boot_choice.SLOT_A in (boot_choice.running, state.confirmed) else boot_choice.SLOT_A
        )

    # --- writing a new image

    def begin(self) -> None:
        """Begin a new image in the slot that does not run; what was there is no longer to be run.

        Raises RuntimeError on trial: the other slot may hold the way back.
        """
        if self.on_trial:
            raise RuntimeError("slots: %s is on trial" % self.running)
        self._slot = self._target()
        if self._writer is None:
            from station.update.image_writer import ImageWriter  # takes its memory at the first update

            self._writer = ImageWriter()
        name = boot_choice.NAMES[self._slot]
        self._writer.begin(self._region_of(name), name)
        state = self._records.state
        if state.images[self._slot] != (0, 0):
            state.images[self._slot] = (0, 0)
            if state.former == self._slot:
                state.former = boot_choice.FACTORY
            if state.failed == self._slot:  # the image that failed is gone: this one has its own trial
                state.failed, state.reason, state.note = boot_choice.FACTORY, boot_choice.NONE, ""
            self._records.write()

    async def write(self, piece: memoryview) -> None:
        """Take the next bytes. Raises Refused (SIZE) beyond the slot's end, OSError if the flash fails."""
        await self._writer.write(piece)

    async def end(self, digest: "bytes | memoryview") -> None:
        """The image is whole: read it back. Raises Refused (DIGEST) if the flash has not what was sent."""
        self._records.state.images[self._slot] = await self._writer.end(digest)
        self._records.write()

    def discard(self) -> None:
        """What was staged is not to be run, whatever it is."""
        state = self._records.state
        slot = self._target()
        if state.trial != slot and state.images[slot] != (0, 0) and state.former != slot:
            state.images[slot] = (0, 0)
            self._records.write()

    # --- which one runs

    def try_next(self, is_online: bool, is_well: bool) -> None:
        """From the next start on what is staged runs, on trial: it must do as well as this one.

        Raises RuntimeError if nothing is.
        """
        state, slot = self._records.state, self._target()
        if state.images[slot] == (0, 0):
            raise RuntimeError("slots: nothing is staged")
        state.trial, state.starts, state.was_online, state.was_well = slot, 0, is_online, is_well
        state.failed, state.reason, state.note = boot_choice.FACTORY, boot_choice.NONE, ""
        self._records.write()

    def confirm(self) -> None:
        """The slot on trial is the one to run from now on: one word of flash."""
        boot_choice.confirm(self._records)
        self._log.info("slots", "%s is confirmed, version %s", self.running, self.version)

    def revert(self, reason: int, note: str = "") -> None:
        """The slot on trial, or one that waits for it, is given up; the confirmed one runs from the next start on."""
        boot_choice.fail(self._records, reason, note)

    def go_back(self) -> "str | None":
        """Let the former application run from the next start on; its name, or None if there is none.

        It has been confirmed once and needs no trial; the one that runs now becomes the former.
        """
        former = self.former
        if former is None:
            return None
        state = self._records.state
        state.failed, state.reason, state.note = state.confirmed, boot_choice.BY_HAND, ""
        state.confirmed, state.former = state.former, state.confirmed
        self._records.write()
        return former


def _version() -> str:
    """What the slot's image says of itself."""
    try:
        with open(VERSION_FILE) as file:
            return file.read(50).strip()
    except OSError:
        return "unknown"
