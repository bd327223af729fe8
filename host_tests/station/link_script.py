"""A link in MicroPython, driven from outside: commands come as JSON lines on stdin, what happens goes out on stdout.

The first line is the configuration, {"url": …, "settings": {…}, "user": …, "password": …, "ca": PEM}. (As an argument
it would be too long: the unix port interns its arguments and dies of one of more than 255 bytes.)

Commands: `call` (tag, action, payload), `hold`, `release`, `close`, `set` (name, value), `advance` (ms), `go` (lets a
handler that waits go on), `ping`. Events: `up`, `down` (reason), `log` (level, text), `answer` (tag, payload), `failed`
(tag, error, text, …), `closed`, `pong`. A DataTransfer to it does as its vendorId says: `echo`, `fail`, `wait`, `ask`.
A SendLocalList comes in pieces; it waits at the card `wait` and ends with `list` or `aborted` (count: of the cards).
"""

import json
import sys

for path in ("boards/unix", "firmware"):
    sys.path.insert(0, path)

import asyncio  # noqa: E402
import time  # noqa: E402

from station.ocpp import framer  # noqa: E402
from station.ocpp.link import CallRefused, Link, LinkError, NotConnected  # noqa: E402


def tell(event, **more):
    more["event"] = event
    print(json.dumps(more))


class Log:
    """Tells each line as an event."""

    def debug(self, area, text, *args):
        tell("log", level="debug", text=text % args)

    def info(self, area, text, *args):
        tell("log", level="info", text=text % args)

    def warning(self, area, text, *args):
        tell("log", level="warning", text=text % args)

    def error(self, area, text, *args):
        tell("log", level="error", text=text % args)

    def exception(self, area, text, error):
        tell("log", level="error", text="%s: %r" % (text, error))


class Settings(dict):
    """The keys that the link reads; a test may change them as a backend would."""

    def on_change(self, name, callback):
        self._name = name
        self._callback = callback

    def change(self, name, value):
        self[name] = value
        if name == self._name:
            self._callback(value)


class Sink:
    """What the cards of a SendLocalList are told."""

    def __init__(self, gate):
        self._gate = gate
        self._count = 0

    async def element(self, item):
        if item["idTag"] == "wait":
            tell("waiting")
            await self._gate.wait()
        self._count += 1

    async def finish(self, payload):
        tell("list", count=self._count, payload=payload)
        return {"status": "Accepted"}

    def abort(self):
        tell("aborted", count=self._count)


class Box:
    def __init__(self, config):
        self.settings = Settings()
        self.settings.update(config["settings"])
        password, ca = config.get("password"), config.get("ca")
        self.gate = asyncio.Event()
        self.tasks = []
        self.link = Link(
            self.settings,
            Log(),
            url=config["url"],
            user=config.get("user"),
            password=password.encode() if password else None,
            ca=ca.encode() if ca else None,
            serve=self.serve,
            stream=self.stream,
        )
        self.link.on_up = lambda: tell("up")
        self.link.on_down = lambda reason: tell("down", reason=reason)

    def stream(self, action):
        return (lambda: Sink(self.gate)) if action == "SendLocalList" else None

    async def serve(self, frame, call=None):
        if isinstance(frame, framer.FrameError):
            if frame.unique_id is None:
                return None
            return framer.error(frame.unique_id, frame.code, frame.description)
        if call:
            return framer.result(frame[1], await call.finish(frame[3]))
        payload = frame[3]
        wish = payload.get("vendorId")
        if wish == "fail":
            raise ValueError("as wished")
        if wish == "wait":
            await self.gate.wait()
        if wish == "ask":
            payload = await self.link.call("Heartbeat", {})
        return framer.result(frame[1], {"status": "Accepted", "data": payload.get("data", "")})

    async def call(self, tag, action, payload):
        try:
            tell("answer", tag=tag, payload=await self.link.call(action, payload))
        except CallRefused as error:
            parts = [error.code, error.description, error.details]
            tell("failed", tag=tag, error="CallRefused", text=str(error), parts=parts)
        except NotConnected as error:
            tell("failed", tag=tag, error="NotConnected", text=str(error), sent=error.sent)
        except LinkError as error:
            tell("failed", tag=tag, error=type(error).__name__, text=str(error))

    async def close(self):
        await self.link.close()
        tell("closed")

    def start(self, work):
        self.tasks.append(asyncio.create_task(work))

    def obey(self, command):
        word = command["cmd"]
        if word == "call":
            self.start(self.call(command["tag"], command["action"], command["payload"]))
        elif word == "close":
            self.start(self.close())
        elif word == "set":
            self.settings.change(command["name"], command["value"])
        elif word == "advance":
            time.advance(command["ms"])
        elif word == "go":
            self.gate.set()
        elif word == "ping":
            tell("pong")
        else:
            getattr(self.link, word)()

    async def run(self, commands):
        self.start(self.link.run())
        while line := await commands.readline():
            self.obey(json.loads(line))


async def main():
    commands = asyncio.StreamReader(sys.stdin.buffer)
    await Box(json.loads(await commands.readline())).run(commands)


asyncio.run(main())
