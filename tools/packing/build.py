"""Makes a package from a Description: `taylor` writes and signs the SUIT manifest, `cbor2` adds the payloads.

taylor writes the parameters of one directive in the order of their names in its JSON, which is not that of CBOR's
deterministic encoding; the vendor's has a directive of its own for that.
"""

import hashlib

import cbor2
import taylor

from tools.packing import PackError

REPORT = 15  # reporting policy: everything


def build(description, key_pem):
    """The bytes of the package, signed by a private P-256 key (PEM, not encrypted). Raises PackError."""
    payloads = {part.name: part.path.read_bytes() for part in description.parts}
    try:
        signed = taylor.build_envelope(manifest_of(description, payloads), key_pem=key_pem)
    except taylor.TaylorError as error:
        raise PackError(f"taylor: {error}") from None
    envelope = dict(cbor2.loads(signed).value)
    for part in description.parts:
        if part.integrated:
            envelope[part.uri] = payloads[part.name]
    return cbor2.dumps(cbor2.CBORTag(107, envelope), canonical=True)


def manifest_of(description, payloads):
    """The manifest as taylor's JSON. What each section says is told in firmware/station/update/manifest.py."""
    names = [part.name for part in description.parts]
    names += [name for name in description.needs if name not in names]
    shared, install, validate = [], [], []
    for index, part in enumerate(description.parts):
        here = {"suit-directive-set-component-index": index}
        payload = payloads[part.name]
        digest = {"algorithm": "sha256", "digest": hashlib.sha256(payload).hexdigest()}
        shared += [
            here,
            _override({"vendor-id": str(part.vendor)}),
            _override({"class-id": str(part.class_id), "image-digest": digest, "image-size": len(payload)}),
            {"suit-condition-vendor-identifier": REPORT},
            {"suit-condition-class-identifier": REPORT},
        ]
        install += [
            here,
            _override({"uri": part.uri}),
            {"suit-directive-fetch": REPORT},
            {"suit-condition-image-match": REPORT},
        ]
        validate += [here, {"suit-condition-image-match": REPORT}, *_require("equal", part.version)]
    for name, needs in description.needs.items():
        validate.append({"suit-directive-set-component-index": names.index(name)})
        for comparison, version in needs:
            validate += _require(comparison, version)
    manifest = {
        "version": 1,
        "sequence-number": description.sequence,
        "suit-common": {
            "suit-components": [[name.encode().hex()] for name in names],
            "suit-shared-sequence": shared,
        },
        "sequence": {"payload-installation": install, "image-validation": validate},
    }
    if description.version:
        manifest["suit-set-version"] = description.version
    return manifest


def _override(parameters):
    return {"suit-directive-override-parameters": parameters}


def _require(comparison, version):
    match = {"comparison": comparison, "value": version}
    return [_override({"version": match}), {"suit-condition-version": REPORT}]
