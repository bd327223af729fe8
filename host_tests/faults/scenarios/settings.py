"""ChangeConfiguration and ChangeAvailability: what was answered is there, what was under way is old or new."""

from scenario import Scenario

_BEFORE = {  # the defaults of provisioning and of the table
    "ConnectionTimeOut": "60",
    "LocalPreAuthorize": "false",
    "MeterValuesSampledData": "Energy.Active.Import.Register",
    "MinimumStatusDuration": "0",
    "StopTxnSampledData": "",
    "WebSocketMaxMessageSize": "65536",
}
_CHANGES = (
    ("ConnectionTimeOut", "900"),
    ("LocalPreAuthorize", "true"),
    ("MeterValuesSampledData", "Energy.Active.Import.Register,Power.Active.Import,Voltage,Current.Import"),
    ("WebSocketMaxMessageSize", "8192"),
    ("StopTxnSampledData", "Energy.Active.Import.Register,Power.Active.Import"),
    ("MinimumStatusDuration", "1"),
    ("ConnectionTimeOut", "901"),
    ("LocalPreAuthorize", "false"),  # the default again: its place in the file is given up
    ("MinimumStatusDuration", "0"),
    ("WebSocketMaxMessageSize", "9000"),
)


class Settings(Scenario):
    CONNECTORS = 2

    async def story(self, rig):
        await rig.online()
        for key, value in _CHANGES[:6]:
            await self._change(rig, key, value)
        await self._make(rig, 1, "Inoperative")
        await self._make(rig, 2, "Inoperative")
        await self._make(rig, 1, "Operative")
        await self._make(rig, 0, "Inoperative")
        await self._make(rig, 0, "Operative")
        # while it charges: the availability waits for the end of the transaction
        await rig.begin("CARD-1")
        await self._make(rig, 1, "Inoperative", "Scheduled")
        for key, value in _CHANGES[6:]:
            await self._change(rig, key, value)
        await rig.end("CARD-1")
        await rig.until(lambda: rig.backend.statuses[1] == "Unavailable")
        await self._make(rig, 0, "Operative")

    async def _change(self, rig, key, value):
        answer = await rig.backend.call("ChangeConfiguration", {"key": key, "value": value})
        expected = "RebootRequired" if key == "WebSocketMaxMessageSize" else "Accepted"
        assert answer == {"status": expected}, (key, answer)

    async def _make(self, rig, connector_id, kind, expected="Accepted"):
        answer = await rig.backend.call("ChangeAvailability", {"connectorId": connector_id, "type": kind})
        assert answer == {"status": expected}, (connector_id, kind, answer)

    async def check(self, rig):
        values = await rig.configuration(*_BEFORE)
        for key, allowed in possible_values(rig.backend.asked).items():
            assert values[key] in allowed, "%s is %r, not one of %r" % (key, values[key], allowed)
        found = [rig.backend.statuses[i] != "Unavailable" for i in range(self.CONNECTORS + 1)]
        allowed = possible_availability(rig.backend.asked, self.CONNECTORS)
        assert found in allowed, "operative: %r, not one of %r" % (found, allowed)
        await self._make(rig, 0, "Operative")
        await rig.run(1)


def possible_values(asked):
    """What each key may be: as it was answered last, or else as a request that was not answered would have it."""
    allowed = {key: [value] for key, value in _BEFORE.items()}
    for request in asked:
        if request.action == "ChangeConfiguration":
            key, value = request.payload["key"], request.payload["value"]
            allowed[key] = allowed[key] + [value] if request.answer is None else [value]
    return allowed


def possible_availability(asked, connectors):
    """The same for [charge point, connector 1, …], each True if it is operative (OCPP 1.6 §5.2)."""
    wanted = [True] * (connectors + 1)
    shown = [_shown(wanted)]
    for request in asked:
        if request.action == "ChangeAvailability":
            i, operative = request.payload["connectorId"], request.payload["type"] == "Operative"
            wanted = [operative] * len(wanted) if not i else list(wanted)
            wanted[i] = operative
            if operative:
                wanted[0] = True  # this firmware's choice: where a connector serves, the charge point does
            shown = shown + [_shown(wanted)] if request.answer is None else [_shown(wanted)]
    return shown


def _shown(wanted):
    return [wanted[0]] + [wanted[0] and operative for operative in wanted[1:]]
