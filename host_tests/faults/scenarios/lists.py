"""SendLocalList, Full and Differential, good ones and bad ones, with merges in between: list and version are one."""

import json

from scenario import Scenario

_STATUSES = ("Accepted", "Blocked", "Expired", "Invalid")
_CARDS = 130  # that there are


def card(i):
    return "card-%03d" % i


def entry(i, round_):
    """What the list says of a card in this round; of every fifth its group too, of every seventh its end."""
    info = {"status": _STATUSES[(i + round_) % 4]}
    if i % 5 == 0:
        info["parentIdTag"] = "GROUP-%d" % (i % 3)
    if i % 7 == 0:
        info["expiryDate"] = "2030-01-%02dT00:00:00Z" % (1 + i % 28)
    return {"idTag": card(i), "idTagInfo": info}


def full(version, numbers):
    return _update(version, "Full", [entry(i, version) for i in numbers])


def differential(version, puts, removals=()):
    """Removals stand among the others, and some cards twice."""
    entries = [entry(i, version) for i in puts] + [{"idTag": card(i).upper()} for i in removals]
    entries = entries[1::2] + entries[::2]
    return _update(version, "Differential", entries)


def _update(version, kind, entries):
    return {"listVersion": version, "updateType": kind, "localAuthorizationList": entries}


class Lists(Scenario):
    BLOCK_SIZE = 1024
    BLOCKS = {"filesystem": 24, "journal": 8, "cache": 8, "cards": 40}
    SETTINGS = {"AllowOfflineTxForUnknownId": "true"}

    async def story(self, rig):
        await rig.online()
        await self._send(rig, full(1, range(60)))
        await self._send(rig, differential(2, range(50, 70), range(0, 10)))
        await self._send(rig, differential(2, range(3)), "VersionMismatch")
        await self._send(rig, differential(3, range(0, 5), range(66, 70)))
        await rig.run(6)  # the time of a merge
        await self._send(rig, full(9, (1, 2)) | {"localAuthorizationList": [{"idTag": "x"}]}, "Failed")
        await self._break_off(rig, full(9, range(80)))
        for version in range(4, 10):
            await self._send(rig, differential(version, range(version, 130, 11), range(version + 2, 130, 13)))
            await rig.run(6)
        await self._send(rig, full(4, range(100, 130)))
        await self._send(rig, differential(5, (), range(100, 130)))
        await self._send(rig, full(6, ()))
        await self._send(rig, full(7, range(20)))

    async def _send(self, rig, payload, expected="Accepted"):
        answer = await rig.backend.call("SendLocalList", payload)
        assert answer == {"status": expected}, "expected %s, got %r" % (expected, answer)

    async def _break_off(self, rig, payload):
        """The connection is lost within the list."""
        text = json.dumps([2, "broken", "SendLocalList", payload]).encode()
        rig.network.wire.send_part(text, 2 * len(text) // 3)
        await rig.run(0.2)
        rig.network.drop()
        await rig.quiet(2)

    async def check(self, rig):
        """The version over the wire; the cards as the firmware finds them."""
        version = (await rig.backend.call("GetLocalListVersion", {}))["listVersion"]
        found = {}
        for i in range(_CARDS):
            info = rig.app._local_list.get(card(i))
            if info:
                found[card(i)] = (info.status, info.expiry != 0, info.parent_id_tag is not None)
        allowed = possible_lists(rig.backend.asked)
        assert version in [row[0] for row in allowed], "version %d, not one of %r" % (version, [r[0] for r in allowed])
        for number, cards in allowed:
            if number == version and cards == found:
                return
        raise AssertionError("version %d with %d cards: %r" % (version, len(found), found))


def possible_lists(asked):
    """[(version, {card: (status, expires, has a group)})]: as answered last, and as one not answered would have it."""
    allowed = [(0, {})]
    for request in asked:
        if request.action != "SendLocalList" or request.answer not in (None, {"status": "Accepted"}):
            continue
        version, cards = request.payload["listVersion"], dict(allowed[-1][1])
        if request.payload["updateType"] == "Full":
            cards = {}
        for row in request.payload["localAuthorizationList"]:
            info = row.get("idTagInfo")
            if info:
                cards[row["idTag"]] = (info["status"], "expiryDate" in info, "parentIdTag" in info)
            else:
                cards.pop(row["idTag"].lower(), None)
        allowed = [(version, cards)] if request.answer else allowed + [(version, cards)]
    return allowed
