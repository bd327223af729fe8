"""Status and readings outside transactions become messages: StatusNotification (OCPP 1.6 §4.9), MeterValues (§4.7).

Only the newest status of a connector is kept, with the time at which it began. What changed while offline, or
faster than MinimumStatusDuration, is told as its newest state; if the standard's table has no step from what the
backend knows to that, the status between is told first. Clock-aligned readings outside a transaction are worth
their moment: what cannot be sent while it is fresh is dropped, oldest first.
"""

import asyncio

from micropython import const

from station import measurands
from station.charging import metering, status
from station.ocpp import meter_values
from station.ocpp.calls import LinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.charging.charge_point import ChargePoint
    from station.charging.connector import Connector
    from station.clock import Clock
    from station.log import Log
    from station.ocpp.link import Link
    from station.settings import Settings

_MAX_READINGS = const(16)
_RETRY_S = const(10)  # after a StatusNotification that the backend did not take


class _Told:
    """What the backend knows of one connector, and what it shall know: (status, error, info, vendor), stamp."""

    def __init__(self) -> None:
        self.known: tuple = None
        self.news: tuple = None
        self.stamp = 0
        self.since = 0  # uptime


class Reporter:
    """Listens to the charge point; `run()` tells the backend while the connection is up."""

    def __init__(
        self,
        link: "Link",
        charge_point: "ChargePoint",
        settings: "Settings",
        clock: "Clock",
        log: "Log",
        phases: int,
    ) -> None:
        self._link = link
        self._charge_point = charge_point
        self._settings = settings
        self._clock = clock
        self._log = log
        self._phases = phases
        self._told = [_Told() for _ in range(len(charge_point.connectors) + 1)]
        self._readings = []
        self._woken = asyncio.Event()

    # --- what the charge point tells

    def status_changed(self, connector_id: int) -> None:
        told = self._told[connector_id]
        news = self._read(connector_id)
        if news != told.news:
            told.news = news
            told.stamp = self._clock.stamp()
            told.since = self._clock.uptime()
            self._woken.set()

    def aligned(self, connector: "Connector") -> None:
        """A clock-aligned reading of a connector without transaction."""
        if not self._link.connected:
            return
        if len(self._readings) >= _MAX_READINGS:
            self._readings.pop(0)
        self._readings.append((connector.connector_id, self._clock.stamp(), connector.measurement))
        self._woken.set()

    def _read(self, connector_id: int) -> tuple:
        source = self._charge_point.connector(connector_id)
        if source is None:
            return (self._charge_point.status,) + self._charge_point.warning
        return (source.status,) + source.error

    # --- what the backend is told

    def forget(self) -> None:
        """The backend knows nothing of this boot yet: every status is news."""
        for connector_id, told in enumerate(self._told):
            told.known = None
            self.status_changed(connector_id)

    async def catch_up(self) -> None:
        """Tell what is news now, before the stored transactions. Raises LinkError when the connection is lost.

        A status that the backend does not take is left to `run`: it must not hold up the transactions.
        """
        for connector_id in range(len(self._told)):
            await self._try_to_tell(connector_id)

    async def run(self) -> None:
        """Runs while the connection is up. Raises LinkError when it is lost."""
        while True:
            self._woken.clear()
            wait = 3600
            for connector_id in range(len(self._told)):
                wait = min(wait, await self._tell_when_due(connector_id))
            while self._readings:
                await self._send_reading(*self._readings.pop(0))
            if not self._woken.is_set():
                await self._sleep(wait)

    async def _sleep(self, seconds: int) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except asyncio.TimeoutError:
            return  # it is due

    async def _tell_when_due(self, connector_id: int) -> int:
        """Tell a status that has lasted long enough; returns the seconds until the next look."""
        told = self._told[connector_id]
        if told.news == told.known:
            return 3600
        lasted = self._clock.uptime() - told.since
        if lasted < self._settings["MinimumStatusDuration"]:
            return self._settings["MinimumStatusDuration"] - lasted
        if not await self._try_to_tell(connector_id):
            return _RETRY_S
        return 0 if told.news != told.known else 3600

    async def _try_to_tell(self, connector_id: int) -> bool:
        """Tell it; False if the backend did not take it. Raises LinkError when the connection is lost."""
        try:
            await self._tell(connector_id)
        except LinkError as error:
            if not self._link.connected:
                raise
            self._log.warning("reporter", "StatusNotification: %s", error)
            return False
        return True

    async def _tell(self, connector_id: int) -> None:
        """Tell what is news now. What changes meanwhile is not told here: it has not lasted yet."""
        told = self._told[connector_id]
        news, stamp = told.news, told.stamp
        while news != told.known:
            known = told.known[0] if told.known else None
            step = status.path(known, news[0])[0]
            row = news if step == news[0] else (step, "NoError", "", "")
            await self._link.call("StatusNotification", self._payload(connector_id, row, stamp))
            told.known = row

    def _payload(self, connector_id: int, row: tuple, stamp: int) -> dict:
        payload = {
            "connectorId": connector_id,
            "status": row[0],
            "errorCode": row[1],
            "timestamp": self._clock.iso(stamp),
        }
        if row[2]:
            payload["info"] = row[2]
        if row[3]:
            payload["vendorErrorCode"] = row[3]
        return payload

    async def _send_reading(self, connector_id: int, stamp: int, measurement: tuple) -> None:
        mask = measurands.mask_of(self._settings["MeterValuesAlignedData"], self._phases)
        if not mask:
            return
        values = measurands.select(mask, measurement)
        sampled = meter_values.sampled_values(mask, mask, values, metering.CLOCK, self._phases)
        meter_value = {"timestamp": self._clock.iso(stamp), "sampledValue": sampled}
        try:
            await self._link.call("MeterValues", {"connectorId": connector_id, "meterValue": [meter_value]})
        except LinkError as error:
            if not self._link.connected:
                raise
            self._log.warning("reporter", "MeterValues: %s", error)
