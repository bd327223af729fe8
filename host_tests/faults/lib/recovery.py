"""What every station must do once it has its power back: boot, tell all that it owes, and serve the next customer."""

import books


async def recover(rig):
    await catch_up(rig)
    await serve_the_next(rig)
    books.audit(rig)


async def catch_up(rig):
    """Until the backend has heard everything that the station kept for it."""
    backend = rig.backend
    backend.lose, backend.refuse = {}, {}
    backend.statuses = {}
    await rig.until(lambda: len(backend.statuses) == rig.scenario.CONNECTORS + 1)
    await rig.quiet()
    row = (await backend.call("GetConfiguration", {"key": ["JournalDepth"]}))["configurationKey"][0]
    assert row["value"] == "0", "quiet, and still has messages: %r" % row


async def serve_the_next(rig):
    """One more session, on every connector in turn."""
    backend = rig.backend
    for outlet in rig.world.outlets:
        number = outlet.number
        if outlet.ev:
            rig.unplug(number)
            await rig.run(0.5)
        starts, stops = len(backend.of("StartTransaction")), len(backend.of("StopTransaction"))
        rig.plug(number)
        await rig.run(1)
        rig.swipe("NEXT", number)
        await rig.until(lambda: rig.charging(number))
        await rig.until(lambda: len(backend.of("StartTransaction")) == starts + 1)
        await rig.leap(30)
        rig.swipe("NEXT", number)
        await rig.until(lambda: len(backend.of("StopTransaction")) == stops + 1)
        rig.unplug(number)
    await rig.quiet(1)
