"""Judges a package on the host, by `cbor2` and `cryptography` alone: neither what made it nor the board's reader.

`open_package` takes it apart, `verify` says whether it is whole and who signed it.
"""

import hashlib
from dataclasses import dataclass, field

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tools.packing import PackError
from tools.packing.description import COMPARISONS, STAGES

_SIGNS = list(COMPARISONS)
_SHARED, _INSTALL, _VALIDATE = 4, 20, 7


@dataclass
class Entry:
    """A component as the manifest tells of it; `needs`: [(comparison 1 to 5, version)]."""

    name: str
    parameters: dict = field(default_factory=dict)
    needs: list = field(default_factory=list)
    fetched: bool = False

    @property
    def version(self):
        """The one it brings, None if it is not in the package."""
        return next((version for sign, version in self.needs if sign == 3), None) if self.fetched else None


@dataclass
class Opened:
    """A package taken apart; nothing of it has been verified."""

    digest: bytes
    signed: bytes  # the COSE structure that the signature is over
    signature: bytes
    manifest: bytes
    sequence: int
    version: list
    entries: list
    order: list
    payloads: dict


def open_package(data):
    """Raises PackError if it is not built as the station wants it."""
    try:
        return _open(data)
    except (cbor2.CBORDecodeError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise PackError(f"not a package: {type(error).__name__}: {error}") from None


def _open(data):
    envelope = _decode(data)
    if envelope.tag != 107:
        raise PackError(f"tag {envelope.tag}, a SUIT envelope has 107")
    members = dict(envelope.value)
    payload, block = _decode(members.pop(2))
    algorithm, digest = _decode(payload)
    sign1 = _decode(block)
    protected, unprotected, detached, signature = sign1.value
    if (algorithm, sign1.tag, _decode(protected), unprotected, detached) != (-16, 18, {1: -7}, {}, None):
        raise PackError("signature: allowed is a COSE_Sign1 with ES256 over a SHA-256 digest")
    manifest = members.pop(3)
    sections = _decode(manifest)
    common = _decode(sections[3])
    entries = [Entry(bytes(part).decode() if len(path) == 1 else str(path)) for path in common[2] for part in path[:1]]
    order = []
    for commands in (common[_SHARED], sections[_INSTALL], sections[_VALIDATE]):
        _run(_decode(commands), entries, order)
    version = list(_decode(sections[6])) if 6 in sections else []
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    return Opened(digest, signed, signature, manifest, sections[2], version, entries, order, members)


def _run(commands, entries, order):
    at = entries[0]
    for command, argument in zip(commands[::2], commands[1::2]):
        if command == 12:
            at = entries[argument]
        elif command == 20:
            at.parameters.update(argument)
        elif command == 21:
            at.fetched = True
            order.append(at)
        elif command == 28:
            sign, version = _decode(at.parameters[28])
            at.needs.append((sign, list(version)))
        elif command not in (1, 2, 3):
            raise PackError(f"command {command} is not one that the station takes")


def _decode(data):
    """One item and no byte more, in the encoding that is the only one."""
    value = cbor2.loads(data)
    if cbor2.dumps(value, canonical=True) != data:
        raise PackError("the encoding is not deterministic, or bytes follow")
    return value


def verify(opened, keys):
    """The public key, of `keys`, that signed; every digest and size is compared. Raises PackError."""
    if len(opened.signature) != 64:
        raise PackError(f"signature: {len(opened.signature)} bytes, allowed are 64")
    r, s = (int.from_bytes(half, "big") for half in (opened.signature[:32], opened.signature[32:]))
    signature = utils.encode_dss_signature(r, s)
    for key in keys:
        try:
            key.verify(signature, opened.signed, ec.ECDSA(hashes.SHA256()))
            break
        except InvalidSignature:
            continue
    else:
        raise PackError(f"signature: not by one of the {len(keys)} keys")
    if hashlib.sha256(cbor2.dumps(opened.manifest)).digest() != opened.digest:
        raise PackError("manifest: its digest is not the one that was signed")
    left = dict(opened.payloads)
    for entry in opened.order:
        uri = entry.parameters[21]
        if uri.startswith("#"):
            if uri not in left:
                raise PackError(f"{entry.name}: its payload {uri} is missing")
            compare(entry, left.pop(uri))
    if left:
        raise PackError(f"payloads that are not signed: {', '.join(map(str, left))}")
    return key


def compare(entry, payload):
    """Is this the payload that was signed? Raises PackError."""
    algorithm, digest = _decode(entry.parameters[3])
    if algorithm != -16 or len(payload) != entry.parameters[14] or hashlib.sha256(payload).digest() != digest:
        raise PackError(f"{entry.name}: the payload is not what was signed")


def version_text(version):
    """[1, 2, 0, -1, 1] for people: 1.2.0-rc.1."""
    names = {number: name for name, number in STAGES.items()}
    return "".join(f"-{names[n]}" if n < 0 else f".{n}" for n in version).lstrip(".")


def lines_of(opened):
    """What a person wants to know of a package, as lines."""
    yield f"sequence {opened.sequence}" + (f", version {version_text(opened.version)}" if opened.version else "")
    for number, entry in enumerate(opened.order, 1):
        uri = entry.parameters[21]
        place = "in the package" if uri.startswith("#") else uri
        yield f"{number}. {entry.name} {version_text(entry.version)}, {entry.parameters[14]:,} bytes, {place}"
        yield f"   vendor {entry.parameters[1].hex()}, class {entry.parameters[2].hex()}"
        yield f"   SHA-256 {_decode(entry.parameters[3])[1].hex()}"
    for entry in opened.entries:
        brought = [(3, entry.version)] if entry.fetched else []
        needs = [f"{_SIGNS[sign - 1]} {version_text(v)}" for sign, v in entry.needs if (sign, v) not in brought]
        if needs:
            yield f"needs {entry.name} {', '.join(needs)}"
