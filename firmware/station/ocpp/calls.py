"""Our own CALLs: one on the wire at any time (OCPP-J 1.6 §4.1.1), the others wait their turn in order.

    calls = Calls(settings, log, random)
    calls.up(send)                          calls can be made from here on; `send(data)` writes one frame, never waits
    payload = await calls.call(action, payload)
    calls.take(frame)                       the RESULT or ERROR that came; False if it answers nothing that was asked
    calls.spoil(unique_id, why)             its answer came and cannot be read
    calls.down(reason)                      whoever waits learns it at once

Every call ends in exactly one way: the payload, `CallRefused` (the backend answered with an error), `NoAnswer` (nothing
usable in time), or `NotConnected` (no connection, or none any more; its `sent` tells whether the backend may have got
the call).
"""

import asyncio
import binascii

from micropython import const

from station.ocpp import framer, messages, schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log
    from station.settings import Settings

MAX_CALLS = const(16)  # in flight and waiting together; one more is refused with NotConnected


class LinkError(Exception):
    """A call that brought no payload."""


class CallRefused(LinkError):
    """The backend answered with a CALLERROR (OCPP-J 1.6 §4.2.3)."""

    def __init__(self, code: str, description: str, details: dict):
        super().__init__("%s: %s" % (code, description))
        self.code = code
        self.description = description
        self.details = details


class NoAnswer(LinkError):
    """It was sent, and no usable answer came within MessageTimeout."""


class NotConnected(LinkError):
    """It could not be sent, or the connection was lost before the answer came. `sent`: the backend may have got it."""

    def __init__(self, text: str, sent: bool = False):
        super().__init__(text)
        self.sent = sent


class _Call:
    """One call, from its turn to its outcome."""

    def __init__(self, action: str, unique_id: str):
        self.action = action
        self.unique_id = unique_id
        self.sent = False
        self.answer: "tuple | None" = None  # the frame
        self.unusable: "str | None" = None  # why the answer that came is of no use
        self.lost: "str | None" = None  # why no answer can come any more
        self.woken = asyncio.Event()  # by its turn, then by its outcome


class Calls:
    """`allow(action) -> bool`, if set, is asked before a call waits and again before it is sent.

    `patient() -> bool`, if set, is asked when MessageTimeout has passed: True grants as long again, for the answer
    could not come yet.
    """

    def __init__(self, settings: "Settings", log: "Log", random: "Callable[[int], bytes]") -> None:
        self.allow: "Callable[[str], bool] | None" = None
        self.patient: "Callable[[], bool] | None" = None
        self._settings = settings
        self._log = log
        self._send: "Callable[[bytes], None] | None" = None  # while there is a connection
        self._why = "not connected yet"
        self._lane: "list[_Call]" = []  # the first is in flight
        # Ids are never used twice, not even after a restart: random for this life, counted within it.
        self._id = binascii.hexlify(random(8)).decode()
        self._count = 0

    def up(self, send: "Callable[[bytes], None]") -> None:
        self._send = send

    def down(self, reason: str) -> None:
        """There is no connection any more: all calls end with NotConnected, those in the lane and those to come."""
        self._send = None
        self._why = reason
        for call in self._lane:
            call.lost = reason
            call.woken.set()

    def take(self, frame: tuple) -> bool:
        """`frame`: a RESULT or an ERROR. False: it is not the answer to the call in flight, which goes on waiting."""
        call = self._answered(frame[1])
        if call is None:
            return False
        call.answer = frame
        return True

    def spoil(self, unique_id: str, why: str) -> bool:
        """The answer to `unique_id` came and is no frame: the call ends as unanswered, without waiting any longer."""
        call = self._answered(unique_id)
        if call is None:
            return False
        call.unusable = why
        return True

    def _answered(self, unique_id: str) -> "_Call | None":
        """Wakes the call in flight, if it is that one and waits still."""
        call = self._lane[0] if self._lane else None
        if call is None or not call.sent or call.unique_id != unique_id or call.woken.is_set():
            return None
        call.woken.set()
        return call

    async def call(self, action: str, payload: dict, unique_id: "str | None" = None) -> dict:
        """Sends one CALL when its turn comes, gives the payload of its answer. Raises LinkError.

        `unique_id`: at most 36 characters, to send a message again under the id that it had. A caller that is cancelled
        leaves its place: the next call may go out while the backend still works on this one.
        """
        call = _Call(action, unique_id or self._next_id())
        if len(call.unique_id) > framer.MAX_ID:
            raise ValueError("unique id %r: at most %d characters" % (unique_id, framer.MAX_ID))
        self._check(call)
        lane = self._lane
        if len(lane) >= MAX_CALLS:
            raise NotConnected("%s: %d calls are waiting already" % (action, MAX_CALLS))
        lane.append(call)
        try:
            if lane[0] is not call:
                await call.woken.wait()
                call.woken.clear()
                self._check(call)
            self._send_call(call, payload)
            return await self._outcome(call)
        finally:
            first = lane[0] is call
            lane.remove(call)
            if first and lane:
                lane[0].woken.set()

    def _check(self, call: _Call) -> None:
        if self._send is None or call.lost is not None:
            raise NotConnected("%s: %s" % (call.action, call.lost or self._why))
        if self.allow is not None and not self.allow(call.action):
            raise NotConnected("%s may not be sent now" % call.action)

    def _send_call(self, call: _Call, payload: dict) -> None:
        data = framer.call(call.unique_id, call.action, payload)
        call.sent = True
        self._send(data)

    async def _outcome(self, call: _Call) -> dict:
        timeout = self._settings["MessageTimeout"]
        waiting = True
        while waiting:
            try:
                await asyncio.wait_for_ms(call.woken.wait(), timeout * 1000)
                waiting = False
            except asyncio.TimeoutError:
                # the answer may have come in the same moment: what counts is below
                waiting = not call.woken.is_set() and self.patient is not None and self.patient()
        if call.answer is not None:
            return self._judge(call)
        if call.unusable is not None:
            raise self._of_no_use(call)
        if call.lost is not None:
            raise NotConnected("%s: %s" % (call.action, call.lost), sent=True)
        raise NoAnswer("%s: no answer within %d s" % (call.action, timeout))

    def _judge(self, call: _Call) -> dict:
        """The payload of a RESULT, if it is of use: properties that nobody asked for are let pass."""
        frame = call.answer
        if frame[0] == framer.ERROR:
            raise CallRefused(frame[2], frame[3], frame[4])
        shape = messages.response(call.action)
        violation = shape and schema.check(shape, frame[2], False)
        if violation:
            call.unusable = violation.text
            raise self._of_no_use(call)
        return frame[2]

    def _of_no_use(self, call: _Call) -> NoAnswer:
        self._log.warning("link", "the answer to %s is of no use: %s", call.action, call.unusable)
        return NoAnswer("%s: unusable answer: %s" % (call.action, call.unusable))

    def _next_id(self) -> str:
        self._count += 1
        return "%s-%x" % (self._id, self._count)
