"""In CPython: the same requests, from text to the text of the answer, through the `ocpp` package."""

import asyncio
import time

import ocpp.messages
from frames import FRAMES
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action

_ROUNDS = 300


class _Nowhere:
    """A connection whose answers go nowhere."""

    async def send(self, message):
        self.last = message


class _Peer(ChargePoint):
    keys = ()

    @on(Action.remote_start_transaction)
    def on_remote_start(self, **_):
        return call_result.RemoteStartTransaction(status="Accepted")

    @on(Action.change_configuration)
    def on_change_configuration(self, **_):
        return call_result.ChangeConfiguration(status="Accepted")

    @on(Action.get_configuration)
    def on_get_configuration(self, **_):
        return call_result.GetConfiguration(configuration_key=self.keys)


async def _measure(peer):
    figures = {}
    for name, frame in FRAMES.items():
        text = frame.decode()
        await peer.route_message(text)  # the schema is read and compiled once
        began = time.perf_counter()
        for _ in range(_ROUNDS):
            await peer.route_message(text)
        figures[name] = (time.perf_counter() - began) / _ROUNDS * 1e6
    return figures


def measure(keys):
    """({name: us} as the package is by default, the same with ASYNC_VALIDATION off); `keys` for GetConfiguration."""
    peer = _Peer("bench", _Nowhere())
    peer.keys = keys
    default = ocpp.messages.ASYNC_VALIDATION
    try:
        ocpp.messages.ASYNC_VALIDATION = True
        usual = asyncio.run(_measure(peer))
        ocpp.messages.ASYNC_VALIDATION = False
        return usual, asyncio.run(_measure(peer))
    finally:
        ocpp.messages.ASYNC_VALIDATION = default
