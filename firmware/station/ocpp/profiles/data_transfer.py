"""DataTransfer from the backend (OCPP 1.6 §5.6), open to vendor extensions that this file does not know.

An extension registers a handler for its vendorId, or for one messageId of it. A handler gets the data (a text, or
None) and returns (status, data or None), status one of Accepted, Rejected; or a coroutine that does.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable


class DataTransfer:
    def __init__(self) -> None:
        self._vendors: dict[str, dict[str | None, Callable]] = {}  # vendorId -> {messageId or None: handler}

    def register(self, vendor_id: str, message_id: "str | None", handler: "Callable") -> None:
        """`message_id` None: for requests without one, and those that have no handler of their own.

        Raises ValueError if there is a handler already.
        """
        messages = self._vendors.setdefault(vendor_id, {})
        if message_id in messages:
            raise ValueError("DataTransfer %s/%s has a handler already" % (vendor_id, message_id))
        messages[message_id] = handler

    def handlers(self) -> dict:
        return {"DataTransfer": self.serve}

    async def serve(self, payload: dict) -> dict:
        messages = self._vendors.get(payload["vendorId"])
        if messages is None:
            return {"status": "UnknownVendorId"}
        handler = messages.get(payload.get("messageId")) or messages.get(None)
        if handler is None:
            return {"status": "UnknownMessageId"}
        result = handler(payload.get("data"))
        status, data = result if isinstance(result, tuple) else await result
        return {"status": status} if data is None else {"status": status, "data": data}
