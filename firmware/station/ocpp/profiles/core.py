"""The Core profile's requests of a backend (OCPP 1.6 §5): each checks, calls one method, returns a payload."""

from station.ocpp.dispatch import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.charging.cache import Cache
    from station.charging.charge_point import ChargePoint
    from station.log import Log
    from station.ocpp.registration import Registration
    from station.settings import Settings


class Core:
    """`reset(kind)` restarts the station soon; `registration.accepted` tells whether the backend has accepted us."""

    def __init__(
        self,
        charge_point: "ChargePoint",
        settings: "Settings",
        cache: "Cache",
        reset: "Callable[[str], None]",
        registration: "Registration",
        log: "Log",
    ) -> None:
        self._charge_point = charge_point
        self._settings = settings
        self._cache = cache
        self._reset = reset
        self._registration = registration
        self._log = log

    def handlers(self) -> dict:
        return {
            "ChangeAvailability": self.change_availability,
            "ChangeConfiguration": self.change_configuration,
            "ClearCache": self.clear_cache,
            "GetConfiguration": self.get_configuration,
            "RemoteStartTransaction": self.remote_start_transaction,
            "RemoteStopTransaction": self.remote_stop_transaction,
            "Reset": self.reset,
            "UnlockConnector": self.unlock_connector,
        }

    def change_availability(self, payload: dict) -> dict:
        """OCPP 1.6 §5.2; what cannot be persisted is rejected."""
        operative = payload["type"] == "Operative"
        try:
            return {"status": self._charge_point.change_availability(payload["connectorId"], operative)}
        except OSError as error:
            self._log.error("core", "the availability cannot be stored: %s", error)
            return {"status": "Rejected"}

    def change_configuration(self, payload: dict) -> dict:
        """OCPP 1.6 §5.3"""
        return {"status": self._settings.change(payload["key"], payload["value"])}

    def clear_cache(self, payload: dict) -> dict:
        """OCPP 1.6 §5.4; a cache that is switched off, or that cannot be written, is not cleared."""
        cleared = self._settings["AuthorizationCacheEnabled"] and self._cache.clear()
        return {"status": "Accepted" if cleared else "Rejected"}

    def get_configuration(self, payload: dict) -> dict:
        """OCPP 1.6 §5.8; more keys than GetConfigurationMaxKeys in one request are an error, not a short answer."""
        keys = payload.get("key")
        if not keys:
            return {"configurationKey": [self._row(self._settings.read(name)) for name in self._settings.names()]}
        most = self._settings["GetConfigurationMaxKeys"]
        if len(keys) > most:
            raise CallError("OccurenceConstraintViolation", "key: at most %d at a time, got %d" % (most, len(keys)))
        known, unknown = [], []
        for key in keys:
            found = self._settings.read(key)
            if found:
                known.append(self._row(found))
            else:
                unknown.append(key)
        answer = {}
        if known:
            answer["configurationKey"] = known
        if unknown:
            answer["unknownKey"] = unknown
        return answer

    def _row(self, found: tuple) -> dict:
        name, readonly, text = found
        return {"key": name, "readonly": readonly, "value": text}

    def remote_start_transaction(self, payload: dict) -> dict:
        """OCPP 1.6 §5.11; not while Pending (§4.2). A charging profile cannot be obeyed yet, so it is refused."""
        if "chargingProfile" in payload:
            self._log.warning("core", "RemoteStartTransaction refused: charging profiles are not supported")
            return {"status": "Rejected"}
        started = self._registration.accepted and self._charge_point.remote_start(
            payload["idTag"], payload.get("connectorId")
        )
        return {"status": "Accepted" if started else "Rejected"}

    def remote_stop_transaction(self, payload: dict) -> dict:
        """OCPP 1.6 §5.12; not while Pending (§4.2)."""
        stopped = self._registration.accepted and self._charge_point.remote_stop(payload["transactionId"])
        return {"status": "Accepted" if stopped else "Rejected"}

    def reset(self, payload: dict) -> dict:
        """OCPP 1.6 §5.14"""
        self._reset(payload["type"])
        return {"status": "Accepted"}

    async def unlock_connector(self, payload: dict) -> dict:
        """OCPP 1.6 §5.18"""
        connector = self._charge_point.connector(payload["connectorId"])
        if connector is None or not connector.has_lock:
            return {"status": "NotSupported"}
        return {"status": "Unlocked" if await connector.unlock() else "UnlockFailed"}
