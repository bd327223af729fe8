"""`make emulate` and the frozen image's numbers."""

import asyncio
import re
import sys

from tools.build_qemu import BUILD
from tools.sources import ROOT

INTERRUPTED = ("station_charging_interlock", "station_drivers_", "actuator", "outlet", "pilot_line")
# registers and baud rates, which no interrupt touches
ELSEWHERE = "station_drivers_meter"


async def test_make_emulate_plays_its_session(firmware):
    words = [sys.executable, "-m", "tools.run", "--board", "qemu_mps2"]
    pipe = asyncio.subprocess.PIPE
    run = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(run.communicate(), 90)
    assert run.returncode == 0, said.decode()
    assert "the session came out right" in said.decode()


def test_no_big_integer_is_frozen_where_an_interrupt_calculates(firmware):
    """Frozen tuples keep integers above 8191 as big ones, and what is worked out from those allocates."""
    code = (BUILD / "firmware" / "frozen_content.c").read_text()
    big = re.findall(r"mp_obj_int_t const_obj_(\w+?)_\d+(?:_\d+)* =", code)
    assert big, "the pattern finds none at all"
    found = [name for name in big if name.startswith(INTERRUPTED) and not name.startswith(ELSEWHERE)]
    assert found == ["outlet"], found  # the mW ms of a Wh: energy is reckoned outside interrupts
