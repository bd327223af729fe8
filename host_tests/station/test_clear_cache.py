"""ClearCache (OCPP 1.6 §5.4), and that the cache is there to be cleared (§3.5.1)."""

import pytest
from sessions import CALM, CARD, back, begin, configure, finish, offline, online, swipe

OFFLINE = {**CALM, "LocalAuthorizeOffline": "true"}


async def clear(csms):
    return (await csms.call("ClearCache"))["status"]


async def known(csms, box, token=CARD):
    """Does the station know the card when it cannot ask?"""
    await offline(csms, box)
    word = await swipe(box, token)
    if word == "granted":
        assert await swipe(box, token) == "withdrawn"
    await back(csms, box)
    return word == "granted"


async def test_what_was_learned_is_forgotten(csms, station):
    box = await station(settings=OFFLINE)
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    assert await known(csms, box)
    assert await clear(csms) == "Accepted"
    assert not await known(csms, box)


async def test_an_empty_cache_is_cleared_too(csms, station):
    box = await station(settings=OFFLINE)
    await online(csms, box)
    assert await clear(csms) == "Accepted"


@pytest.mark.parametrize("cleared", [False, True])
async def test_what_is_cleared_stays_cleared_over_a_power_cut(csms, station, cleared):
    box = await station(settings=OFFLINE)
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    assert await known(csms, box)
    if cleared:
        assert await clear(csms) == "Accepted"
    await box.kill()
    await box.start()
    await online(csms, box)
    assert await known(csms, box) is not cleared


async def test_a_cache_that_is_switched_off_is_not_cleared(csms, station):
    """§5.4: Rejected if it is not enabled. Switched off, it knows nobody."""
    box = await station(settings=OFFLINE)
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    await configure(csms, AuthorizationCacheEnabled="false")
    assert await clear(csms) == "Rejected"
    assert not await known(csms, box)


async def test_a_running_transaction_is_not_touched(csms, station):
    box = await station(settings=OFFLINE)
    await online(csms, box)
    session = await begin(csms, box)
    assert await clear(csms) == "Accepted"
    assert (await finish(csms, box, session))["reason"] == "Local"


async def test_no_card_lies_in_flash_in_clear(csms, station):
    """Only those of transactions do, in the journal that has to tell them to the backend."""
    csms.cards["STOLEN-BOARD"] = {"status": "Blocked", "parentIdTag": "FAMILY-NAME"}
    box = await station(settings=OFFLINE)
    await online(csms, box)
    assert await swipe(box, "STOLEN-BOARD") == "Blocked"
    await box.kill()
    content = (box.state_dir / "flash.bin").read_bytes().upper()
    assert b"STOLEN" not in content and b"FAMILY" not in content
