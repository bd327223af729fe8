"""What a story is, and what every station must do once it has its power back: `Scenario`.

    class Mine(Scenario):
        async def story(self, rig): ...        what happens until the power is cut, or to its end
        async def check(self, rig): ...        what must hold then, beside what holds always; the backend may be asked

An object is made for each run, so a scenario may keep in itself what it has to know for its `check`.
"""

import books


class Scenario:
    BLOCKS = {"filesystem": 16, "journal": 8, "cache": 4, "cards": 24}  # of 4096 bytes
    CONNECTORS = 1
    SETTINGS = {}  # of the provisioning
    INTERVAL_S = 60  # MeterValueSampleInterval
    CLOCK_SLACK_S = 0  # by which a time may be wrong that was repaired after a power cut

    def __init__(self):
        self.regions = {}  # name -> first block, blocks
        self.blocks = 0
        for name, blocks in self.BLOCKS.items():
            self.regions[name] = (self.blocks, blocks)
            self.blocks += blocks

    async def recover(self, rig):
        """The life after a power cut."""
        await self._catch_up(rig)
        await self.check(rig)
        await self._serve_the_next(rig)
        books.audit(rig)

    async def _catch_up(self, rig):
        """Until the backend has heard everything that the station kept for it."""
        backend = rig.backend
        backend.lose, backend.refuse, backend.statuses = {}, {}, {}
        await rig.until(lambda: len(backend.statuses) == self.CONNECTORS + 1)
        await rig.quiet()
        values = await rig.configuration("JournalDepth")
        assert values["JournalDepth"] == "0", "quiet, and %s messages wait" % values["JournalDepth"]

    async def _serve_the_next(self, rig):
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

    async def check(self, rig):
        """What is this scenario's own."""
