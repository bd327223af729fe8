"""OCPP-J frames as they pass between a station and a backend: decode them, keep them, wait for them.

`Transcript.add` takes what was seen, `expect` waits for a CALL, `answer_to` for an answer, `text` shows all.
Waiting is on events and always bounded; what does not come raises `NoSuchFrame`, telling what came.
"""

import asyncio
import collections
import datetime
import json
import time
from dataclasses import dataclass, field

STATION = "station"
CSMS = "csms"
CALL, RESULT, ERROR = 2, 3, 4
WITHIN_S = 10.0
TAIL = 40
SHOWN = 2000  # characters of a frame, at most; a local list can have millions


class NoSuchFrame(AssertionError):
    """A frame that was waited for did not come in time."""


@dataclass(eq=False)
class Frame:
    """One message. A CALLERROR's `payload` is {"code", "description", "details"}; `kind` None: no OCPP-J."""

    at: float
    sender: str
    text: str
    kind: int | None = None
    unique_id: str | None = None
    action: str | None = None  # of an answer: the action of its CALL, where that is known
    payload: dict = field(default_factory=dict)
    number: int = 0  # its place in the transcript
    connection: int = 0  # which of the station's connections carried it

    def __str__(self):
        moment = datetime.datetime.fromtimestamp(self.at).strftime("%H:%M:%S.%f")[:-3]
        arrow = "→" if self.sender == STATION else "←"
        text = self.text if len(self.text) <= SHOWN else f"{self.text[:SHOWN]}… ({len(self.text)} characters)"
        return f"{moment} #{self.connection} {arrow} {text}"


def decode(text, sender, at=None):
    """The Frame of one message; never raises: what is no OCPP-J has the kind None."""
    frame = Frame(time.time() if at is None else at, sender, text if isinstance(text, str) else repr(text))
    try:
        parts = json.loads(text)
    except (ValueError, UnicodeDecodeError):
        return frame
    if not isinstance(parts, list) or len(parts) < 3 or not isinstance(parts[1], str):
        return frame
    if parts[0] == CALL and len(parts) == 4 and isinstance(parts[2], str):
        frame.action, frame.payload = parts[2:]
    elif parts[0] == RESULT and len(parts) == 3:
        frame.payload = parts[2]
    elif parts[0] == ERROR and len(parts) == 5:
        frame.payload = dict(zip(("code", "description", "details"), parts[2:], strict=True))
    if isinstance(frame.payload, dict) and len(parts) == {CALL: 4, RESULT: 3, ERROR: 5}.get(parts[0]):
        frame.kind, frame.unique_id = parts[:2]
    return frame


def matches(payload, wanted):
    """True if each wanted value (or predicate) fits the payload's value of that name."""
    for name, value in wanted.items():
        found = payload.get(name)
        if not (value(found) if callable(value) else found == value):
            return False
    return True


class Transcript:
    """All frames in order. `limit` bounds how many are kept (None: all)."""

    def __init__(self, limit=None):
        self.frames = collections.deque(maxlen=limit)
        self.connection = 0
        self.on_frame = None  # called with each new Frame
        self._limit = limit
        self._count = 0
        self._open = {}  # (sender of the CALL, unique id) -> action
        self._untaken = {}  # action -> deque of the station's CALLs that no `expect` has returned
        self._waiters = []

    def add(self, text, sender):
        """Keeps a frame, tells it to whoever waits, and returns it."""
        frame = decode(text, sender)
        frame.connection, frame.number = self.connection, self._count
        self._count += 1
        if frame.kind == CALL:
            self._open[sender, frame.unique_id] = frame.action
            if sender == STATION:
                queue = self._untaken.setdefault(frame.action, collections.deque(maxlen=self._limit))
                queue.append(frame)
        elif frame.kind is not None:
            frame.action = self._open.pop((CSMS if sender == STATION else STATION, frame.unique_id), None)
        self.frames.append(frame)
        if self.on_frame:
            self.on_frame(frame)
        self.changed()
        return frame

    def changed(self):
        """Lets whoever waits look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for(self, find, within=WITHIN_S, what="what was waited for"):
        """Asks `find()` now and after each change until it is not None; NoSuchFrame after `within` s."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        first = len(self.frames)
        while (found := find()) is None:
            waiter = loop.create_future()
            self._waiters.append(waiter)
            try:
                await asyncio.wait_for(waiter, deadline - loop.time())
            except asyncio.TimeoutError:
                came = self.text(since=first) or "  nothing"
                raise NoSuchFrame(f"no {what} within {within:g} s; meanwhile came:\n{came}") from None
        return found

    async def expect(self, action, within=WITHIN_S, **wanted):
        """The station's next CALL of an action whose payload fits `wanted` (name=value or name=predicate).

        Returns each CALL once. Taking one takes the earlier ones of this action and connector too,
        so that the second `expect` of a status cannot return one that is older than the first.
        """

        def find():
            for frame in self._untaken.get(action, ()):
                if matches(frame.payload, wanted):
                    return frame
            return None

        what = action + (f" with {wanted}" if wanted else "")
        frame = await self.wait_for(find, within, what)
        connector = frame.payload.get("connectorId")
        queue = self._untaken[action]
        kept = [f for f in queue if f.number > frame.number or f.payload.get("connectorId") != connector]
        queue.clear()
        queue.extend(kept)
        return frame

    async def status(self, connector, status, within=WITHIN_S, **wanted):
        """The StatusNotification that says `status` of a connector, as `expect`."""
        return await self.expect("StatusNotification", within, connectorId=connector, status=status, **wanted)

    async def answer_to(self, call, within=WITHIN_S):
        """The CALLRESULT or CALLERROR to a CALL, given as Frame or as unique id (then: of the backend)."""
        unique_id = call if isinstance(call, str) else call.unique_id
        sender = STATION if isinstance(call, str) or call.sender == CSMS else CSMS

        def find():
            for frame in reversed(self.frames):
                if frame.sender == sender and frame.kind in (RESULT, ERROR) and frame.unique_id == unique_id:
                    return frame
            return None

        return await self.wait_for(find, within, f"answer to {unique_id!r}")

    def forget(self):
        """Takes all CALLs that have come so far: `expect` looks at later ones only."""
        self._untaken.clear()

    @property
    def count(self):
        """How many frames there have been."""
        return self._count

    def calls(self, action=None, **wanted):
        """The station's CALLs so far, taken or not, of one action or of all, in order."""
        return [
            frame
            for frame in self.frames
            if frame.sender == STATION
            and frame.kind == CALL
            and action in (None, frame.action)
            and matches(frame.payload, wanted)
        ]

    def statuses(self, connector):
        """What the station has said of a connector, in order: ["Available", "Preparing", …]."""
        return [f.payload["status"] for f in self.calls("StatusNotification", connectorId=connector)]

    def text(self, tail=None, since=0):
        """The frames as lines, the last `tail` of them."""
        frames = list(self.frames)[since:]
        left_out = len(frames) - tail if tail and len(frames) > tail else 0
        lines = [f"  {frame}" for frame in frames[left_out:]]
        if left_out:
            lines.insert(0, f"  ({left_out} earlier frames are not shown)")
        return "\n".join(lines)
