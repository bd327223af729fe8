"""The backend that the station under fault tests talks to: it answers, and keeps what the station told it in effect.

A transaction message counts by its unique id without its retry suffix: one that comes again has no effect and must say
what it said before. `effects` holds them in order. `frames` holds all that crossed the wire, `wrong` what must not be.
It outlives the station's power.
"""

import asyncio
import json
import time

from station.clock import format_iso

ACCEPTED = {"status": "Accepted"}
TOLD = ("StartTransaction", "MeterValues", "StopTransaction")
ANSWER_WITHIN_MS = 40_000


class Effect:
    """A transaction message, as it came first. `number` is that of its record in the journal."""

    def __init__(self, action, unique_id, payload):
        self.action = action
        self.unique_id = unique_id  # without the suffix
        self.salt, _, number = unique_id.partition("-")
        self.number = int(number)
        self.payload = payload
        self.transaction_id = payload.get("transactionId")
        self.at = time.ticks_ms()


class Asked:
    """A request of the backend's. `answer` is None until it has come; an error is {"error": code}."""

    def __init__(self, action, payload):
        self.action = action
        self.payload = payload
        self.answer = None


class Backend:
    """`cards`: id tag -> idTagInfo, other than Accepted. `network` is set by whoever builds both.

    `lose[action]`: so many of the action's answers are lost with their connection; `refuse[action]`: so many are
    CALLERRORs.
    """

    def __init__(self):
        self.network = None
        self.cards = {}
        self.lose = {}
        self.refuse = {}
        self.frames = []  # (ms, "station" or "backend" or "…", text)
        self.wrong = []
        self.effects = []
        self.asked = []
        self.heard_at = 0  # ms, of the last CALL but heartbeats
        self.statuses = {}  # connector -> the last StatusNotification
        self.count = {"Authorize": 0}  # CALLs of an action
        self.firmware = []  # payloads of FirmwareStatusNotification
        self._by_id = {}
        self._waiting = {}  # unique id -> Asked
        self._ids = set()  # that the station used on this connection
        self._count = 0

    # --- the wire

    def note(self, text):
        """A remark between the frames."""
        self.frames.append((time.ticks_ms(), "...", text))

    def connected(self):
        self.note("connected")
        self._ids = set()

    def receive(self, text):
        self.frames.append((time.ticks_ms(), "station", text))
        try:
            frame = json.loads(text)
            kind, unique_id = frame[0], frame[1]
        except (ValueError, IndexError):
            self.wrong.append("no frame: %r" % text)
            return
        if kind == 2:
            self._serve(unique_id, frame[2], frame[3])
        elif unique_id in self._waiting:
            self._waiting.pop(unique_id).answer = frame[2] if kind == 3 else {"error": frame[2]}
        else:
            self.wrong.append("an answer to nothing: %r" % text)

    def _send(self, frame):
        text = json.dumps(frame).encode()
        self.frames.append((time.ticks_ms(), "backend", text))
        self.network.send(text)

    # --- what the station asks

    def _serve(self, unique_id, action, payload):
        if unique_id in self._ids:
            self.wrong.append("id %s used twice on one connection" % unique_id)
        self._ids.add(unique_id)
        if action != "Heartbeat":
            self.heard_at = time.ticks_ms()
        if self.refuse.get(action, 0):
            self.refuse[action] -= 1
            self._send([4, unique_id, "InternalError", "not now", {}])
            return
        answer = self._answer(unique_id, action, payload)
        if self.lose.get(action, 0):
            self.lose[action] -= 1
            self.note("the answer is lost")
            self.network.drop()
        else:
            self._send([3, unique_id, answer])

    def _answer(self, unique_id, action, payload):
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": _now(), "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": _now()}
        if action == "Authorize":
            self.count[action] += 1
            return {"idTagInfo": self.cards.get(payload["idTag"], ACCEPTED)}
        if action == "StatusNotification":
            self.statuses[payload["connectorId"]] = payload["status"]
            return {}
        if action == "FirmwareStatusNotification":
            self.firmware.append(payload)
        if action in TOLD and (action != "MeterValues" or "transactionId" in payload):
            return self._take(unique_id.partition(".")[0], action, payload)
        return {}

    def _take(self, unique_id, action, payload):
        """A transaction message."""
        effect = self._by_id.get(unique_id)
        if effect is None:
            effect = self._by_id[unique_id] = Effect(action, unique_id, payload)
            self.effects.append(effect)
            if action == "StartTransaction":
                self._count += 1
                effect.transaction_id = 1000 + self._count
        elif (effect.action, effect.payload) != (action, payload):
            self.wrong.append("%s says %r, said %r before" % (unique_id, payload, effect.payload))
        if action == "StartTransaction":
            info = self.cards.get(payload["idTag"], ACCEPTED)
            return {"transactionId": effect.transaction_id, "idTagInfo": info}
        return {}

    def of(self, action):
        """The effects of an action, in order."""
        return [effect for effect in self.effects if effect.action == action]

    # --- what it asks

    def ask(self, action, payload):
        """Send a request and return it; its answer comes, or not."""
        request = Asked(action, payload)
        self.asked.append(request)
        unique_id = "b%d" % len(self.asked)
        self._waiting[unique_id] = request
        self._send([2, unique_id, action, payload])
        return request

    async def call(self, action, payload):
        """The answer's payload, which must come."""
        request = self.ask(action, payload)
        until = time.ticks_ms() + ANSWER_WITHIN_MS
        while request.answer is None:
            assert time.ticks_ms() < until, "%s was not answered" % action
            await asyncio.sleep_ms(20)
        return request.answer


def _now():
    return format_iso(int(time.time()))
