"""A station that is started on something wrong: damaged files, a full or damaged flash, a wrong provisioning file.

It starts, does its work with what is left, and says in the log what it found; a provisioning file that is wrong is
refused with the key and what it expects."""

import asyncio
import copy
import json
import random
import sys
from pathlib import Path

import pytest
from sessions import (
    CALM,
    CARD,
    begin,
    configuration,
    connector_is,
    finish,
    logged,
    offline,
    online,
    stopped,
    swipe,
    told,
    until,
)

from tools.provisioning import provisioning

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MICROPYTHON = Path(sys.executable).with_name("micropython")
FILES = ("availability.json", "boots.json", "format.json", "secret", "settings.json", "time.json")
BLOCK = 4096
JOURNAL = 256 * BLOCK  # where it begins in the flash
JOURNAL_END = 512 * BLOCK


async def run(*words, status=0, stdin=""):
    """Runs a process to its end; returns (stdout, stderr)."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*map(str, words), cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
    assert process.returncode == status, (output + errors).decode()
    return output.decode(), errors.decode()


async def flash_steps(box, *steps):
    """Does this to the flash of a station that is switched off; see flash_script.py."""
    folders = (ROOT / "boards" / "unix", ROOT / "firmware")
    words = (MICROPYTHON, "-X", "heapsize=2M", HERE / "flash_script.py", *folders)
    output, _ = await run(*words, box.state_dir / "provision.json", box.state_dir, stdin=json.dumps(steps))
    return json.loads(output.splitlines()[-1])


def flip_bits(box, start, end, seed, count):
    """Turns over bits of the flash that are programmed, in blocks from `start` to `end`."""
    path = box.state_dir / "flash.bin"
    content = bytearray(path.read_bytes())
    places = [i for i in range(start, min(end, len(content))) if content[i] != 0xFF]
    source = random.Random(seed)
    for _ in range(count):
        content[source.choice(places)] ^= 1 << source.randrange(8)
    path.write_bytes(content)


async def works(csms, box):
    """A whole session, from card to card."""
    csms.transcript.forget()
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    csms.transcript.forget()
    stop = await finish(csms, box, await begin(csms, box))
    assert stop["reason"] == "Local"
    assert (await box.state())["restarts"] == {}


async def used(csms, station):
    """A station that has each of its files, switched off."""
    box = await station(settings=CALM)
    await online(csms, box)
    assert (await csms.call("ChangeConfiguration", key="MeterValueSampleInterval", value="77"))["status"] == "Accepted"
    await finish(csms, box, await begin(csms, box))
    assert (await csms.call("ChangeAvailability", connectorId=1, type="Inoperative"))["status"] == "Accepted"
    await csms.status(1, "Unavailable")
    await box.kill()
    files = await flash_steps(box, ["list"])
    assert set(files) == set(FILES)
    return box


# --- files

DAMAGE = {
    "a bit": lambda name: ["flip", name, 0, 2],
    "the checksum": lambda name: ["flip", name, -1, 0],
    "emptied": lambda name: ["write", name, ""],
    "short": lambda name: ["write", name, "{}"],
    "text": lambda name: ["write", name, "no JSON at all" * 100],
}


@pytest.mark.parametrize("how", DAMAGE)
async def test_damaged_files_are_set_aside_and_named(csms, station, how):
    """All of them at once: the station starts with its defaults."""
    box = await used(csms, station)
    await flash_steps(box, *[DAMAGE[how](name) for name in FILES])
    await works(csms, box)
    for name in FILES:
        await logged(box, f"/flash/{name}.* set aside as /flash/{name}.bad")
    assert await configuration(csms, "MeterValueSampleInterval") == CALM["MeterValueSampleInterval"]
    await box.kill()
    files = await flash_steps(box, ["list"])
    assert {f"{name}.bad" for name in FILES} <= set(files)


async def test_without_its_secret_list_and_cache_know_nobody(csms, station):
    """Cards lie in flash under a keyed hash, which is of no use without the key: the version must not claim a list."""
    box = await station(settings={**CALM, "LocalAuthorizeOffline": "true"})
    await online(csms, box)
    cards = [{"idTag": "LISTED", "idTagInfo": {"status": "Accepted"}}]
    await csms.call("SendLocalList", listVersion=3, updateType="Full", localAuthorizationList=cards)
    await finish(csms, box, await begin(csms, box))
    for secret, word in (("kept", "granted"), ("lost", "Invalid")):
        await box.kill()
        if secret == "lost":
            await flash_steps(box, ["write", "secret", "x"])
        await box.start()
        await until(box, lambda state: state["online"])
        answer = await csms.call("GetLocalListVersion")
        assert answer["listVersion"] == (3 if secret == "kept" else 0)
        await offline(csms, box)
        assert await swipe(box) == word
    await logged(box, "their secret is lost")


@pytest.mark.parametrize(
    "content", ["[]", "7", '{"MeterValueSampleInterval": "soon", "HeartbeatInterval": 5}', '[[1], "x"]']
)
async def test_files_that_are_whole_but_hold_something_else(csms, station, content):
    """As an older or newer firmware might leave them: what is of no use is named and not used."""
    box = await station(settings=CALM)
    await box.kill()
    await flash_steps(box, *[["store", name, content] for name in FILES])
    await works(csms, box)
    assert await configuration(csms, "MeterValueSampleInterval") == CALM["MeterValueSampleInterval"]


async def test_a_new_flash_is_formatted(csms, station):
    box = await station(settings=CALM, start=False)
    await works(csms, box)
    await logged(box, "no file system on the flash .*: formatting")


@pytest.mark.parametrize("seed", range(4))
async def test_a_flash_full_of_noise_is_formatted(csms, station, seed):
    box = await station(settings=CALM, start=False)
    box.state_dir.mkdir(parents=True)
    (box.state_dir / "flash.bin").write_bytes(random.Random(seed).randbytes(JOURNAL_END))
    await works(csms, box)


@pytest.mark.parametrize("seed", range(6))
async def test_a_file_system_with_turned_bits(csms, station, seed):
    """Whatever is lost of it, the station starts and charges; what was not told yet is in the journal, not here."""
    box = await used(csms, station)
    flip_bits(box, 0, JOURNAL, seed, 1 + 4 * seed)
    await box.start()
    await until(box, lambda state: state["online"])
    # the availability may have survived
    assert (await csms.call("ChangeAvailability", connectorId=1, type="Operative"))["status"] in (
        "Accepted",
        "Rejected",
    )
    state = await box.state()
    assert state["restarts"] == {} and state["connectors"][0]["status"] in ("Available", "Unavailable")


# --- the journal


async def offline_session(csms, box, token):
    await box.plug()
    assert await swipe(box, token) == "granted"
    await connector_is(box, status="Charging")
    assert await swipe(box, token) == "stopped"
    await connector_is(box, transaction=None)
    await box.unplug()
    await connector_is(box, status="Available")


@pytest.mark.parametrize("seed", range(4))
async def test_a_journal_with_turned_bits_loses_what_they_hit(csms, station, seed):
    box = await station(settings={**CALM, "AllowOfflineTxForUnknownId": "true"})
    await online(csms, box)
    await offline(csms, box)
    cards = [f"CARD-{number}" for number in range(4)]
    for card in cards:
        await offline_session(csms, box, card)
    await box.kill()
    flip_bits(box, JOURNAL, JOURNAL_END, seed, 1)
    csms.transcript.forget()
    await box.start()
    await until(box, lambda state: state["online"])
    await told(csms, box)
    assert (await box.state())["restarts"] == {}
    begun = [call.payload["idTag"] for call in csms.transcript.calls("StartTransaction")]
    ended = [call.payload.get("idTag") for call in csms.transcript.calls("StopTransaction")]
    # one bit hits one record, or a header that is there twice; what is told is told in order
    assert len(begun) + len(ended) >= 7
    assert begun == [card for card in cards if card in begun]
    csms.transcript.forget()
    await finish(csms, box, await begin(csms, box, token="AFTER"), "AFTER")


async def test_a_journal_of_noise_is_a_new_one(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    await box.kill()
    path = box.state_dir / "flash.bin"
    content = bytearray(path.read_bytes())
    content[JOURNAL:] = random.Random(7).randbytes(JOURNAL_END - JOURNAL)
    path.write_bytes(content)
    await box.start()
    await online(csms, box)
    await box.unplug()
    await csms.status(1, "Available")
    await finish(csms, box, await begin(csms, box))
    assert (await box.state())["restarts"] == {}


# --- a full flash


async def test_a_full_file_system(csms, station):
    """Nothing can be stored: changes are refused with the reason, everything else goes on."""
    box = await station(settings=CALM)
    await online(csms, box)
    await box.kill()
    await flash_steps(box, ["fill"])
    await works(csms, box)
    names = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,Frequency,Current.Offered"
    keys = ("MeterValuesSampledData", "StopTxnAlignedData")
    before = {key: await configuration(csms, key) for key in keys}
    verdicts = {key: (await csms.call("ChangeConfiguration", key=key, value=names))["status"] for key in keys}
    # a directory with a little room takes a short file, but no longer one
    assert verdicts["StopTxnAlignedData"] == "Rejected", verdicts
    await logged(box, "StopTxnAlignedData = .* could not be stored")
    after = {key: names if verdicts[key] == "Accepted" else before[key] for key in keys}
    assert {key: await configuration(csms, key) for key in keys} == after


# --- the provisioning file

URL = "ws://127.0.0.1:9/ocpp"


def without(section, key):
    def change(words):
        del words[section][key]

    return change


def having(section, key, value):
    def change(words):
        words.setdefault(section, {})[key] = value

    return change


# (change, the key that the message names, words of what it expects)
WRONG = {
    "vendor missing": (without("identity", "vendor"), "identity.vendor", "is missing, expected a text of 1 to 20"),
    "vendor too long": (having("identity", "vendor", "v" * 21), "identity.vendor", "1 to 20 printable"),
    "model empty": (having("identity", "model", ""), "identity.model", "1 to 20"),
    "serial a number": (having("identity", "serial", 5), "identity.serial", "a text of 1 to 25"),
    "firmware version": (having("identity", "firmware_version", "f" * 51), "identity.firmware_version", "1 to 50"),
    "id": (having("identity", "charge_point_id", "ü"), "identity.charge_point_id", "printable ASCII"),
    "unknown identity": (having("identity", "colour", "red"), "identity.colour", "unknown key, expected one of vendor"),
    "url missing": (without("backend", "url"), "backend.url", "is missing"),
    "url http": (having("backend", "url", "http://h/"), "backend.url", "ws://host"),
    "url port": (having("backend", "url", "ws://h:99999/"), "backend.url", "ws://host"),
    "url without host": (having("backend", "url", "ws:///path"), "backend.url", "ws://host"),
    "wss without ca": (having("backend", "url", "wss://h/"), "backend.ca", "is missing, expected the certificate"),
    "ca no pem": (having("backend", "ca", "MIIB"), "backend.ca", "PEM"),
    "key not hex": (having("backend", "authorization_key", "hex:xyz"), "backend.authorization_key", "hex digits"),
    "count": (having("connectors", "count", 9), "connectors.count", "a whole number from 1 to 8"),
    "count zero": (having("connectors", "count", 0), "connectors.count", "from 1 to 8"),
    "count true": (having("connectors", "count", True), "connectors.count", "a whole number"),
    "count missing": (without("connectors", "count"), "connectors.count", "is missing"),
    "lock": (having("connectors", "lock", "yes"), "connectors.lock", "true or false"),
    "current": (having("connectors", "max_current_a", 5), "connectors.max_current_a", "from 6 to 80"),
    "current half": (having("connectors", "max_current_a", 16.5), "connectors.max_current_a", "a whole number"),
    "phases": (having("connectors", "phases", 2), "connectors.phases", "one of 1, 3"),
    "meter type": (having("meter", "type", "SDM120"), "meter.type", "one of SDM72, SDM72V1"),
    "meter address": (having("meter", "address", [1, 2]), "meter.address", "as many addresses as connectors.count"),
    "meter baudrate": (having("meter", "baudrate", 9601), "meter.baudrate", "one of 1200, 2400"),
    "meter parity": (having("meter", "parity", "E"), "meter.parity", "one of none, even, odd, got 'E'"),
    "meter unknown": (having("meter", "adress", 1), "meter.adress", "unknown key, expected one of type, address"),
    "setting unknown": (having("settings", "HeartBeat", "5"), "settings.HeartBeat", "is no key of this station"),
    "setting range": (having("settings", "HeartbeatInterval", "0"), "settings.HeartbeatInterval", "from 1 to 86400"),
    "setting type": (having("settings", "LocalPreAuthorize", "maybe"), "settings.LocalPreAuthorize", "true or false"),
    "setting list": (
        having("settings", "MeterValuesSampledData", "SoC"),
        "settings.MeterValuesSampledData",
        "a list of",
    ),
    "setting computed": (having("settings", "NumberOfConnectors", "2"), "settings.NumberOfConnectors", "cannot be set"),
    "section unknown": (having("extras", "a", 1), "extras", "unknown key"),
    "section no object": (lambda words: words.update(backend=[]), "backend", "an object"),
    "no sections": (lambda words: words.clear(), "identity.vendor", "is missing"),
}


async def refused(tmp_path, text):
    """What is on stderr of a station that refuses this provisioning file."""
    path = tmp_path / "provision.json"
    path.write_text(text)
    words = (sys.executable, "-m", "tools.station", path, "--state", tmp_path / "state", "--control", "0")
    _, errors = await run(*words, status=2)
    assert str(path) in errors
    return errors.strip()


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_provisioning_file_is_refused_by_its_key(tmp_path, name):
    change, key, expected = WRONG[name]
    words = copy.deepcopy(provisioning(URL))
    change(words)
    errors = await refused(tmp_path, json.dumps(words))
    assert f": {key}: " in errors and expected in errors
    assert "Traceback" not in errors and len(errors.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"identity": {}} x', "\x00"])
async def test_a_provisioning_file_that_is_no_object(tmp_path, text):
    errors = await refused(tmp_path, text)
    assert "provisioning: expected" in errors
    assert "Traceback" not in errors


async def test_a_secret_is_not_shown(tmp_path):
    words = provisioning(URL, backend={"authorization_key": "hunter2-" * 20})
    errors = await refused(tmp_path, json.dumps(words))
    assert "backend.authorization_key" in errors and "hunter2" not in errors


async def test_a_provisioning_file_that_is_not_there(tmp_path):
    path = tmp_path / "nowhere.json"
    _, errors = await run(sys.executable, "-m", "tools.station", path, "--state", tmp_path / "state", status=2)
    assert f"{path}: cannot read the provisioning file" in errors


async def test_a_damaged_world_is_refused(csms, station):
    box = await station(settings=CALM)
    await box.plug()
    await box.kill()
    world = box.state_dir / "world.json"
    world.write_text(world.read_text()[:20])
    words = (sys.executable, "-m", "tools.station", box.state_dir / "provision.json", "--state", box.state_dir)
    _, errors = await run(*words, status=2)
    assert str(world) in errors and "remove it" in errors


async def test_wrong_arguments_are_refused(tmp_path):
    start = ROOT / "boards" / "unix" / "start.py"
    path = tmp_path / "p.json"
    path.write_text(json.dumps(provisioning(URL)))
    state = ("--state", tmp_path)
    for words, text in (
        ((path,), "--state DIR are needed"),
        (state, "one provisioning file"),
        ((path, *state, "--control", "70000"), "--control must be a port"),
        ((path, *state, "--control"), "--control takes a value"),
        ((path, *state, "--extension", tmp_path / "none.py"), "there is no file"),
        ((path, *state, "--what"), "one provisioning file"),
    ):
        _, errors = await run(MICROPYTHON, "-X", "heapsize=1M", start, *words, status=2)
        assert text in errors and "usage:" in errors


async def test_a_power_cut_transaction_survives_damaged_files(csms, station):
    """The transaction lies in the journal: settings, secret and availability may all be gone."""
    box = await used(csms, station)
    await box.start()
    await until(box, lambda state: state["online"])
    await csms.call("ChangeAvailability", connectorId=1, type="Operative")
    csms.transcript.forget()
    session = await begin(csms, box, token=CARD)
    await box.kill()
    await flash_steps(box, *[["write", name, "x"] for name in FILES])
    await box.start()
    assert (await stopped(csms, session))["reason"] == "PowerLoss"
