"""Churn of the authorization cache: what the backend said last of a card is kept, or nothing, and ClearCache holds."""

from scenario import Scenario

_ROOM = 12  # cards that the cache may have
_CARDS = 20
_STATUSES = ("Blocked", "Invalid", "Expired", "Blocked")  # nobody begins to charge here


def card(i):
    return "CARD-%02d" % i


class Cache(Scenario):
    BLOCK_SIZE = 1024
    BLOCKS = {"filesystem": 24, "journal": 8, "cache": 6, "cards": 24}
    SETTINGS = {"AuthorizationCacheMaxLength": str(_ROOM), "AllowOfflineTxForUnknownId": "true"}

    def __init__(self):
        super().__init__()
        self._said = {}  # card -> [(status, expires, has a group)] since the cache was cleared, None: not told yet
        self._cleared = 0
        self._order = []  # cards in the order in which the backend spoke of them

    async def story(self, rig):
        await rig.online()
        for i in range(8):
            await self._ask(rig, i, 0)
        await rig.leap(61)
        for i in (3, 3, 1, 5, 9, 10, 3):
            await self._ask(rig, i, 1)
        await rig.leap(61)
        await self._clear(rig)
        for turn in range(4):
            for i in range(turn, _CARDS, 1 + turn):
                await self._ask(rig, i, turn)
            await rig.leap(61)
            await rig.run(1)
        await self._clear(rig)
        for i in range(_CARDS):
            await self._ask(rig, i, 2)

    async def _ask(self, rig, i, turn):
        """A card is shown, and the backend says what it thinks of it this time."""
        info = {"status": _STATUSES[(i + turn) % 4]}
        if i % 3 == 0:
            info["parentIdTag"] = "GROUP"
        if (i + turn) % 5 == 0:
            info["expiryDate"] = "2030-01-01T00:00:00Z"
        rig.backend.cards[card(i)] = info
        row = (info["status"], "expiryDate" in info, "parentIdTag" in info)
        self._said.setdefault(card(i), []).append(row)
        if card(i) in self._order:
            self._order.remove(card(i))
        asked = rig.backend.count["Authorize"]
        rig.swipe(card(i))
        await rig.until(lambda: rig.backend.count["Authorize"] > asked)
        await rig.run(0.25)
        self._order.append(card(i))
        self._said[card(i)] = [row]

    async def _clear(self, rig):
        answer = await rig.backend.call("ClearCache", {})
        assert answer == {"status": "Accepted"}, answer
        self._order, self._said = [], {}
        # something else is written before the cache is written again
        await rig.backend.call("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": str(61 + self._cleared)})
        self._cleared += 1

    async def check(self, rig):
        cache = rig.app._cache
        assert len(cache) <= _ROOM, "%d cards, room for %d" % (len(cache), _ROOM)
        is_clear_asked = rig.backend.asked and any(
            [request.action == "ClearCache" and request.answer is None for request in rig.backend.asked]
        )
        for i in range(_CARDS):
            info = cache.get(card(i))
            if info:
                found = (info.status, info.expiry != 0, info.parent_id_tag is not None)
                allowed = self._said.get(card(i), [])
                assert found in allowed, "%s is %r, not one of %r" % (card(i), found, allowed)
            elif not is_clear_asked and card(i) in self._order[-_ROOM + 2 :]:  # two more may have come
                raise AssertionError("%s is forgotten, of %r" % (card(i), self._order))
        self._order = []  # to look at them was to use them: in which order they go from here on is open
