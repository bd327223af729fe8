"""`make update` as a user has it: a station of its own, or that of a backend at a socket; what it shows, its status."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT

from applications import OTHER_KEY, ROOT, identity, package
from sessions import CALM, online

from tools.relay import Local, Relay

WITHIN_S = 60


async def make_update(*words):
    """(exit status, what it shows)"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.update", *map(str, words)), cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    text, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    return process.returncode, text.decode()


async def test_everything_of_a_station_of_its_own(tmp_path):
    status, text = await make_update("--link", tmp_path / "none.sock", "--version", "2.5.0")
    assert status == 0, text
    wanted = ["router 1.0.0", "Downloading", "downloaded ", "Downloaded", "Installing"]
    wanted += ["UpdateState: activating", "Installed", "application 2.5.0", "plc 2.5.0", "router 2.5.0"]
    at = 0
    for word in wanted:
        found = text.find(word, at)
        assert found >= 0, f"no {word!r} behind the others in\n{text}"
        at = found


async def test_the_station_of_a_make_run_beside_it(csms, station, tmp_path):
    """At a socket, with a package that the station refuses."""
    keys = identity()
    box = await station(settings=CALM, update={"keys": keys["key"], "vendor": keys["vendor"], "class": keys["class"]})
    await online(csms, box)
    link = tmp_path / "run.sock"
    server = await Local(csms).serve(link)
    assert await Local(csms).serve(link) is None, "somebody serves there already"
    status, text = await make_update("--link", link, "--package", package(tmp_path, "2.0.0", key=OTHER_KEY))
    assert status == 1, text
    assert "InstallationFailed" in text
    assert "UpdateState: refused: Signature" in text
    server.close()
    link.unlink()
    assert await Relay.open(link) is None


async def test_a_package_that_is_not_there(tmp_path):
    status, text = await make_update("--package", tmp_path / "none.suit")
    assert status == 2
    assert "there is no file" in text
