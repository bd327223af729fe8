"""Keys: P-256 for packages, RSA with a certificate for OCPP's SignedUpdateFirmware. PEM files, PKCS #8.

A private key is NAME.pem, readable by its owner alone; beside it lies NAME.pub.pem, or NAME.cert.pem for RSA. The
station is given the public key of a package as 128 hexadecimal digits (x and y), which `lines_of` prints.
"""

import base64
import datetime
import hashlib
import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from tools.packing import PackError

KINDS = ("p256", "rsa")
RSA_BITS = 2048
PADDINGS = ("pss", "pkcs1")
_PEM = serialization.Encoding.PEM


def generate(path, kind, passphrase=None, name="Ladepunkt firmware", days=3650):
    """Writes a new key and what is public of it; the paths of both. Nothing is written over. Raises PackError."""
    path = Path(path)
    if path.suffix != ".pem" or path.name.endswith((".pub.pem", ".cert.pem")):
        raise PackError(f"key: {path}, allowed is a file NAME.pem")
    if kind == "p256":
        key = ec.generate_private_key(ec.SECP256R1())
        public = path.with_suffix(".pub.pem")
        text = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    elif kind == "rsa":
        key = rsa.generate_private_key(65537, RSA_BITS)
        public = path.with_suffix(".cert.pem")
        text = _self_signed(key, name, days).public_bytes(_PEM)
    else:
        raise PackError(f"kind: {kind!r}, allowed are {', '.join(KINDS)}")
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, lock)
    for file, content, mode in ((path, private, 0o600), (public, text, 0o644)):
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
                out.write(content)
        except OSError as error:
            raise PackError(f"key: {file}: {error.strerror}") from None
    return path, public


def _self_signed(key, name, days):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = x509.KeyUsage(True, *[False] * 8)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def private(path, kind, passphrase=None):
    """The private key in a file, of this kind. Raises PackError."""
    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), passphrase)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PackError(f"key: {path}: {error}") from None
    if kind_of(key.public_key()) != kind:
        raise PackError(f"key: {path} is {kind_of(key.public_key())}, allowed is {kind}")
    return key


def public(path):
    """The public key in a file: NAME.pub.pem or a certificate. Raises PackError."""
    try:
        data = Path(path).read_bytes()
        if b"CERTIFICATE" in data:
            return x509.load_pem_x509_certificate(data).public_key()
        return serialization.load_pem_public_key(data)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise PackError(f"key: {path}: {error}") from None


def kind_of(key):
    """p256, rsa, or what else a public key is."""
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa"
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return "p256"
    return type(key).__name__


def unlocked(key):
    """A private key as PEM without passphrase, for as long as it is used."""
    lock = serialization.NoEncryption()
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, lock)


def raw(key):
    """x and y of a P-256 key, 64 bytes: what the station is given."""
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return point[1:]


def fingerprint(key):
    """16 hexadecimal digits that name a public key."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, spki)).hexdigest()[:16]


def lines_of(folder):
    """Each key in a folder, as lines for people."""
    folder = Path(folder)
    if not folder.is_dir():
        raise PackError(f"keys: {folder}, allowed is a folder")
    for path in sorted([*folder.glob("*.pub.pem"), *folder.glob("*.cert.pem")]):
        key = public(path)
        kind = kind_of(key)
        name = path.name.rsplit(".", 2)[0]
        has = "private key here" if path.with_name(name + ".pem").exists() else "public only"
        yield f"{name}: {kind}, {fingerprint(key)}, {has}"
        if kind == "p256":
            yield f"  {raw(key).hex()}"


def sign_file(data, key, how="pss"):
    """The detached signature, base64, that SignedUpdateFirmware carries beside the location of the file."""
    return base64.b64encode(key.sign(data, _padding(how), hashes.SHA256()))


def check_file(data, signature, key, how="pss"):
    """Raises PackError unless `signature` (base64) is of `data`, by this RSA key."""
    try:
        key.verify(base64.b64decode(signature, validate=True), data, _padding(how), hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise PackError("signature: not by this certificate's key over this file") from None


def _padding(how):
    if how not in PADDINGS:
        raise PackError(f"padding: {how!r}, allowed are {', '.join(PADDINGS)}")
    if how == "pkcs1":
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
