"""The first boot on blank flash, without a network: a session begins before the station has ever heard the time."""

from scenario import Scenario


class FirstBoot(Scenario):
    FROM_BLANK = True
    SETTINGS = {"AllowOfflineTxForUnknownId": "true"}
    CLOCK_SLACK_S = 70  # from the last thing that is on flash to the cut, and the time without power

    async def story(self, rig):
        backend = rig.backend
        rig.network.down()
        await rig.run(2)
        await rig.begin("CARD-1")
        await rig.leap(57)
        await rig.run(6)
        rig.network.up()
        await rig.until(lambda: len(backend.of("MeterValues")) == 1)
        await rig.end("CARD-1")
        await rig.until(lambda: len(backend.of("StopTransaction")) == 1)
        await rig.leap(61)
        await rig.run(1)
