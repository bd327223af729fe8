"""What a story is, and what every station must do once it has its power back: `Scenario`.

    class Mine(Scenario):
        async def story(self, rig): ...        what happens until the power is cut, or to its end
        async def check(self, rig): ...        what must hold then, beside what holds always; the backend may be asked

An object is made for each run, so a scenario may keep in itself what it has to know for its `check`.
"""

import books


class Scenario:
    BLOCK_SIZE = 4096
    BLOCKS = {"filesystem": 16, "journal": 8, "cache": 4, "cards": 16, "update": 3}
    FROM_BLANK = False  # else the station has been online once before
    CONNECTORS = 1
    SETTINGS = {}  # of the provisioning
    INTERVAL_S = 60  # at which there is a reading to be billed by
    ALL_READINGS = True  # and so many are told
    CLOCK_SLACK_S = 0  # by which a time may be wrong that was repaired after a power cut

    def __init__(self):
        self.regions = {}  # name -> first block, blocks
        self.blocks = 0
        for name, blocks in self.BLOCKS.items():
            self.regions[name] = (self.blocks, blocks)
            self.blocks += blocks

    def provision(self, words):
        """What the provisioning has beyond the usual."""

    def component(self, rig, name):
        """The component of the station that is called so, as the board's update sees it."""
        raise ValueError("no component " + name)

    async def resumed(self, rig):
        """The rest of the story, behind a restart of the board that the story itself has led to."""

    async def recover(self, rig):
        """The life after a power cut."""
        await self._catch_up(rig)
        await self.check(rig)
        await self._serve_the_next(rig)
        books.audit(rig)
        restarts = rig.app.supervisor.restarts
        assert not restarts, "tasks have died: %r" % restarts

    async def _catch_up(self, rig):
        """Until the backend has heard everything that the station kept for it."""
        backend = rig.backend
        backend.lose, backend.refuse, backend.statuses = {}, {}, {}
        await rig.online()
        await rig.quiet()
        values = await rig.configuration("JournalDepth")
        assert values["JournalDepth"] == "0", "quiet, and %s messages wait" % values["JournalDepth"]

    async def _serve_the_next(self, rig):
        """One more session, on every connector in turn, with a card that nobody has shown yet."""
        card = "NEXT-%d" % len(rig.cuts)
        for outlet in rig.world.outlets:
            if outlet.ev:
                rig.unplug(outlet.number)
                await rig.run(0.5)
            await rig.begin(card, outlet.number)
            await rig.leap(30)
            await rig.end(card, outlet.number)
        await rig.quiet(1)

    async def check(self, rig):
        """What is this scenario's own."""
