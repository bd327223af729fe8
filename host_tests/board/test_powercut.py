"""The power goes at programs and erases of the emulated board's flash, and comes back: a sample over one session.

The books must agree afterwards: each charge was started once and stopped once for the backend, and what the backend
was told is not told otherwise. `make powercut` does the same at every point, on the unix port.
"""

import pytest
from sessions import CARD, connector_is, quiet, told, until

from tools.process import StationEnded

CALM = {"WebSocketPingInterval": "0", "MeterValueSampleInterval": "0"}
CUT_STATUS = 76  # boards/qemu_mps2/flash.py
# number of the operation, how much of it is done
CUTS = tuple(zip(range(1, 25, 2), ("undone", "half", "done") * 4))


async def charge(csms, box):
    """A session, as far as the power lets it come."""
    await until(box, lambda state: state["online"], within=30)
    await box.plug()
    await connector_is(box, status="Preparing")
    await box.swipe(CARD)
    await connector_is(box, status="Charging")
    await box.unplug()
    await connector_is(box, status="Available")
    await told(csms, box)


def told_of(transcript, action):
    """The ids of the messages of this action: one that is sent again keeps its own."""
    return {call.unique_id for call in transcript.calls() if call.action == action}


@pytest.mark.parametrize(("cut", "how"), CUTS, ids=str)
async def test_books_agree_after_a_cut(csms, station, cut, how):
    box = await station(csms, settings=CALM, start=False, arguments={"cut": cut, "cut_how": how})
    try:
        await box.start()
        await charge(csms, box)
        pytest.fail(f"operation {cut} never came")
    except (StationEnded, ConnectionError):
        assert await box.ended() == CUT_STATUS
    box.arguments.clear()
    await box.start()
    await until(box, lambda state: state["online"], within=30)
    await told(csms, box)
    starts = len(told_of(csms.transcript, "StartTransaction"))
    assert starts <= 1, "one charge was started twice"
    assert len(told_of(csms.transcript, "StopTransaction")) == starts
    # and the station still charges
    if (await box.state())["connectors"][0]["ev"]:
        await box.unplug()
    await connector_is(box, status="Available")
    await quiet(csms, box)
    await charge(csms, box)
    assert len(told_of(csms.transcript, "StartTransaction")) == starts + 1
    assert len(told_of(csms.transcript, "StopTransaction")) == starts + 1
