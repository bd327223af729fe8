"""`make provision` refuses, before it touches a board, what the firmware would refuse, and what the board has not."""

import json
import subprocess
import sys

import pytest

from tools import provision
from tools.boards import BOARDS
from tools.provisioning import provisioning

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def text(**parts):
    parts.setdefault("connectors", {"lock": False})
    return json.dumps(provisioning("ws://csms.example/ocpp", **parts)).encode()


def test_a_right_file_passes():
    for board in BOARDS.values():
        provision.check(text(), board)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (b"{", "expected JSON"),
        (text(identity={"vendor": ""}), "identity.vendor: expected"),
        (text(identity={"colour": "red"}), "identity.colour: unknown key"),
        (text(settings={"HeartbeatInterval": "soon"}), "settings.HeartbeatInterval"),
    ],
)
def test_a_wrong_file_is_refused_in_the_firmwares_words(wrong, says):
    with pytest.raises(provision.ProvisionError, match=says):
        provision.check(wrong, BOARDS["esp32_eth"])


def test_more_connectors_than_the_board_has():
    two = text(connectors={"count": 2, "lock": False})
    provision.check(two, BOARDS["esp32_s3_eth"])
    with pytest.raises(provision.ProvisionError, match=r"connectors.count: expected at most 1, esp32_eth .*got 2"):
        provision.check(two, BOARDS["esp32_eth"])


def test_locks_where_the_board_has_none():
    locked = text(connectors={"lock": True})
    provision.check(locked, BOARDS["nucleo_h743zi"])
    with pytest.raises(provision.ProvisionError, match=r"connectors.lock: expected false, esp32_eth"):
        provision.check(locked, BOARDS["esp32_eth"])


def test_a_certificate_is_put_in(tmp_path):
    file, ca = tmp_path / "p.json", tmp_path / "ca.pem"
    file.write_bytes(text())
    ca.write_text(PEM)
    assert provision.text_of(file) == text()
    found = json.loads(provision.text_of(file, ca))
    assert found["backend"]["ca"] == PEM
    assert found["identity"] == json.loads(text())["identity"]


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(provision.ProvisionError, match="cannot be read"):
        provision.text_of(tmp_path / "none.json")
    file, ca = tmp_path / "p.json", tmp_path / "ca.pem"
    ca.write_text(PEM)
    file.write_text("[]")
    with pytest.raises(provision.ProvisionError, match="expected JSON with a section backend"):
        provision.text_of(file, ca)


def test_the_command_says_what_is_wrong_and_needs_no_board_for_that(tmp_path):
    file = tmp_path / "p.json"
    file.write_bytes(text(connectors={"count": 2, "lock": False}))
    words = [sys.executable, "-m", "tools.provision", "esp32_eth", str(tmp_path / "no-port"), str(file)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{file}: connectors.count: expected at most 1, esp32_eth has no more, got 2\n"
