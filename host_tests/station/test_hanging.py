"""A connector's task that hangs in an await: it still exists, nothing raises, and the watchdog resets the board all
the same; until then the interlock watches alone.
"""

from pathlib import Path

from sessions import CALM, begin, connector_is, logged, online, stopped

from tools.process import RESET_STATUS

EXTENSION = Path(__file__).with_name("hanging_extension.py")
TURNS = 45  # at least so many times is the watchdog's feeder given a turn: more than anyone's patience


async def turns(box):
    """The times at which the watchdog would be fed go by, without anybody waiting for them."""
    for _ in range(TURNS):
        if any("has not reported in" in line for line in box.log):
            return
        await box.advance(1)


async def test_a_connector_that_hangs_ends_in_a_reset(csms, station):
    box = await station(extension=EXTENSION, settings=CALM)
    await online(csms, box)
    session = await begin(csms, box)
    await connector_is(box, contactor=True)
    assert (await csms.call("DataTransfer", vendorId="test.hang"))["status"] == "Accepted"
    await box.advance(2)  # the meter is read, and never answers
    await box.control("ev_pause", connector=1)
    await connector_is(box, contactor=False)
    await turns(box)
    told = [frame.payload["status"] for frame in csms.transcript.calls("StatusNotification")]
    assert "SuspendedEV" not in told, "the connector's task did not see it: the interlock opened alone"
    await logged(box, "task connector 1 has not reported in")
    await box.restarted(2)
    assert box.exit_status == RESET_STATUS
    await logged(box, "watchdog: not fed")
    assert (await stopped(csms, session))["reason"] == "PowerLoss"


async def test_a_connector_that_hangs_before_its_first_look_ends_in_a_reset(csms, station):
    """No backend is spoken to before that look: the watchdog is awake already."""
    box = await station(extension=EXTENSION, settings=CALM, identity={"serial": "HANGS"})
    await turns(box)
    await logged(box, "task connector 1 has not reported in")
    await box.restarted(2)
    assert box.exit_status == RESET_STATUS
    await logged(box, "watchdog: not fed")
    assert not csms.transcript.frames
