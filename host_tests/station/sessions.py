"""What the end-to-end tests do again and again: wait for a station, hold cards to it, charge, move its clock.

`online` first; then `begin` for a session that charges, `swipe` for what comes of a card, `until` for a snapshot
that is as wanted, `leap` to let time pass. `wrong_steps` judges the statuses of a transcript by the standard.
"""

import asyncio
import datetime
import re
from dataclasses import dataclass

from tools.frames import CALL, ERROR, RESULT, STATION

WITHIN_S = 10.0
NOTIFIED_S = 40  # from a status to the next: a restart may lie between them
LOOK_S = 0.02
CARD = "0123456789ABCD"

# A station whose clock is moved must not take the leap for a silent backend.
CALM = {"WebSocketPingInterval": "0", "MeterValueSampleInterval": "0", "MessageTimeout": "600"}

STATUSES = ("Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved")
STATUSES += ("Unavailable", "Faulted")
# OCPP 1.6 §4.9, the table of transitions: which columns 1 to 9 the rows A to I have
_STEPS = {
    "Available": "2345789",
    "Preparing": "134569",
    "Charging": "145689",
    "SuspendedEV": "135689",
    "SuspendedEVSE": "134689",
    "Finishing": "1289",
    "Reserved": "1289",
    "Unavailable": "123459",
    "Faulted": "12345678",
}


@dataclass
class Session:
    """A transaction that charges: its StartTransaction and the id that the backend gave it."""

    start: object
    transaction_id: int

    @property
    def connector(self):
        return self.start.payload["connectorId"]


# --- waiting


async def until(box, wanted, within=WITHIN_S):
    """The first snapshot of the station for which `wanted(snapshot)` is true."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        state = await box.state()
        if wanted(state):
            return state
        assert asyncio.get_running_loop().time() < deadline, f"not so within {within:g} s: {state}"
        await asyncio.sleep(LOOK_S)


async def connector_is(box, connector=1, within=WITHIN_S, **wanted):
    """The connector's part of the first snapshot in which it has these values."""

    def fits(state):
        row = state["connectors"][connector - 1]
        return all(row[name] == value for name, value in wanted.items())

    return (await until(box, fits, within))["connectors"][connector - 1]


async def logged(box, pattern, within=WITHIN_S, since=0):
    """Waits for a line of the log, the `since`-th or later of this test, in which the pattern is found."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        for line in list(box.log)[since:]:
            if found := re.search(pattern, line):
                return found
        assert asyncio.get_running_loop().time() < deadline, f"no {pattern!r} in the log within {within:g} s"
        await asyncio.sleep(LOOK_S)


async def online(csms, box, heartbeats=False):
    """Waits until the station is accepted and has told its statuses; what it has said so far is forgotten.

    Without `heartbeats` none comes before a day has passed: one that is on its way while both clocks are moved would
    set the station's clock wrong.
    """
    await until(box, lambda state: state["online"])
    if not heartbeats:
        await configure(csms, HeartbeatInterval=86400)
    await quiet(csms, box)
    csms.transcript.forget()


async def offline(csms, box):
    """Takes the station off the network."""
    await box.ws(False)
    await csms.disconnected()
    await until(box, lambda state: not state["connected"])


async def back(csms, box):
    """Gives the network back and waits until everything is told."""
    await box.ws(True)
    await until(box, lambda state: state["online"])
    await told(csms, box)


async def told(csms, box, within=WITHIN_S):
    """Waits until no message about a transaction waits."""
    await until(box, lambda state: state["journal_depth"] == 0, within)
    await quiet(csms, box)


async def quiet(csms, box):
    """Waits until every CALL of the station has its answer (a script that keeps silent has none)."""

    def unanswered():
        frames = csms.transcript.frames
        answered = {frame.unique_id for frame in frames if frame.sender != STATION and frame.kind in (RESULT, ERROR)}
        calls = [f for f in frames if f.sender == STATION and f.kind == CALL]
        last = csms.transcript.connection
        return None if any(f.unique_id not in answered and f.connection == last for f in calls) else True

    await csms.transcript.wait_for(unanswered, WITHIN_S, "answer to everything")
    await box.control("ping")


async def leap(csms, box, seconds):
    """Lets time pass at once, when nothing is on its way that could time out."""
    await quiet(csms, box)
    await box.advance(seconds)


async def pass_until(box, wanted, step=0.5, within=WITHIN_S):
    """Lets time pass in steps of so many seconds until `wanted(snapshot)` is true."""
    deadline = asyncio.get_running_loop().time() + within
    while not wanted(state := await box.state()):
        assert asyncio.get_running_loop().time() < deadline, f"not so within {within:g} s: {state}"
        await box.advance(step)
    return state


# --- cards and cars


async def swipe(box, token=CARD, **arguments):
    """Holds a card to the reader; returns what came of it, in the word of the log."""
    since = len(box.log)
    await box.swipe(token, **arguments)
    return (await logged(box, rf" card: {re.escape(token)}: (\w+)$", since=since))[1]


async def started(csms, **wanted):
    """The Session of the next StartTransaction, once it is answered."""
    start = await csms.expect("StartTransaction", **wanted)
    answer = await csms.answer_to(start)
    return Session(start, answer.payload["transactionId"])


async def begin(csms, box, connector=1, token=CARD, **ev):
    """A car is plugged in, the card held to the reader, the car charges; returns the Session."""
    await box.plug(connector, **ev)
    await connector_is(box, connector, status="Preparing")
    assert await swipe(box, token) == "granted"
    session = await started(csms, connectorId=connector)
    await csms.status(connector, "Charging")
    await quiet(csms, box)
    return session


async def stopped(csms, session=None):
    """The payload of the next StopTransaction, once it is answered."""
    wanted = {"transactionId": session.transaction_id} if session else {}
    stop = await csms.expect("StopTransaction", **wanted)
    await csms.answer_to(stop)
    return stop.payload


async def finish(csms, box, session, token=CARD):
    """The card again, the car away; returns the payload of StopTransaction."""
    assert await swipe(box, token) == "stopped"
    stop = await stopped(csms, session)
    await box.unplug(session.connector)
    await csms.status(session.connector, "Available")
    await quiet(csms, box)
    return stop


async def notified(action, csms, *wanted, within=NOTIFIED_S):
    """These statuses of an update or of diagnostics come, in this order, and no other between them."""
    for status in wanted:
        call = await csms.expect(action, within)
        assert call.payload == {"status": status}


async def configure(csms, **keys):
    """ChangeConfiguration of each key; all must be Accepted."""
    for key, value in keys.items():
        answer = await csms.call("ChangeConfiguration", key=key, value=str(value))
        assert answer["status"] == "Accepted", f"{key} = {value}: {answer}"


async def configuration(csms, key):
    """The value of one key, as text."""
    answer = await csms.call("GetConfiguration", key=[key])
    return answer["configurationKey"][0]["value"]


# --- reading what came


def moment(text):
    """A date-time of the wire."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def sampled(meter_value):
    """{(measurand, phase): value} of one MeterValue."""
    return {(value["measurand"], value.get("phase")): value["value"] for value in meter_value["sampledValue"]}


def actions(transcript, *wanted, since=0):
    """The actions of the station's CALLs in order, those of `wanted` only."""
    calls = [frame for frame in transcript.calls() if frame.number >= since]
    return [frame.action for frame in calls if not wanted or frame.action in wanted]


def wrong_steps(transcript):
    """What of the reported statuses the standard's table (OCPP 1.6 §4.9) does not allow, as sentences.

    A status that the backend answered with a CALLERROR counts as never told.
    """
    found, known = [], {}
    refused = {frame.unique_id for frame in transcript.frames if frame.kind == ERROR and frame.sender != STATION}
    for frame in transcript.calls():
        if frame.action == "BootNotification":
            known.clear()
        elif frame.action == "StatusNotification" and frame.unique_id not in refused:
            connector, status = frame.payload["connectorId"], frame.payload["status"]
            before = known.get(connector, status)
            if before != status and str(STATUSES.index(status) + 1) not in _STEPS[before]:
                found.append(f"connector {connector} went from {before} to {status}: {frame.text}")
            known[connector] = status
    return found
