"""Packages with which the station updates itself and its components: makes, shows and verifies them, and their keys.

    python -m tools.pack keygen KEY.pem [--kind p256|rsa] [--passphrase-file FILE]
    python -m tools.pack keys [FOLDER]
    python -m tools.pack make DESCRIPTION.toml --key KEY.pem [--out PACKAGE.suit]
    python -m tools.pack show PACKAGE.suit
    python -m tools.pack verify PACKAGE.suit --key KEY.pub.pem [--key …]
    python -m tools.pack sign PACKAGE.suit --key RSA.pem [--padding pss|pkcs1]

`tools/packing/description.py` says what a description holds. `sign` writes PACKAGE.suit.sig, the signature that OCPP's
SignedUpdateFirmware carries; its signingCertificate is RSA.cert.pem. Exit status: 0, or 1 with the reason on stderr.
"""

import argparse
import sys
from pathlib import Path

from tools.packing import PackError, build, check, description, keys


def main(arguments=None):
    """Runs one command; returns the exit status."""
    words = parser().parse_args(arguments)
    try:
        for line in words.run(words):
            print(line)
    except PackError as error:
        print(f"pack: {error}", file=sys.stderr)
        return 1
    return 0


def parser():
    root = argparse.ArgumentParser(prog="pack", description=__doc__.splitlines()[0])
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    def command(run, **options):
        found = commands.add_parser(run.__name__, help=run.__doc__.splitlines()[0], **options)
        found.set_defaults(run=run)
        return found

    words = command(keygen)
    words.add_argument("path", metavar="KEY.pem")
    words.add_argument("--kind", default="p256", choices=keys.KINDS)
    words.add_argument("--passphrase-file", help="its first line locks the key")
    words.add_argument("--name", default="Ladepunkt firmware", help="common name of an RSA key's certificate")
    words = command(list_keys)
    words.add_argument("folder", nargs="?", default=".", metavar="FOLDER")
    words = command(make)
    words.add_argument("description", metavar="DESCRIPTION.toml")
    words.add_argument("--key", required=True, metavar="KEY.pem")
    words.add_argument("--passphrase-file", help="if the key is locked")
    words.add_argument("--out", metavar="PACKAGE.suit", help="DESCRIPTION.suit unless told")
    words = command(show)
    words.add_argument("package", metavar="PACKAGE.suit")
    words = command(verify)
    words.add_argument("package", metavar="PACKAGE.suit")
    words.add_argument("--key", required=True, action="append", metavar="KEY.pub.pem")
    words = command(sign)
    words.add_argument("package", metavar="PACKAGE.suit")
    words.add_argument("--key", required=True, metavar="RSA.pem")
    words.add_argument("--passphrase-file", help="if the key is locked")
    words.add_argument("--padding", default="pss", choices=keys.PADDINGS)
    return root


def keygen(words):
    """a new key"""
    passphrase = _passphrase(words)
    for path in keys.generate(words.path, words.kind, passphrase, words.name):
        yield f"written: {path}"


def list_keys(words):
    """the keys in a folder"""
    yield from keys.lines_of(words.folder)


list_keys.__name__ = "keys"


def make(words):
    """a package from its description, signed"""
    wanted = description.read(words.description)
    key = keys.private(words.key, "p256", _passphrase(words))
    data = build.build(wanted, keys.unlocked(key))
    opened = check.open_package(data)
    check.verify(opened, [key.public_key()])
    out = Path(words.out or Path(words.description).with_suffix(".suit"))
    out.write_bytes(data)
    yield from check.lines_of(opened)
    yield f"written: {out}, {len(data):,} bytes, signed by {keys.fingerprint(key.public_key())}"


def show(words):
    """what a package says, unverified"""
    yield from check.lines_of(check.open_package(_read(words.package)))


def verify(words):
    """is it whole, and signed by one of the keys?"""
    trusted = [keys.public(path) for path in words.key]
    for path, key in zip(words.key, trusted):
        if keys.kind_of(key) != "p256":
            raise PackError(f"key: {path} is {keys.kind_of(key)}, allowed is p256")
    opened = check.open_package(_read(words.package))
    signer = check.verify(opened, trusted)
    yield from check.lines_of(opened)
    yield f"verified: signed by {keys.fingerprint(signer)}"


def sign(words):
    """the detached RSA signature that SignedUpdateFirmware carries"""
    key = keys.private(words.key, "rsa", _passphrase(words))
    out = Path(words.package + ".sig")
    out.write_bytes(keys.sign_file(_read(words.package), key, words.padding) + b"\n")
    yield f"written: {out}; its signingCertificate is {Path(words.key).with_suffix('.cert.pem')}"


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PackError(f"package: {path}: {error.strerror}") from None


def _passphrase(words):
    if not words.passphrase_file:
        return None
    try:
        line = Path(words.passphrase_file).read_bytes().partition(b"\n")[0].rstrip(b"\r")
    except OSError as error:
        raise PackError(f"passphrase-file: {words.passphrase_file}: {error.strerror}") from None
    if not line:
        raise PackError(f"passphrase-file: {words.passphrase_file}, its first line is empty")
    return line


if __name__ == "__main__":
    sys.exit(main())
