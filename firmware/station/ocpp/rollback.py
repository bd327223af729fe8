"""The way back by hand: a DataTransfer of the manufacturer lets the former application run again (OCPP 1.6 §5.6)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.charging.charge_point import ChargePoint
    from station.log import Log


class Rollback:
    """`slots`: has `go_back()`, the name of the slot that runs next or None; `update`: `is_installing`;
    `restart("Soft")` restarts soon."""

    VENDOR = "ladepunkt"
    MESSAGE = "RollBackApplication"

    def __init__(
        self,
        slots: "Any",
        charge_point: "ChargePoint",
        update: "Any",
        restart: "Callable[[str], None]",
        log: "Log",
    ) -> None:
        self._slots = slots
        self._charge_point = charge_point
        self._update = update
        self._restart = restart
        self._log = log

    def serve(self, data: "str | None") -> "tuple[str, str]":
        """Accepted with the slot that runs after the restart, or Rejected with the reason; data is of no meaning.

        Never during a transaction, which the restart would end.
        """
        if not self._charge_point.is_idle:
            return "Rejected", "a transaction runs"
        if self._update.is_installing:
            return "Rejected", "an update is being installed"
        try:
            slot = self._slots.go_back()
        except OSError as error:
            self._log.error("slots", "the way back cannot be stored: %s", error)
            return "Rejected", "the flash does not take it"
        if slot is None:
            return "Rejected", "there is no former application"
        self._log.warning("slots", "rolled back by hand, %s runs next", slot)
        self._restart("Soft")
        return "Accepted", slot
