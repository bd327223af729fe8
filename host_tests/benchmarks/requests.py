"""In MicroPython: a backend's request from its bytes to the bytes of the answer, our validation included.

micropython requests.py     prints {"remote_start": us, "change_configuration": us, "get_configuration_all": us,
                                    "answer": the answer to GetConfiguration}
"""

import asyncio
import json
import time

from frames import FRAMES
from station.log import Log
from station.ocpp import framer
from station.ocpp.dispatch import Dispatcher
from station.ocpp.profiles.core import Core
from station.settings import Settings

_ROUNDS = 2000
_ALL = "get_configuration_all"


class ChargePoint:
    """Takes a remote start without a charging station behind it."""

    def remote_start(self, id_tag, connector_id):
        return True


class Registration:
    accepted = True


async def main():
    log = Log(1024)
    dispatcher = Dispatcher(log)
    settings = Settings(None, log, {}, 2, 3)
    dispatcher.add(Core(ChargePoint(), settings, None, None, Registration(), log).handlers())
    figures = {}
    for name, frame in FRAMES.items():
        rounds = _ROUNDS // 10 if name == _ALL else _ROUNDS
        answer = await dispatcher.serve(framer.parse(frame))
        if name == _ALL:
            figures["answer"] = json.loads(answer)[2]
        began = time.ticks_us()
        for _ in range(rounds):
            await dispatcher.serve(framer.parse(frame))
        figures[name] = time.ticks_diff(time.ticks_us(), began) / rounds
    print(json.dumps(figures))


asyncio.run(main())
