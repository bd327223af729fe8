"""Who signed a manifest: the authentication wrapper of a SUIT envelope (draft-ietf-suit-manifest §8.3).

It holds the digest of the manifest and one COSE_Sign1 (RFC 9052 §4.2) over that digest, with ES256 and no payload of
its own. One signature, because a second one could be changed without anyone noticing. Keys are rotated on the side of
the station, which may trust several.
"""

import hashlib

from micropython import const

from station.crypto import p256
from station.update.cbor import STRING, Reader
from station.update.refused import FORMAT, SIGNATURE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

DIGEST = const(32)
SHA256 = const(-16)  # COSE algorithm, as a SUIT digest names it
_ES256 = const(-7)
_ALG, _KID = const(1), const(4)  # header parameters
_SIGN1 = const(18)  # tag
_CONTEXT = b"\x84\x6aSignature1"  # a Sig_structure: this, protected header, external data, payload


def read_digest(reader: Reader) -> memoryview:
    """The 32 bytes of a SUIT_Digest in a byte string, which must be one of SHA-256."""
    inner = reader.nested("digest")
    if inner.array() != 2:
        raise inner.error("a digest is [algorithm, bytes]")
    algorithm = inner.integer()
    if algorithm != SHA256:
        raise inner.error("digest algorithm %d, allowed is %d (SHA-256)" % (algorithm, SHA256))
    found = inner.string(DIGEST)
    inner.finish()
    return found


async def authenticate(wrapper: "bytes | memoryview", keys: "Sequence[bytes]") -> memoryview:
    """The digest that one of `keys` (P-256, x and y, 64 bytes each) has signed. Raises Refused, CborError."""
    reader = Reader(wrapper, "authentication wrapper")
    if reader.array() != 2:
        raise Refused(SIGNATURE, "a package has one signature, no more and no less")
    start = reader.at
    payload = reader.string()  # what is signed: the digest, encoded
    reader.at = start
    digest = read_digest(reader)
    block = reader.nested("signature")
    reader.finish()
    if block.tag() != _SIGN1 or block.array() != 4:
        raise Refused(FORMAT, "the signature is no COSE_Sign1")
    protected = block.string()
    _read_headers(Reader(protected, "protected header"), block)
    block.null()
    signature = block.string()
    block.finish()
    to_sign = hashlib.sha256(_CONTEXT)
    for part in (protected, b"", payload):
        to_sign.update(_string_head(len(part)))
        to_sign.update(part)
    hashed = to_sign.digest()
    for key in keys:
        if await p256.verify_async(key, hashed, signature):
            return digest
    raise Refused(SIGNATURE, "not by one of the %d keys that this station trusts" % len(keys))


def _read_headers(protected, unprotected):
    """The algorithm is protected; a name of the key may stand in either, nothing else."""
    algorithm = None
    for key in protected.map_keys():
        if key == _ALG:
            algorithm = protected.integer()
        elif key == _KID:
            protected.string()
        else:
            raise protected.error("header %d, allowed are 1 (alg) and 4 (kid)" % key)
    protected.finish()
    if algorithm != _ES256:
        raise Refused(SIGNATURE, "algorithm %s, allowed is %d (ES256)" % (algorithm, _ES256))
    for _ in unprotected.map_keys():
        # what is not signed could be changed, and no one needs it: keys are few and are tried
        raise unprotected.error("unprotected headers, none is allowed")


def _string_head(size):
    return bytes((STRING << 5 | size,)) if size < 24 else bytes((STRING << 5 | 24, size))
