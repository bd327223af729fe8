"""Local Auth List Management (OCPP 1.6 §5.10, §5.15). A SendLocalList goes entry by entry from the wire to the list."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.charging.local_list import ListUpdate, LocalList
    from station.ocpp.id_tags import IdTags


class LocalAuthList:
    def __init__(self, local_list: "LocalList", id_tags: "IdTags") -> None:
        self._list = local_list
        self._id_tags = id_tags

    def handlers(self) -> dict:
        return {"GetLocalListVersion": self.get_local_list_version}

    def streams(self) -> dict:
        """{action: opens a sink for its long list}, see `streamed_call.py`."""
        return {"SendLocalList": self.open}

    def get_local_list_version(self, payload: dict) -> dict:
        """OCPP 1.6 §5.10"""
        return {"listVersion": self._list.version}

    def open(self) -> "_Entries":
        return _Entries(self._list.begin(), self._id_tags)


class _Entries:
    """The sink of one SendLocalList."""

    def __init__(self, update: "ListUpdate", id_tags: "IdTags") -> None:
        self._update = update
        self._id_tags = id_tags

    async def element(self, item: dict) -> None:
        """An AuthorizationData (OCPP 1.6 §7.3); without idTagInfo it is a removal."""
        if "idTagInfo" in item:
            await self._update.put(item["idTag"], self._id_tags.info(item["idTagInfo"]))
        else:
            await self._update.remove(item["idTag"])

    async def finish(self, payload: dict) -> dict:
        """OCPP 1.6 §5.15"""
        return {"status": await self._update.finish(payload["listVersion"], payload["updateType"] == "Full")}

    def abort(self) -> None:
        self._update.abort()
