"""One charging session, played on a simulated station: plug, card, charge, card, unplug. And whether it was right.

`play` does it on connector 1, `problems` reads the transcript afterwards. Both know the station only by its control
port and its frames, so they serve any backend.
"""

import asyncio

from tools.frames import CALL, RESULT, STATION

UID = TOKEN = "0123456789ABCD"  # a card's UID, and the id tag that the station makes of it
CONNECTOR = 1
WITHIN_S = 20.0  # for each step; a backend may be far away
BOOT_WITHIN_S = 60.0
STATUSES = ["Preparing", "Charging", "Finishing", "Available"]
POLL_S = 0.2
PAUSE_S = 0.5  # between two steps, for whoever watches
MINUTES = 5  # that it charges where the clock is moved, with a reading each
READINGS = 3  # until it is enough where it is not


async def play(station, transcript, say, uid=UID, leap=True):
    """Plays the session. `say(text)` tells what is being done; `leap` moves the station's clock while it charges."""
    await _booted(station)
    await asyncio.sleep(PAUSE_S)
    say("an EV is plugged in")
    await station.plug(CONNECTOR)
    await transcript.status(CONNECTOR, "Preparing", WITHIN_S)
    await asyncio.sleep(PAUSE_S)
    say(f"the card {uid} is held to the reader")
    await station.hold(uid)
    start = await transcript.expect("StartTransaction", WITHIN_S, connectorId=CONNECTOR)
    await transcript.status(CONNECTOR, "Charging", WITHIN_S)
    await _charge(station, transcript, say, leap)
    await asyncio.sleep(PAUSE_S)
    say(f"the card {uid} again: enough")
    await station.hold(uid)
    stop = await transcript.expect("StopTransaction", WITHIN_S)
    await transcript.answer_to(stop, WITHIN_S)
    await transcript.status(CONNECTOR, "Finishing", WITHIN_S)
    await asyncio.sleep(PAUSE_S)
    say("the EV is unplugged")
    await station.unplug(CONNECTOR)
    await transcript.answer_to(await transcript.status(CONNECTOR, "Available", WITHIN_S), WITHIN_S)
    energy = stop.payload["meterStop"] - start.payload["meterStart"]
    say(f"the session is over: {energy / 1000:.3f} kWh")


async def _booted(station):
    """Waits until the backend has accepted the station and the connector is free."""
    for _ in range(int(BOOT_WITHIN_S / POLL_S)):
        state = await station.state()
        connector = state["connectors"][CONNECTOR - 1]
        if state["registration"] == "Accepted" and connector["status"] == "Available":
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"the backend did not accept the station within {BOOT_WITHIN_S:g} s: {state}")


async def _charge(station, transcript, say, leap):
    say(f"it charges, {MINUTES} minutes by the station's clock" if leap else "it charges")
    for _ in range(MINUTES if leap else READINGS):
        if leap:
            await station.glide(60)
        values = await transcript.expect("MeterValues", WITHIN_S)
        await transcript.answer_to(values, WITHIN_S)


def problems(transcript, registered=False):
    """What was not right about the one session in the transcript, as sentences; none if it came out right.

    `registered`: the backend is known to have accepted the station, the transcript may have begun after that.
    """
    found = []
    if not registered and not _answered(transcript, "BootNotification", lambda answer: answer["status"] == "Accepted"):
        found.append("no BootNotification was Accepted")
    if not _answered(transcript, "Authorize", lambda answer: answer["idTagInfo"]["status"] == "Accepted"):
        found.append("no Authorize was Accepted")
    starts, stops = _answered(transcript, "StartTransaction"), _answered(transcript, "StopTransaction")
    if len(starts) != 1 or len(stops) != 1:
        found.append(f"{len(starts)} StartTransaction and {len(stops)} StopTransaction were answered, not one of each")
    else:
        (start, begun), (stop, _) = starts[0], stops[0]
        if stop["transactionId"] != begun["transactionId"]:
            found.append(f"transaction {begun['transactionId']} began, {stop['transactionId']} was stopped")
        if stop["meterStop"] <= start["meterStart"]:
            found.append(f"no energy was metered: from {start['meterStart']} to {stop['meterStop']} Wh")
    if not _answered(transcript, "MeterValues"):
        found.append("no MeterValues was answered")
    statuses = [status for status in transcript.statuses(CONNECTOR) if status in STATUSES]
    if statuses[-len(STATUSES) :] != STATUSES:
        found.append(f"the connector went through {', '.join(statuses) or 'nothing'}, not {', '.join(STATUSES)}")
    return found


def _answered(transcript, action, fits=lambda answer: True):
    """[(payload of the CALL, payload of its result)] of the station's CALLs that were answered so that it fits."""
    results = {f.unique_id: f.payload for f in transcript.frames if f.sender != STATION and f.kind == RESULT}
    calls = [f for f in transcript.frames if f.sender == STATION and f.kind == CALL and f.action == action]
    return [(f.payload, results[f.unique_id]) for f in calls if f.unique_id in results and fits(results[f.unique_id])]
