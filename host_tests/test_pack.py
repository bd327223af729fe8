"""`python -m tools.pack`: what it makes, what it refuses, and that it names the key, the value and what is allowed."""

import json
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tools import pack
from tools.packing import PackError, check, description, keys

FILES = {"application.romfs": b"application", "router.img": b"router"}
DESCRIPTION = """
sequence = 12
version = "1.4.0"
vendor = "ladepunkt.example"
order = ["router", "application"]

[components.application]
file = "application.romfs"
class = "unix"
version = "1.4.0-rc.1"
needs = { router = ">= 2.0", plc = [">= 1.2", "< 2"] }

[components.router]
file = "router.img"
class = "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"
version = "2.1"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a description, what it names, and a key; it is the current one."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "package.toml").write_text(DESCRIPTION)
    monkeypatch.chdir(tmp_path)
    assert pack.main(["keygen", "key.pem"]) == 0
    return tmp_path


def run(capsys, *words):
    """(status, stdout, stderr)"""
    capsys.readouterr()
    status = pack.main([str(word) for word in words])
    return status, *capsys.readouterr()


def test_a_package_is_made_shown_and_verified(folder, capsys):
    assert run(capsys, "make", "package.toml", "--key", "key.pem")[0] == 0
    status, shown, _ = run(capsys, "show", "package.suit")
    assert status == 0
    for words in (
        "sequence 12, version 1.4.0",
        "1. router 2.1, 6 bytes, in the package",
        "2. application 1.4.0-rc.1, 11 bytes",
        "class fa6b4a53d5ad5fdfbe9de663e4d41ffe",
        "needs router >= 2.0",
        "needs plc >= 1.2, < 2",
    ):
        assert words in shown
    status, verified, _ = run(capsys, "verify", "package.suit", "--key", "key.pub.pem")
    assert (status, verified.splitlines()[:-1]) == (0, shown.splitlines())
    assert verified.splitlines()[-1].endswith(keys.fingerprint(keys.public("key.pub.pem")))


def test_json_says_the_same(folder):
    words = description.tomllib.loads(DESCRIPTION)
    (folder / "package.json").write_text(json.dumps(words))
    assert description.read("package.json") == description.read("package.toml")


def test_each_changed_byte_is_noticed(folder):
    pack.main(["make", "package.toml", "--key", "key.pem"])
    data = (folder / "package.suit").read_bytes()
    trusted = [keys.public("key.pub.pem")]
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(PackError):
            check.verify(check.open_package(bytes(changed)), trusted)
    for size in range(0, len(data), 7):
        with pytest.raises(PackError):
            check.verify(check.open_package(data[:size]), trusted)


def test_another_key_is_refused(folder, capsys):
    pack.main(["make", "package.toml", "--key", "key.pem"])
    pack.main(["keygen", "other.pem"])
    assert run(capsys, "verify", "package.suit", "--key", "other.pub.pem")[::2] == (
        1,
        "pack: signature: not by one of the 1 keys\n",
    )
    assert run(capsys, "verify", "package.suit", "--key", "other.pub.pem", "--key", "key.pub.pem")[0] == 0


# ---- keys


def test_keys_are_listed_and_locked(folder, capsys):
    (folder / "word").write_text("open sesame\nnot this\n")
    assert run(capsys, "keygen", "locked.pem", "--passphrase-file", "word")[0] == 0
    assert stat.S_IMODE((folder / "locked.pem").stat().st_mode) == 0o600
    assert "ENCRYPTED" in (folder / "locked.pem").read_text()
    (folder / "key.pem").unlink()
    listed = run(capsys, "keys")[1].splitlines()
    assert listed[0].startswith("key: p256, ") and listed[0].endswith("public only")
    assert listed[2].startswith("locked: p256, ") and listed[2].endswith("private key here")
    assert bytes.fromhex(listed[3].strip()) == keys.raw(keys.public("locked.pub.pem"))
    make = "make", "package.toml", "--key", "locked.pem"
    assert run(capsys, *make, "--passphrase-file", "word")[0] == 0
    (folder / "word").write_text("wrong")
    assert run(capsys, *make, "--passphrase-file", "word")[0] == 1
    assert "locked.pem" in run(capsys, *make)[2]


def test_no_key_is_written_over(folder, capsys):
    before = (folder / "key.pem").read_bytes()
    status, _, error = run(capsys, "keygen", "key.pem")
    assert status == 1 and "key.pem: File exists" in error
    assert (folder / "key.pem").read_bytes() == before


def test_a_detached_signature_for_signed_update_firmware(folder, capsys):
    data = b"what is downloaded"
    (folder / "package.suit").write_bytes(data)
    assert run(capsys, "keygen", "maker.pem", "--kind", "rsa", "--name", "Maker")[0] == 0
    certificate = x509.load_pem_x509_certificate((folder / "maker.cert.pem").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=Maker"
    key = certificate.public_key()
    assert key.key_size == 2048
    for padding in keys.PADDINGS:
        assert run(capsys, "sign", "package.suit", "--key", "maker.pem", "--padding", padding)[0] == 0
        signature = (folder / "package.suit.sig").read_bytes().strip()
        keys.check_file(data, signature, key, padding)
        with pytest.raises(PackError):
            keys.check_file(data + b".", signature, key, padding)
    status, _, error = run(capsys, "sign", "package.suit", "--key", "key.pem")
    assert (status, error) == (1, "pack: key: key.pem is p256, allowed is rsa\n")


def test_a_key_of_another_kind_makes_no_package(folder, capsys):
    pack.main(["keygen", "maker.pem", "--kind", "rsa"])
    assert (
        run(capsys, "make", "package.toml", "--key", "maker.pem")[2] == "pack: key: maker.pem is rsa, allowed is p256\n"
    )
    public = keys.public("key.pub.pem").public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "public.pem").write_bytes(public)
    assert "key: public.pem" in run(capsys, "make", "package.toml", "--key", "public.pem")[2]


# ---- what a description must be

WRONG = {
    "sequence = 12": ("sequence = -1", "sequence: -1, allowed is a number from 0"),
    'version = "1.4.0"\n': ('version = "1.x"\n', "version: '1.x', allowed is 1.2.3"),
    'vendor = "ladepunkt.example"': ("", "vendor: None, allowed is a name or a UUID"),
    'order = ["router", "application"]': ('order = ["router"]', "allowed is each of application, router once"),
    "[components.router]": ("[components.rou-ter]", "order: "),
    'file = "router.img"': ('file = "nothing.img"', "components.router.file: 'nothing.img', there is no file"),
    'class = "unix"': ("class = 5", "components.application.class: 5, allowed is a name or a UUID"),
    'version = "2.1"': ("version = 2.1", "components.router.version: 2.1, allowed is 1.2.3"),
    '">= 2.0"': ('"~ 2.0"', "components.application.needs.router: '~ 2.0', allowed is one of >, >=, =, <=, <"),
    '">= 1.2"': ('">= one"', "components.application.needs.plc: 'one', allowed is 1.2.3"),
    'router = ">= 2.0"': ('router = ">= 3"', "components.router.version: [2, 1] is in the package"),
    'version = "1.4.0-rc.1"': ('version = "1.4"\ncolour = 1', "components.application.colour: not known, allowed are"),
    "needs = {": ("needs = [", "package.toml: "),
    'file = "application.romfs"': (
        'file = "application.romfs"\nuri = "file:///x"',
        "components.application.uri: 'file:///x', allowed is http://",
    ),
}


@pytest.mark.parametrize("right", WRONG)
def test_what_is_wrong_is_named(folder, capsys, right):
    wrong, text = WRONG[right]
    assert right in DESCRIPTION
    (folder / "package.toml").write_text(DESCRIPTION.replace(right, wrong))
    status, _, error = run(capsys, "make", "package.toml", "--key", "key.pem")
    assert status == 1
    assert text in error
    assert not (folder / "package.suit").exists()


def test_too_many_components(folder, capsys):
    needs = ", ".join(f'c{number} = "> 1"' for number in range(7))
    (folder / "package.toml").write_text(DESCRIPTION.replace('plc = [">= 1.2", "< 2"]', needs))
    assert (
        "components: 9 with those that are needed, allowed are 8"
        in run(capsys, "make", "package.toml", "--key", "key.pem")[2]
    )


@pytest.mark.parametrize("command", ["show", "verify"])
def test_what_is_no_package(folder, capsys, command):
    (folder / "page.html").write_text("<html></html>")
    words = ["--key", "key.pub.pem"] if command == "verify" else []
    assert run(capsys, command, "page.html", *words)[0] == 1
    assert "pack: package: gone: " in run(capsys, command, "gone", *words)[2]
