"""Two whole sessions: part of each offline, lost answers, an error for an answer; a third beside the second."""

from scenario import Scenario


class Sessions(Scenario):
    BLOCK_SIZE = 1024
    BLOCKS = {"filesystem": 24, "journal": 8, "cache": 4, "cards": 24}
    CONNECTORS = 2
    SETTINGS = {
        "AllowOfflineTxForUnknownId": "true",
        "StopTxnSampledData": "Energy.Active.Import.Register,Power.Active.Import",
    }

    async def story(self, rig):
        backend = rig.backend
        await rig.online()
        # the first session begins online and ends offline
        await rig.begin("CARD-1")
        await rig.leap(58)
        await rig.run(4)
        rig.network.down()
        await rig.leap(56)
        await rig.run(6)
        await rig.end("CARD-1")
        # the second begins offline and ends online; the answer to its StartTransaction is lost
        await rig.begin("CARD-2")
        await rig.leap(58)
        await rig.run(3)
        await rig.begin("CARD-3", 2)
        backend.lose = {"StartTransaction": 1, "MeterValues": 1}
        backend.refuse = {"StopTransaction": 1}
        rig.network.up()
        await rig.until(lambda: len(backend.of("StartTransaction")) == 3)
        await rig.leap(55)
        await rig.run(6)
        backend.lose = {"StopTransaction": 1}
        rig.unplug(2)
        await rig.end("CARD-2")
        await rig.until(lambda: len(backend.of("StopTransaction")) == 3)
        await rig.quiet()
        await rig.leap(60)
        await rig.run(1)
