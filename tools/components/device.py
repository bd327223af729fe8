"""A component of the station as one would build it: two images, a boot loader that falls back, and every flaw.

    device = Device(vendor, kind, image_of("1.0.0"))
    device.begin(size, digest); device.write(offset, data); device.verify(size, digest); device.activate(); …
    device.status()          a dict, see there; raises Silence where it would not answer

An image is text, "LPC " and its version in the first line, and what else there may be. What the device keeps is in
`kept`, which a power cut (`power_cycle`) leaves as it is. Runs on CPython and in MicroPython.

Flaws, what is wrong with the image that comes next or with the device:

    "stalls"       it does not answer any more once half of an image has come
    "forgets"      it loses its power once half of an image has come
    "unsound"      what it has written is not what came: it cannot verify it
    "lies"         it goes on with the former image and says that it runs the new one's version
    "falls back"   the new image does not start, its boot loader goes back and says so
    "mute"         the new image starts and does not answer; after `mute_for` questions the boot loader goes back
    "sick"         the new image runs, and reports a fault
    "deaf"         it does not take the new image over: it refuses to activate
"""

import binascii
import hashlib

IDLE, RECEIVING, BUSY, STAGED, TRIAL, FAILED = range(6)
PHASES = ("idle", "receiving", "busy", "staged", "trial", "failed")
FLAWS = ("stalls", "forgets", "unsound", "lies", "falls back", "mute", "sick", "deaf")
_MAGIC = b"LPC "


class Silence(Exception):
    """No answer comes."""


class PowerLost(Silence):
    """It is gone in the midst of what it does."""


class Refusal(Exception):
    """The order is refused; the text says why."""


def image_of(version, size=0):
    """An image of this version, filled up to `size` bytes."""
    image = _MAGIC + version.encode() + b"\n"
    filling = hashlib.sha256(image).digest()
    while len(image) < size:
        image += filling
    return image[: max(size, len(_MAGIC) + len(version) + 1)]


def version_of(image):
    """The version in its first line, None if it is no image."""
    first = bytes(image[:40]).split(b"\n")[0]
    return first[len(_MAGIC) :].decode() if first.startswith(_MAGIC) else None


class Device:
    """`vendor`, `kind`: UUIDs, 16 bytes. `cut(n)`: its power goes before the n-th change of what it keeps from now
    on, and comes back for the next question."""

    def __init__(self, vendor, kind, image, limit=1 << 20, flaw="", version_of=version_of):
        self.vendor = vendor
        self.kind = kind
        self.limit = limit
        self.flaw = flaw
        self.mute_for = 10
        self._version_of = version_of  # of its images
        self.kept = {"runs": image, "former": image, "staged": None, "phase": IDLE}
        self.changes = 0  # of what it keeps
        self.log = []  # the orders that came
        self.on_change = None  # called after each
        self._cut_at = 0
        self._came = None  # (size, digest, bytes) of the image that comes
        self._mute = 0
        self._busy = False

    # --- power

    def cut(self, n):
        self._cut_at = self.changes + n

    def power_cycle(self):
        """What is not kept is lost. An image that came in part is; one on trial runs again."""
        self._came = None
        self._busy = False
        if self.kept["phase"] in (RECEIVING, BUSY):
            self.kept["phase"] = IDLE

    def _keep(self, **values):
        """One change, whole or not at all."""
        if self._cut_at and self.changes + 1 >= self._cut_at:
            self._cut_at = 0
            self.power_cycle()
            raise PowerLost("it has lost its power")
        self.changes += 1
        self.kept.update(values)
        if self.on_change:
            self.on_change()

    # --- what it is asked

    @property
    def version(self):
        return self._version_of(self.kept["runs"])

    def status(self):
        """{"vendor", "class", "running": hexadecimal, "version", "limit", "phase", "fault", "received"}"""
        self._listen()
        runs, phase, fault = self.kept["runs"], self.kept["phase"], ""
        if self._busy:  # seen once
            self._busy = False
            phase = BUSY
        version = self._version_of(runs)
        if phase == TRIAL and self.flaw == "lies":
            version = self._version_of(self.kept["claims"])
        if phase == TRIAL and self.flaw == "sick":
            fault = "its self-test failed"
        if phase == FAILED:
            fault = "its image did not start"
        return {
            "vendor": _hex(self.vendor),
            "class": _hex(self.kind),
            "running": _hex(hashlib.sha256(runs).digest()),
            "version": version,
            "limit": self.limit,
            "phase": PHASES[phase],
            "fault": fault,
            "received": len(self._came[2]) if self._came else 0,
        }

    def begin(self, size, digest):
        self._order("begin")
        if size > self.limit:
            raise Refusal("too large")
        if self.kept["phase"] == TRIAL:
            raise Refusal("on trial")
        self._keep(staged=None, phase=RECEIVING)
        self._came = (size, digest, bytearray())

    def write(self, offset, data):
        """Takes the next bytes; the same once more do no harm."""
        self._listen()
        if self._came is None:
            raise Refusal("nothing was begun")
        size, _, came = self._came
        data = data[: max(0, size - offset)]
        if offset > len(came):
            raise Refusal("%d bytes came, not %d" % (len(came), offset))
        came[offset:] = data
        if len(came) * 2 >= size and self.flaw == "forgets":
            self.flaw = ""
            self.power_cycle()
            raise PowerLost("it has lost its power")

    def verify(self, size, digest):
        self._order("verify")
        staged = self.kept["staged"]
        if self._came is None and staged is not None and hashlib.sha256(staged).digest() == digest:
            return  # once more
        came = self._came[2] if self._came else b""
        self._came = None
        if self.flaw == "unsound":
            came = came[:-1]
        self._busy = True
        if len(came) == size and hashlib.sha256(came).digest() == digest and self._version_of(came):
            self._keep(staged=bytes(came), phase=STAGED)
        else:
            self._keep(staged=None, phase=IDLE)

    def activate(self):
        self._order("activate")
        if self.kept["phase"] == TRIAL:
            return
        staged = self.kept["staged"]
        if staged is None or self.flaw == "deaf":
            raise Refusal("nothing is staged" if staged is None else "not now")
        if self.flaw == "falls back":
            self._keep(staged=None, phase=FAILED)
        elif self.flaw == "lies":
            self._keep(staged=None, phase=TRIAL, claims=staged)
        else:
            self._keep(runs=staged, former=self.kept["runs"], staged=None, phase=TRIAL)
            self._mute = self.mute_for if self.flaw == "mute" else 0

    def confirm(self):
        self._order("confirm")
        if self.kept["phase"] == TRIAL:
            self._keep(phase=IDLE)

    def roll_back(self):
        """The former image, until a new one has come in its place."""
        self._order("roll_back")
        self._fall_back(IDLE)

    def discard(self):
        self._order("discard")
        self._came = None
        if self.kept["staged"] is not None or self.kept["phase"] in (RECEIVING, STAGED, FAILED):
            self._keep(staged=None, phase=TRIAL if self.kept["phase"] == TRIAL else IDLE)

    # --- inside

    def _fall_back(self, phase):
        self._keep(runs=self.kept["former"], staged=None, phase=phase)

    def _order(self, word):
        self._listen()
        self.log.append(word)

    @property
    def is_silent(self):
        """Has it stalled?"""
        return self.flaw == "stalls" and self._came is not None and len(self._came[2]) * 2 >= self._came[0]

    def _listen(self):
        """Is there anybody?"""
        if self.is_silent:
            raise Silence("it stalls")
        if self._mute:
            self._mute -= 1
            if not self._mute:
                self._fall_back(FAILED)
            raise Silence("it is mute")


def _hex(data):
    return binascii.hexlify(data).decode()
