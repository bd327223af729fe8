"""Packages that the tool makes, read by the board inside MicroPython: what fits is taken, all else is refused.

Nothing is handed to the sink before the signature, the manifest and the station have been found to agree.
"""

import base64
import hashlib
import uuid

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from update_peer import Board

from tools.packing import build, check, description, keys

VENDOR = uuid.uuid5(uuid.NAMESPACE_DNS, "ladepunkt.example")
CLASSES = {"application": "unix", "router": "router-r2", "plc": "plc-1"}
KEY = ec.derive_private_key(0x1ADE, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(0xBAD, ec.SECP256R1())
FILES = {"application": bytes(range(256)) * 3, "router": b"router" * 2_000, "plc": b""}
SIGNS = {name: number for number, name in enumerate(description.COMPARISONS.values(), 1)}


@pytest.fixture(scope="module")
def board():
    found = Board()
    yield found
    found.close()


@pytest.fixture
def words(tmp_path):
    """A description of two components, of which one needs the other and a third."""
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    parts = {
        "application": {
            "file": "application",
            "class": CLASSES["application"],
            "version": "1.4.0-rc.1",
            "needs": {"router": ">= 2.0", "plc": [">= 1.2", "< 2"]},
        },
        "router": {"file": "router", "class": CLASSES["router"], "version": "2.1"},
    }
    return {
        "sequence": 12,
        "version": "1.4.0",
        "vendor": "ladepunkt.example",
        "order": ["router", "application"],
        "components": parts,
    }


def made(words, folder, key=KEY):
    return build.build(description.parse(words, folder), keys.unlocked(key))


def station(trusted=(KEY,), sequence=12, **changes):
    """What `update_script.py` wants to know of a station; `changes`: component -> (place, value)."""
    versions = {"application": [1, 3, 9], "router": [1, 9], "plc": [1, 2]}
    inventory = {name: [VENDOR.hex, uuid.uuid5(VENDOR, CLASSES[name]).hex, versions[name], 200_000] for name in CLASSES}
    for name, change in changes.items():
        if change is None:
            del inventory[name]
        else:
            inventory[name][change[0]] = change[1]
    return {"keys": [keys.raw(key.public_key()).hex() for key in trusted], "sequence": sequence, "inventory": inventory}


@pytest.mark.parametrize("piece", [1, 7, 512, 10**6])
def test_a_package_is_taken_in_pieces_of_any_size(board, words, tmp_path, piece):
    data = made(words, tmp_path)
    answer = board.ask("take", station((OTHER_KEY, KEY)), data.hex(), piece)
    assert answer["reason"] is None, answer["text"]
    assert answer["sink"] == {name: hashlib.sha256(FILES[name]).hexdigest() for name in ("application", "router")}
    manifest = answer["manifest"]
    assert (manifest["sequence"], manifest["version"]) == (12, [1, 4, 0])
    assert manifest["order"] == [
        ["router", [2, 1], 12_000, answer["sink"]["router"], "#router"],
        ["application", [1, 4, 0, -1, 1], 768, answer["sink"]["application"], "#application"],
    ]
    assert manifest["needs"]["plc"] == [[SIGNS["greater-equal"], [1, 2]], [SIGNS["lesser"], [2]]]


def test_a_payload_may_be_elsewhere_and_another_empty(board, words, tmp_path):
    words["components"]["router"]["uri"] = "https://files.example/router.img?v=2"
    words["components"]["plc"] = {"file": "plc", "class": "plc-1", "version": "1.9"}
    words["order"].append("plc")
    answer = board.ask("take", station(), made(words, tmp_path).hex(), 100)
    assert answer["reason"] is None, answer["text"]
    assert answer["bytes"] == len(FILES["application"])
    assert [row[4] for row in answer["manifest"]["order"]] == [
        words["components"]["router"]["uri"],
        "#application",
        "#plc",
    ]


def test_the_host_and_the_board_read_the_same(board, words, tmp_path):
    data = made(words, tmp_path)
    opened = check.open_package(data)
    assert check.verify(opened, [OTHER_KEY.public_key(), KEY.public_key()]) == KEY.public_key()
    manifest = board.ask("take", station(), data.hex(), 4096)["manifest"]
    assert [[e.name, e.version, e.parameters[14]] for e in opened.order] == [row[:3] for row in manifest["order"]]
    assert {e.name: [[sign, v] for sign, v in e.needs] for e in opened.entries} == manifest["needs"]


@pytest.mark.parametrize("padding", keys.PADDINGS)
def test_the_board_verifies_what_signs_a_whole_file(board, tmp_path, padding):
    private, _ = keys.generate(tmp_path / "maker.pem", "rsa")
    key = keys.private(private, "rsa")
    numbers = key.public_key().public_numbers()
    signature = base64.b64decode(keys.sign_file(b"package", key, padding)).hex()
    salt = 32 if padding == "pss" else -1
    for message, right in ((b"package", True), (b"packagE", False)):
        assert board.ask("rsa", f"{numbers.n:x}", f"{numbers.e:x}", salt, message.hex(), signature) is right


STATIONS = {
    "another key": (station((OTHER_KEY,)), "Signature", "1 keys"),
    "no key": (station(()), "Signature", "0 keys"),
    "older": (station(sequence=13), "Sequence", "12, this station has had 13"),
    "no such component": (station(plc=None), "Component", "plc, this station has application, router"),
    "no such component to install": (station(router=None), "Component", "router"),
    "another vendor": (station(router=(0, "00" * 16)), "Vendor", "router"),
    "another class": (station(application=(1, "00" * 16)), "Class", "application"),
    "too large": (station(router=(3, 11_999)), "Size", "12000 bytes, allowed are 11999"),
    "the other one is too old": (station(plc=(2, [1, 1, 9])), "Version", "plc must be >= 1.2, and would be 1.1.9"),
    "the other one is too new": (station(plc=(2, [2])), "Version", "plc must be < 2, and would be 2"),
    "a release candidate of the other": (station(plc=(2, [1, 2, 0, -1])), None, None),
    "a release candidate of what is needed": (station(plc=(2, [1, 2, -1])), None, None),
    "another release candidate": (station(plc=(2, [1, 1, 9, -1])), "Version", "would be 1.1.9-rc"),
}


@pytest.mark.parametrize("name", STATIONS)
def test_what_does_not_fit_the_station_is_refused_before_the_sink_has_a_byte(board, words, tmp_path, name):
    where, reason, text = STATIONS[name]
    answer = board.ask("take", where, made(words, tmp_path).hex(), 1000)
    assert answer["reason"] == reason
    if reason:
        assert text in answer["text"]
        assert (answer["bytes"], answer["manifest"]) == (0, None)


# ---- changed, cut off, gone on


@pytest.fixture
def small(words, tmp_path):
    """A package of a few hundred bytes with two payloads, and where the first one begins."""
    words["components"]["router"]["file"] = "plc2"
    (tmp_path / "plc2").write_bytes(b"router 2.1")
    (tmp_path / "application").write_bytes(b"application 1.4")
    data = made(words, tmp_path)
    first = data.index(b"router 2.1")
    return data, first, data.index(b"application 1.4")


def test_each_changed_byte_is_refused(board, small):
    data, first, second = small
    spans = [range(first, first + 10), range(second, second + 15)]
    rows = board.ask("mutate", station(), data.hex(), [0x01, 0x80])
    assert len(rows) == 2 * len(data)
    for at, way, reason, sunk in rows:
        assert reason, f"byte {at} ^ {way:#x} was taken"
        if at < first:
            assert not sunk, f"byte {at} ^ {way:#x}: refused as {reason} after {sunk} bytes"
        if any(at in span for span in spans):
            assert reason == "Digest", at


def test_each_truncation_is_refused(board, small):
    data, first, _ = small
    rows = board.ask("truncate", station(), data.hex())
    assert len(rows) == len(data)
    for size, reason, sunk in rows:
        assert reason == "Truncated", size
        assert sunk <= max(0, size - first)


def test_what_follows_is_refused(board, small):
    answer = board.ask("take", station(), (small[0] + b"\x00").hex(), 10**6)
    assert answer["reason"] == "Trailing"


# ---- signed by us, and still not what the station takes


def signed(manifest, payloads=(), block=None):
    """An envelope around `manifest` (sections that are not yet encoded), signed with KEY."""
    return sealed(cbor2.dumps({key: section(key, value) for key, value in manifest.items()}), payloads, block)


def section(key, value):
    """Common and command sequences are wrapped into byte strings."""
    if key == 3:
        value = {name: cbor2.dumps(inner) if name == 4 else inner for name, inner in sorted(value.items())}
    return cbor2.dumps(value) if key in (3, 6, 7, 20) else value


def sealed(manifest, payloads=(), block=None):
    digest = hashlib.sha256(cbor2.dumps(manifest)).digest()
    payload = cbor2.dumps([-16, digest])
    protected = cbor2.dumps({1: -7})
    r, s = utils.decode_dss_signature(
        KEY.sign(cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA256()))
    )
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    sign1 = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, None, signature]))
    wrapper = cbor2.dumps(block(payload, sign1) if block else [payload, sign1])
    return cbor2.dumps(cbor2.CBORTag(107, {2: wrapper, 3: manifest, **dict(payloads)}))


def plain():
    """A manifest as the tool would write it, of one component, taken apart."""
    digest = cbor2.dumps([-16, hashlib.sha256(b"new").digest()])
    version = cbor2.dumps([3, [1, 4]])
    ids = {1: VENDOR.bytes, 2: uuid.uuid5(VENDOR, "unix").bytes, 3: digest, 14: 3}
    return {
        1: 1,
        2: 12,
        3: {2: [[b"application"]], 4: [12, 0, 20, ids, 1, 15, 2, 15]},
        7: [3, 15, 20, {28: version}, 28, 15],
        20: [20, {21: "#application"}, 21, 15, 3, 15],
    }


PAYLOAD = [("#application", b"new")]


def test_the_plain_one_is_taken(board):
    answer = board.ask("take", station(), signed(plain(), PAYLOAD).hex(), 64)
    assert (answer["reason"], answer["bytes"]) == (None, 3), answer


def changed(change):
    manifest = plain()
    change(manifest)
    return manifest


def _drop(sequence, *pairs):
    """A command sequence without these commands."""
    left = [pair for pair in zip(sequence[::2], sequence[1::2]) if pair[0] not in pairs]
    return [word for pair in left for word in pair]


UNKNOWN = [4, 5, 6, 13, 14, 15, 18, 19, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 99, -1]
MANIFESTS = {
    **{
        f"command {code} in {key}": (lambda m, key=key, code=code: m[key].extend([code, 15]), "Command", str(code))
        for code in UNKNOWN
        for key in (7, 20)
    },
    **{
        f"command {code} in the shared sequence": (
            lambda m, code=code: m[3][4].extend([code, 15]),
            "Command",
            f"command {code} in shared sequence",
        )
        for code in [3, 21, 28, *UNKNOWN]
    },
    **{
        f"section {key}": (lambda m, key=key: m.update({key: b""}), "Command", f"section {key}")
        for key in (5, 8, 9, 15, 16, 18, 24, 99)
    },
    "parameter 24": (lambda m: m[3][4].extend([20, {24: bytes(16)}]), "Command", "parameter 24"),
    "parameter 19": (lambda m: m[20].extend([20, {19: b""}]), "Command", "parameter 19"),
    "a URI in shared": (lambda m: m[3][4].extend([20, {21: "#x"}]), "Command", "parameter 21"),
    "another digest in install": (lambda m: m[20].extend([20, {3: b""}]), "Command", "parameter 3"),
    "a second digest": (lambda m: m[3][4].extend([20, {3: m[3][4][3][3]}]), "Format", "second value"),
    "a second vendor": (lambda m: m[3][4].extend([20, {1: bytes(16)}]), "Format", "second value"),
    "all components at once": (lambda m: m[3][4].extend([12, True]), "Command", "component index"),
    "a component that is not there": (lambda m: m[3][4].extend([12, 1]), "Format", "component 1 of 1"),
    "dependencies": (lambda m: m[3].update({1: {}}), "Command", "section 1 of common"),
    "version 2": (lambda m: m.update({1: 2}), "Format", "manifest version 2"),
    "no version": (lambda m: m.pop(1), "Format", "manifest version"),
    "no sequence number": (lambda m: m.pop(2), "Format", "no sequence number"),
    "no install": (lambda m: m.pop(20), "Format", "no section install"),
    "no validate": (lambda m: m.pop(7), "Format", "no section validate"),
    "no shared sequence": (lambda m: m[3].pop(4), "Format", "no shared sequence"),
    "no vendor condition": (lambda m: m[3].update({4: _drop(m[3][4], 1)}), "Format", "without its condition"),
    "no class condition": (lambda m: m[3].update({4: _drop(m[3][4], 2)}), "Format", "without its condition"),
    "no digest": (lambda m: m[3][4][3].pop(3), "Format", "needs vendor"),
    "no size": (lambda m: m[3][4][3].pop(14), "Format", "needs vendor"),
    "no image match": (lambda m: (m.update({7: _drop(m[7], 3)}), m.update({20: _drop(m[20], 3)})), "Format", "a check"),
    "no version of it": (lambda m: m.update({7: [3, 15]}), "Format", "no version"),
    "a condition without a version": (lambda m: m[7].extend([28, 15]), "Command", "without a version"),
    "a version without a condition": (lambda m: m.update({7: m[7][:-2]}), "Format", "without its condition"),
    "fetched twice": (lambda m: m[20].extend([21, 15]), "Command", "fetched twice"),
    "fetched from nowhere": (lambda m: m.update({20: [21, 15, 3, 15]}), "Command", "from nowhere"),
    "a command without argument": (lambda m: m[20].append(21), "Format", "in pairs"),
    "no commands": (lambda m: m.update({20: []}), "Format", "in pairs"),
    "a strange policy": (lambda m: m[20].extend([3, 16]), "Format", "policy 16"),
    "no components": (lambda m: m[3].update({2: []}), "Component", "0 components"),
    "too many components": (lambda m: m[3].update({2: [[b"%d" % i] for i in range(9)]}), "Component", "9 components"),
    "a component twice": (lambda m: m[3].update({2: [[b"application"]] * 2}), "Component", "comes twice"),
    "a component that nothing is said of": (lambda m: m[3][2].append([b"plc"]), "Format", "plc: neither"),
    "an identifier of two": (lambda m: m[3].update({2: [[b"a", b"b"]]}), "Format", "one byte string"),
    "an identifier that does not print": (lambda m: m[3].update({2: [[b"a\n"]]}), "Format", "printable"),
    "an empty identifier": (lambda m: m[3].update({2: [[b""]]}), "Format", "printable"),
    "SHA-512": (lambda m: m[3][4][3].update({3: cbor2.dumps([-44, bytes(64)])}), "Format", "digest algorithm -44"),
    "a short digest": (lambda m: m[3][4][3].update({3: cbor2.dumps([-16, bytes(31)])}), "Format", "31 bytes"),
    "a short UUID": (lambda m: m[3][4][3].update({1: bytes(15)}), "Format", "15 bytes"),
    "a huge size": (lambda m: m[3][4][3].update({14: 2**64 - 1}), "Size", "18446744073709551615"),
    "a negative size": (lambda m: m[3][4][3].update({14: -1}), "Format", "unsigned"),
    "a large manifest": (lambda m: m.update({23: bytes(4096)}), "Size", "manifest"),
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_signed_manifest_that_is_not_understood_is_refused(board, name):
    change, reason, text = MANIFESTS[name]
    manifest = dict(sorted(changed(change).items()))
    answer = board.ask("take", station(), signed(manifest, PAYLOAD).hex(), 10**6)
    assert (answer["reason"], answer["bytes"], answer["manifest"]) == (reason, 0, None), answer
    assert text in answer["text"]


@pytest.mark.parametrize("extra", [{4: "https://files.example"}, {14: b"coswid"}, {23: b"text"}, {6: [1, 4]}])
def test_what_only_informs_does_no_harm(board, extra):
    manifest = dict(sorted({**plain(), **extra}.items()))
    assert board.ask("take", station(), signed(manifest, PAYLOAD).hex(), 64)["reason"] is None


ENVELOPES = {
    "no payload": (lambda: signed(plain()), "Format", "0 payloads in the package, 1 are signed"),
    "another payload": (lambda: signed(plain(), [("#other", b"new")]), "Format", "not signed"),
    "one payload more": (lambda: signed(plain(), [*PAYLOAD, ("#other-part-of-it", b"")]), "Format", "2 payloads"),
    "a longer payload": (lambda: signed(plain(), [("#application", b"news")]), "Size", "has 4 bytes, 3 were signed"),
    "no tag": (lambda: signed(plain(), PAYLOAD)[2:], "Format", "not a SUIT envelope"),
    "HTML": (lambda: b"<!DOCTYPE html><html></html>", "Format", "not a SUIT envelope"),
    "two signatures": (lambda: signed(plain(), PAYLOAD, lambda p, s: [p, s, s]), "Signature", "one signature"),
    "no signature": (lambda: signed(plain(), PAYLOAD, lambda p, s: [p]), "Signature", "one signature"),
    "a severed section": (lambda: signed(plain(), [(20, b"x")]), "Format", "in this order"),
    "keys not sorted": (lambda: sealed(b"\xa2\x02\x0c\x01\x01"), "Format", "not in order"),
    "a manifest that is not CBOR": (lambda: sealed(b"\xff"), "Format", "manifest, byte 0"),
    "an empty manifest": (lambda: sealed(b""), "Format", "without bytes"),
    "another manifest": (lambda: signed(plain(), PAYLOAD).replace(b"\x02\x0c\x03", b"\x02\x0d\x03"), "Digest", "mani"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_that_is_not_whole_is_refused(board, name):
    make, reason, text = ENVELOPES[name]
    answer = board.ask("take", station(), make().hex(), 10**6)
    assert (answer["reason"], answer["bytes"]) == (reason, 0), answer
    assert text in answer["text"]
