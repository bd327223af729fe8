"""Those who look at the station from beside it, such as a simulator's control port: each is told of every change.

Stands between the charge point and the reporter as the one listener, and passes everything on. While nobody
watches, it costs a comparison. Events are dicts:

    {"event": "status", "connector": 1, "status": "Charging", "error_code": "NoError", "transaction": {…} or None}
    {"event": "frame", "dir": "out", "text": "[2,…"}       "out": to the backend
    {"event": "log", "line": "…"}
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.charging.charge_point import ChargePoint
    from station.charging.connector import Connector
    from station.ocpp.reporter import Reporter


class Spectators:
    """`charge_point` and `listener` are set by whoever builds them."""

    def __init__(self) -> None:
        self.charge_point: ChargePoint = None
        self.listener: Reporter = None
        self._callbacks: list[Callable[[dict], None]] = []

    def add(self, callback: "Callable[[dict], None]") -> None:
        """`callback(event)` is called at once for each event; it must not wait."""
        self._callbacks.append(callback)

    def _tell(self, event: dict) -> None:
        for callback in self._callbacks:
            callback(event)

    # --- the charge point's listener

    def status_changed(self, connector_id: int) -> None:
        self.listener.status_changed(connector_id)
        if self._callbacks:
            connector = self.charge_point.connector(connector_id)
            row = describe(connector) if connector else {"status": self.charge_point.status}
            row["event"] = "status"
            row["connector"] = connector_id
            self._tell(row)

    def aligned(self, connector: "Connector") -> None:
        self.listener.aligned(connector)

    # --- the link's trace and the log's echo

    def frame(self, direction: str, data: "bytes | bytearray") -> None:
        if self._callbacks:
            self._tell({"event": "frame", "dir": direction, "text": str(data, "utf-8")})

    def line(self, line: str) -> None:
        if self._callbacks:
            self._tell({"event": "log", "line": line})


def describe(connector: "Connector") -> dict:
    """What the firmware thinks of a connector now."""
    error_code, info, vendor_code = connector.error
    transaction = connector.transaction
    return {
        "status": connector.status,
        "error_code": error_code,
        "info": info,
        "vendor_error_code": vendor_code,
        "operative": connector.operative,
        "transaction": transaction
        and {
            "number": transaction.number,
            "transaction_id": transaction.transaction_id,
            "id_tag": transaction.id_tag,
            "meter_start": transaction.meter_start,
        },
    }
