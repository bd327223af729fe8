"""The firmware as a process against a real backend: the fixtures `csms` and `station`.

    async def test_session(csms, station):
        box = await station(settings={"MeterValueSampleInterval": "1"})
        await csms.expect("BootNotification")
        await box.plug()
        await csms.status(1, "Preparing")

`station(**provisioning)` may be called several times; each station has a state directory of its own unless `state`
names one. A failing test shows the frames that led to it and the tail of each station's log. What a station did
against the standard fails the test too, unless the test clears `csms.violations`.
"""

import pytest
import pytest_asyncio
from offers import Shelf
from sessions import wrong_steps

from tools.backend import Csms
from tools.frames import TAIL
from tools.process import StationProcess
from tools.provisioning import provisioning
from tools.web import serving

LOG_TAIL = 60
SHOWN = pytest.StashKey()  # of an item: (title, callable giving text) of what a failure shows

# What makes sense for tests: nothing waits for long.
SETTINGS = {"RetryBackOffWaitMinimum": "1", "RetryBackOffRandomRange": "0", "MinimumStatusDuration": "0"}


@pytest_asyncio.fixture
async def make_csms(request):
    """Starts a backend: `await make_csms(ssl=context)`; all are stopped at the end of the test."""
    started = []

    async def make(**options):
        csms = Csms(**options)
        started.append(csms)
        show(request, f"frames of backend {len(started)}", lambda: csms.transcript.text(TAIL))
        await csms.start()
        return csms

    yield make
    for csms in started:
        await csms.stop()
    violations = [text for csms in started for text in (*csms.violations, *wrong_steps(csms.transcript))]
    assert not violations, "against the standard:\n" + "\n".join(violations)


@pytest_asyncio.fixture
async def csms(make_csms):
    """A backend on a free port that accepts everything until it is told otherwise."""
    return await make_csms()


@pytest_asyncio.fixture
async def server():
    """A web server with packages, see `offers.Shelf`."""
    shelf = Shelf()
    async with serving(shelf.handlers) as url:
        shelf.url = url + "/"
        yield shelf
        shelf.hold.set()


@pytest_asyncio.fixture
async def station(csms, tmp_path, request):
    """Starts a station: `await station(connectors={"count": 2}, settings={…})`, see `provisioning`.

    Beside parts of the provisioning file it takes `heap`, `state` (a directory), `url` (of another backend),
    `extension` (a file), `options` (words of tools.station), `on_event` and `start=False` (the caller starts it).
    """
    started = []

    async def make(
        *,
        state=None,
        url=None,
        start=True,
        settings=None,
        heap="2M",
        extension=None,
        options=(),
        on_event=None,
        **parts,
    ):
        words = provisioning(url or csms.url, settings={**SETTINGS, **(settings or {})}, **parts)
        number = len(started) + 1
        state = state or tmp_path / f"station{number}"
        box = StationProcess(words, state, heap=heap, extension=extension, options=options, on_event=on_event)
        box.on_advance = csms.shift_clock
        started.append(box)
        show(request, f"log of station {number}", lambda: box.log_text(LOG_TAIL))
        if start:
            await box.start()
        return box

    yield make
    for box in started:
        await box.kill()


def show(request, title, text):
    request.node.stash.setdefault(SHOWN, []).append((title, text))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for title, text in item.stash.get(SHOWN, ()):
            report.sections.append((title, text() or "  none"))
    return report
