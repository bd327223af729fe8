"""The journal fills while offline: `FullJournal` is thinned, told, wraps around and fills again; `NoRoom` refuses first
readings, then transactions, until it is told."""

from scenario import Scenario

_INTERVAL_S = 5


class FullJournal(Scenario):
    BLOCK_SIZE = 1024
    BLOCKS = {"filesystem": 24, "journal": 10, "cache": 4, "cards": 24}
    CONNECTORS = 2
    INTERVAL_S = _INTERVAL_S
    ALL_READINGS = False
    SETTINGS = {
        "AllowOfflineTxForUnknownId": "true",
        "MeterValueSampleInterval": str(_INTERVAL_S),
        "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
        "StopTxnSampledData": "Energy.Active.Import.Register",
    }

    async def story(self, rig):
        backend = rig.backend
        await rig.online()
        await rig.begin("CARD-1")
        await rig.until(lambda: len(backend.of("StartTransaction")) == 1)
        rig.network.down()
        await self._charge(rig, 90)
        await rig.begin("CARD-2", 2)
        await self._charge(rig, 30)
        await rig.end("CARD-2", 2)
        await rig.begin("CARD-3", 2)
        await self._charge(rig, 5)
        await rig.end("CARD-1")
        rig.network.up()
        await rig.until(lambda: len(backend.of("StartTransaction")) == 3)
        await self._charge(rig, 30)
        rig.network.down()
        await self._charge(rig, 30)
        await rig.end("CARD-3", 2)
        rig.network.up()
        await rig.until(lambda: len(backend.of("StopTransaction")) == 3)
        await rig.quiet()
        dropped = (await rig.configuration("JournalDropped"))["JournalDropped"]
        assert dropped != "0", "the journal was never full"

    async def _charge(self, rig, readings):
        for _ in range(readings):
            await rig.leap(_INTERVAL_S)


class NoRoom(Scenario):
    BLOCK_SIZE = 1024
    BLOCKS = {"filesystem": 24, "journal": 6, "cache": 4, "cards": 24}
    CONNECTORS = 2
    INTERVAL_S = 100_000  # what is refused is not there to be billed by
    SETTINGS = {"AllowOfflineTxForUnknownId": "true", "MeterValueSampleInterval": str(_INTERVAL_S)}

    async def story(self, rig):
        await rig.online()
        rig.network.down()
        await rig.begin("LONG")
        for number in range(100):
            await rig.leap(_INTERVAL_S)
            rig.plug(2)
            await rig.run(0.4)
            rig.swipe("SHORT-%d" % number, 2)
            await rig.run(0.6)
            if not rig.charging(2):
                break
            await rig.end("SHORT-%d" % number, 2)
        assert 5 < number < 99, "refused after %d transactions" % number
        rig.unplug(2)
        await rig.end("LONG")
        rig.network.up()
        await rig.quiet()
        dropped = (await rig.configuration("JournalDropped"))["JournalDropped"]
        assert dropped != "0", "no reading was refused"
        await rig.begin("LATE", 2)
        await rig.leap(_INTERVAL_S)
        await rig.end("LATE", 2)
        await rig.quiet()
