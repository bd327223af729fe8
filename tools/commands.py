"""The words that a person types at the prompt of `make run`: one table, one method each.

`Commands.run(line)` does what a line says and returns the text to show. A mistake raises UsageError with a sentence.
"""

import asyncio
import inspect
import json
import re

from tools.control import ControlError
from tools.frames import RESULT, STATION
from tools.peer import CallFailed
from tools.process import StationEnded
from tools.session import TOKEN, UID

UIDS = re.compile("([0-9A-Fa-f]{8}|[0-9A-Fa-f]{14}|[0-9A-Fa-f]{20})")  # of contactless cards


class UsageError(Exception):
    """What was typed makes no sense; the text says what would."""


class Quit(Exception):
    """The person wants to leave."""


class Commands:
    """Does what is typed to a StationProcess and, where `csms` is not None, through the local backend."""

    def __init__(self, station, csms):
        self.station, self.csms = station, csms

    async def run(self, line):
        """Does one line; returns text to show (may be empty). Raises UsageError, Quit."""
        word, *arguments = line.split() or ["help"]
        if word not in TABLE:
            raise UsageError(f"{word!r} is unknown; `help` lists the commands")
        method, usage, _ = TABLE[word]
        if method in THROUGH_BACKEND and self.csms is None:
            raise UsageError(f"{word} is for the backend to send, and this one is not ours to command")
        try:
            inspect.signature(method).bind(self, *arguments)
        except TypeError:
            raise UsageError(f"usage: {word} {usage}") from None
        try:
            return await method(self, *arguments) or ""
        except asyncio.TimeoutError:
            raise UsageError("the station did not answer") from None
        except (ControlError, CallFailed, ConnectionError, StationEnded) as error:
            raise UsageError(str(error)) from None

    async def help(self):
        width = max(len(f"{word} {usage}") for word, (_, usage, _) in TABLE.items())
        return "\n".join(f"{word + ' ' + usage:<{width}}  {text}" for word, (_, usage, text) in TABLE.items())

    async def quit(self):
        raise Quit

    # --- what happens at the station

    async def plug(self, connector="1"):
        await self.station.plug(number(connector))

    async def unplug(self, connector="1"):
        await self.station.unplug(number(connector))

    async def swipe(self, card=UID):
        await (self.station.hold(card) if UIDS.fullmatch(card) else self.station.swipe(card))

    async def pause(self, connector="1"):
        await self.station.control("ev_pause", connector=number(connector))

    async def resume(self, connector="1"):
        await self.station.control("ev_resume", connector=number(connector))

    async def fault(self, code, on, connector="1"):
        await self.station.fault(code, choice(on, on=True, off=False), number(connector))

    async def ws(self, up):
        await self.station.ws(choice(up, up=True, down=False))

    async def advance(self, seconds):
        await self.station.glide(number(seconds))

    async def status(self):
        state = await self.station.state()
        lines = [f"connected {state['connected']}, registration {state['registration']}"]
        for row in state["connectors"]:
            lines += [f"{name:>14}  {json.dumps(value)}" for name, value in row.items()]
        return "\n".join(lines)

    # --- what the backend sends

    async def remote_start(self, connector="1", token=TOKEN):
        return await self._call("RemoteStartTransaction", connectorId=number(connector), idTag=token)

    async def remote_stop(self, connector="1"):
        transaction = self._transaction(number(connector))
        return await self._call("RemoteStopTransaction", transactionId=transaction)

    async def config(self, key=None, *value):
        if value:
            return await self._call("ChangeConfiguration", key=key, value=" ".join(value))
        answer = await self.csms.call("GetConfiguration", **({"key": [key]} if key else {}))
        rows = answer.get("configurationKey", [])
        lines = [f"{r['key']:<36}  {'r ' if r['readonly'] else 'rw'}  {r.get('value', '')}" for r in rows]
        return "\n".join([*lines, *(f"{name} is unknown" for name in answer.get("unknownKey", []))])

    async def reset(self, kind="soft"):
        return await self._call("Reset", type=choice(kind, soft="Soft", hard="Hard"))

    async def unlock(self, connector="1"):
        return await self._call("UnlockConnector", connectorId=number(connector))

    async def availability(self, kind, connector="0"):
        kind = choice(kind, operative="Operative", inoperative="Inoperative")
        return await self._call("ChangeAvailability", connectorId=number(connector), type=kind)

    async def _call(self, action, **payload):
        return (await self.csms.call(action, **payload)).get("status", "")

    def _transaction(self, connector):
        """The id of the transaction that was last started on a connector."""
        frames = self.csms.transcript.frames
        results = {f.unique_id: f.payload for f in frames if f.sender != STATION and f.kind == RESULT}
        for call in reversed(self.csms.transcript.calls("StartTransaction", connectorId=connector)):
            if call.unique_id in results:
                return results[call.unique_id]["transactionId"]
        raise UsageError(f"no transaction has been started on connector {connector}")


def number(text):
    """A number from a typed word."""
    if not text.isdecimal():
        raise UsageError(f"a whole number is needed, not {text!r}")
    return int(text)


def choice(text, **values):
    """The value that a typed word stands for."""
    if text not in values:
        raise UsageError(f"{' or '.join(values)} is needed, not {text!r}")
    return values[text]


TABLE = {
    "plug": (Commands.plug, "[CONNECTOR]", "plug an EV in"),
    "swipe": (
        Commands.swipe,
        "[CARD]",
        "hold a card to the reader: its UID in hex; BLOCKED and EXPIRED are cards, too",
    ),
    "unplug": (Commands.unplug, "[CONNECTOR]", "take the EV away"),
    "pause": (Commands.pause, "[CONNECTOR]", "the EV stops drawing"),
    "resume": (Commands.resume, "[CONNECTOR]", "the EV draws again"),
    "fault": (Commands.fault, "CODE on|off [CONNECTOR]", "an OCPP error code, such as GroundFailure"),
    "ws": (Commands.ws, "up|down", "connect the station or take it off the network"),
    "advance": (Commands.advance, "SECONDS", "move the clock forward"),
    "status": (Commands.status, "", "what the station says of itself"),
    "remote-start": (Commands.remote_start, "[CONNECTOR [TOKEN]]", "RemoteStartTransaction"),
    "remote-stop": (Commands.remote_stop, "[CONNECTOR]", "RemoteStopTransaction"),
    "config": (Commands.config, "[KEY [VALUE]]", "GetConfiguration, ChangeConfiguration"),
    "reset": (Commands.reset, "soft|hard", "Reset"),
    "unlock": (Commands.unlock, "[CONNECTOR]", "UnlockConnector"),
    "availability": (Commands.availability, "operative|inoperative [CONNECTOR]", "ChangeAvailability; 0: all of it"),
    "help": (Commands.help, "", "this list"),
    "quit": (Commands.quit, "", "end (as does Ctrl-D)"),
}

THROUGH_BACKEND = {
    Commands.remote_start,
    Commands.remote_stop,
    Commands.config,
    Commands.reset,
    Commands.unlock,
    Commands.availability,
}
