"""Who may charge by what the station knows itself (OCPP 1.6 §3.5): the cache, and what is decided offline."""

import pytest
from sessions import (
    CALM,
    CARD,
    back,
    begin,
    configure,
    connector_is,
    finish,
    leap,
    offline,
    online,
    quiet,
    stopped,
    swipe,
    told,
    until,
)


async def known(csms, box, token=CARD, **info):
    """The backend says this about a card that is presented without a cable; the card's grant is taken back."""
    csms.cards[token] = {"status": "Accepted", **info}
    result = await swipe(box, token)
    if result == "granted":
        assert await swipe(box, token) == "withdrawn"
        await connector_is(box, status="Available")
    await quiet(csms, box)
    return result


def asked(csms, token=CARD):
    """How often the backend was asked about a card."""
    return len(csms.transcript.calls("Authorize", idTag=token))


# --- the cache and LocalPreAuthorize


async def test_local_pre_authorize_spares_the_question(csms, station):
    """§9.1.13"""
    box = await station(settings={**CALM, "LocalPreAuthorize": "true"})
    await online(csms, box)
    session = await begin(csms, box)
    await finish(csms, box, session)
    assert asked(csms) == 1
    session = await begin(csms, box)
    assert asked(csms) == 1
    await finish(csms, box, session)
    await configure(csms, LocalPreAuthorize="false")
    await begin(csms, box)
    assert asked(csms) == 2


async def test_local_pre_authorize_asks_about_a_card_that_the_cache_knows_as_bad(csms, station):
    """§3.5.1: not Accepted in the cache, the backend may think better of it now."""
    box = await station(settings={**CALM, "LocalPreAuthorize": "true"})
    await online(csms, box)
    assert await known(csms, box, status="Blocked") == "Blocked"
    csms.cards.clear()
    await begin(csms, box)
    assert asked(csms) == 2


async def test_local_pre_authorize_asks_again_once_a_card_has_expired(csms, station):
    box = await station(settings={**CALM, "LocalPreAuthorize": "true"})
    await online(csms, box)
    csms.clock_offset += 3600
    expiry = csms.now()
    csms.clock_offset -= 3600
    await known(csms, box, expiryDate=expiry)
    await known(csms, box, expiryDate=expiry)
    assert asked(csms) == 1
    await leap(csms, box, 3700)
    csms.cards[CARD] = {"status": "Expired"}
    assert await swipe(box) == "Expired"
    assert asked(csms) == 2


async def test_the_cache_learns_from_start_and_stop(csms, station):
    """§3.5.1: idTagInfo of whatever answer updates it."""
    box = await station(settings={**CALM, "LocalPreAuthorize": "true"})
    await online(csms, box)
    session = await begin(csms, box)
    csms.cards[CARD] = {"status": "Blocked"}
    await finish(csms, box, session)  # StopTransaction.conf says Blocked
    await offline(csms, box)
    assert await swipe(box) == "Blocked"


async def test_switched_off_the_cache_knows_nobody(csms, station):
    box = await station(settings={**CALM, "LocalPreAuthorize": "true", "AuthorizationCacheEnabled": "false"})
    await online(csms, box)
    await known(csms, box)
    await known(csms, box)
    assert asked(csms) == 2
    await offline(csms, box)
    assert await swipe(box) == "Invalid"


async def test_a_cleared_cache_knows_nobody(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await known(csms, box)
    assert (await csms.call("ClearCache"))["status"] == "Accepted"
    await offline(csms, box)
    assert await swipe(box) == "Invalid"


async def test_the_cache_survives_a_reset(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await known(csms, box)
    await csms.call("Reset", type="Soft")
    await box.restarted(2)
    await until(box, lambda state: state["online"])
    await offline(csms, box)
    assert await swipe(box) == "granted"


# --- without a backend


async def begin_offline(csms, box, token=CARD):
    await offline(csms, box)
    await box.plug()
    await connector_is(box, status="Preparing")
    return await swipe(box, token)


async def test_offline_a_card_of_the_cache_may_charge(csms, station):
    """§9.1.12, LocalAuthorizeOffline true"""
    box = await station(settings=CALM)
    await online(csms, box)
    await known(csms, box)
    assert await begin_offline(csms, box) == "granted"
    await connector_is(box, status="Charging", contactor=True)
    await back(csms, box)
    assert csms.transcript.calls("StartTransaction")[0].payload["idTag"] == CARD
    assert asked(csms) == 1


async def test_offline_the_cache_may_be_of_no_use(csms, station):
    """§9.1.12, LocalAuthorizeOffline false"""
    box = await station(settings={**CALM, "LocalAuthorizeOffline": "false"})
    await online(csms, box)
    await known(csms, box)
    assert await begin_offline(csms, box) == "Invalid"
    assert (await connector_is(box, contactor=False))["transaction"] is None


async def test_offline_a_stranger_may_not_charge(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    assert await begin_offline(csms, box, "STRANGER") == "Invalid"
    assert (await connector_is(box, contactor=False))["transaction"] is None


async def test_offline_a_stranger_may_charge_if_the_operator_allows_it(csms, station):
    """§9.1.1, §3.5.3: accepted now, judged when the backend is back."""
    csms.cards["STRANGER"] = {"status": "Invalid"}
    box = await station(settings={**CALM, "AllowOfflineTxForUnknownId": "true"})
    await online(csms, box)
    assert await begin_offline(csms, box, "STRANGER") == "granted"
    await connector_is(box, status="Charging", contactor=True)
    await box.ws(True)
    stop = await stopped(csms)
    assert stop["reason"] == "DeAuthorized"
    await connector_is(box, contactor=False)


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid"])
async def test_offline_a_card_known_as_bad_stays_refused(csms, station, status):
    """§3.5.3: strangers are those of whom nothing is known."""
    box = await station(settings={**CALM, "AllowOfflineTxForUnknownId": "true"})
    await online(csms, box)
    assert await known(csms, box, status=status) == status
    assert await begin_offline(csms, box) == status
    await connector_is(box, contactor=False, transaction=None)


async def test_offline_a_card_that_expired_meanwhile_is_refused(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    csms.clock_offset += 3600
    expiry = csms.now()
    csms.clock_offset -= 3600
    await known(csms, box, expiryDate=expiry)
    await offline(csms, box)
    await box.advance(3700)
    assert await swipe(box) == "Expired"


async def test_offline_the_same_card_ends_its_session(csms, station):
    box = await station(settings={**CALM, "LocalAuthorizeOffline": "false"})
    await online(csms, box)
    session = await begin(csms, box)
    await offline(csms, box)
    assert await swipe(box) == "stopped"
    await connector_is(box, contactor=False, transaction=None)
    await until(box, lambda state: state["journal_depth"] == 1)
    await box.ws(True)
    assert (await stopped(csms, session))["reason"] == "Local"
    await told(csms, box)


async def test_a_card_of_the_group_ends_a_session_offline(csms, station):
    """What the cache knows of both is enough."""
    for token in (CARD, "SISTER"):
        csms.cards[token] = {"status": "Accepted", "parentIdTag": "FAMILY"}
    box = await station(settings=CALM)
    await online(csms, box)
    await known(csms, box, "SISTER", parentIdTag="FAMILY")
    session = await begin(csms, box)
    await offline(csms, box)
    assert await swipe(box, "SISTER") == "stopped"
    await back(csms, box)
    assert (await stopped(csms, session))["idTag"] == "SISTER"
