"""What a package is to hold, from a file that a person writes. TOML, or JSON of the same shape:

sequence = 12                     higher than that of each package before; the station refuses a lower one
version = "1.4.0"                 of the set as a whole; optional
vendor = "ladepunkt.example"      a domain, from which the vendor's UUID is made, or a UUID
order = ["router", "application"] of installation

[components.router]
file = "router.img"               beside this file; read for its size and SHA-256, and put into the package
class = "router-r2"               a name, from which the UUID of this kind of device is made, or a UUID
version = "2.1.0"

[components.application]
file = "application.romfs"
uri = "https://…"                 optional: the station fetches it from there, it is not put into the package
class = "nucleo_h743zi"
vendor = "other.example"          optional, where it is not the package's
version = "1.4.0-rc.1"
needs = { router = ">= 2.0", plc = [">= 1.2", "< 2"] }   of components in the package and of others
"""

import json
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tools.packing import PackError

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

COMPONENTS, NAME, URI = 8, 32, 256  # limits of the station's reader
NUMBER_MOST, SEQUENCE_MOST = 0x3FFFFFFF, 2**63 - 1
STAGES = {"rc": -1, "beta": -2, "alpha": -3}
COMPARISONS = {">": "greater", ">=": "greater-equal", "=": "equal", "<=": "lesser-equal", "<": "lesser"}

_PACKAGE_KEYS = {"sequence", "version", "vendor", "order", "components"}
_COMPONENT_KEYS = {"file", "uri", "class", "vendor", "version", "needs"}
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-(rc|beta|alpha)(?:\.(\d+))?)?")
_NEED = re.compile(r"(>=|<=|>|<|=)\s*(\S+)")


@dataclass
class Part:
    """A component that is in the package. `vendor`, `class_id` UUIDs; `version` a list of integers."""

    name: str
    path: Path
    uri: str
    vendor: uuid.UUID
    class_id: uuid.UUID
    version: list
    integrated: bool


@dataclass
class Description:
    """`parts` in the order of installation; `needs`: name -> [(comparison, version)], of any component."""

    sequence: int
    version: list
    parts: list
    needs: dict = field(default_factory=dict)


def read(path):
    """The Description in a file. Raises PackError."""
    path = Path(path)
    try:
        text = path.read_text()
        words = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise PackError(f"{path}: {error}") from None
    return parse(words, path.parent)


def parse(words, folder):
    """The Description in a dict; files lie in `folder`. Raises PackError."""
    _known(words, _PACKAGE_KEYS, "")
    sequence = words.get("sequence")
    if type(sequence) is not int or not 0 <= sequence <= SEQUENCE_MOST:
        raise PackError(f"sequence: {sequence!r}, allowed is a number from 0 to {SEQUENCE_MOST}")
    components = words.get("components")
    if not isinstance(components, dict) or not components:
        raise PackError(f"components: {components!r}, allowed is one [components.NAME] or more")
    order = words.get("order", list(components))
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(components):
        raise PackError(f"order: {order!r}, allowed is each of {', '.join(components)} once")
    parts = [_part(name, components[name], words.get("vendor"), folder) for name in order]
    needs = {}
    for name in order:
        _add_needs(needs, name, components[name].get("needs", {}))
    for name, wanted in needs.items():
        for part in parts:
            if part.name == name:
                _check_own(part, wanted)
    everything = {part.name for part in parts} | set(needs)
    if len(everything) > COMPONENTS:
        raise PackError(f"components: {len(everything)} with those that are needed, allowed are {COMPONENTS}")
    version = version_of("version", words["version"]) if "version" in words else []
    return Description(sequence, version, parts, needs)


def version_of(key, text):
    """ "1.2.0-rc.1" as SUIT writes it: [1, 2, 0, -1, 1]."""
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise PackError(f"{key}: {text!r}, allowed is 1.2.3, with -rc, -beta or -alpha and a number behind if need be")
    *numbers, stage, count = match.groups()
    found = [int(number) for number in numbers if number is not None]
    if stage:
        found += [STAGES[stage]] + ([int(count)] if count else [])
    if max(found) > NUMBER_MOST:
        raise PackError(f"{key}: {text!r}, allowed are numbers up to {NUMBER_MOST}")
    return found


def fits(version, comparison, other):
    """Is [1, 2, 3] greater, … than `other`, as far as that says numbers?"""
    mine = (list(version) + [0] * len(other))[: len(other)]
    return {
        "greater": mine > other,
        "greater-equal": mine >= other,
        "equal": mine == other,
        "lesser-equal": mine <= other,
        "lesser": mine < other,
    }[comparison]


def uuid_of(key, value, namespace):
    """A UUID as it is, a name by way of RFC 9562 §5.5 (SHA-1) as SUIT recommends."""
    if not isinstance(value, str) or not value:
        raise PackError(f"{key}: {value!r}, allowed is a name or a UUID")
    try:
        return uuid.UUID(value)
    except ValueError:
        return uuid.uuid5(namespace, value)


def _part(name, words, vendor, folder):
    where = f"components.{name}"
    if not re.fullmatch(r"[!-~]{1,%d}" % NAME, name):
        raise PackError(f"{where}: allowed is a name of 1 to {NAME} printable characters")
    if not isinstance(words, dict):
        raise PackError(f"{where}: {words!r}, allowed is a table")
    _known(words, _COMPONENT_KEYS, where + ".")
    vendor = words.get("vendor", vendor)
    vendor_id = uuid_of(f"{where}.vendor" if "vendor" in words else "vendor", vendor, uuid.NAMESPACE_DNS)
    class_id = uuid_of(f"{where}.class", words.get("class"), vendor_id)
    if not isinstance(words.get("file"), str):
        raise PackError(f"{where}.file: {words.get('file')!r}, allowed is the path of a file")
    path = folder / words["file"]
    if not path.is_file():
        raise PackError(f"{where}.file: {words['file']!r}, there is no file {path}")
    uri = words.get("uri", "#" + name)
    if "uri" in words and not (
        isinstance(uri, str) and re.fullmatch(r"(https?|ftp)://[!-~]+", uri) and len(uri) <= URI
    ):
        raise PackError(f"{where}.uri: {uri!r}, allowed is http://, https:// or ftp://, up to {URI} characters")
    version = version_of(f"{where}.version", words.get("version"))
    return Part(name, path, uri, vendor_id, class_id, version, "uri" not in words)


def _add_needs(needs, name, words):
    where = f"components.{name}.needs"
    if not isinstance(words, dict):
        raise PackError(f"{where}: {words!r}, allowed is a table of names and versions")
    for other, texts in words.items():
        for text in texts if isinstance(texts, list) else [texts]:
            match = _NEED.fullmatch(text.strip()) if isinstance(text, str) else None
            if not match or not re.fullmatch(r"[!-~]{1,%d}" % NAME, other):
                signs = ", ".join(COMPARISONS)
                raise PackError(f"{where}.{other}: {text!r}, allowed is one of {signs} and a version")
            need = COMPARISONS[match[1]], version_of(f"{where}.{other}", match[2])
            if need not in needs.setdefault(other, []):
                needs[other].append(need)


def _check_own(part, wanted):
    """A package that contradicts itself would be refused by every station."""
    for comparison, version in wanted:
        if not fits(part.version, comparison, version):
            raise PackError(
                f"components.{part.name}.version: {part.version} is in the package, {comparison} {version} is needed"
            )


def _known(words, allowed, where):
    for key in words:
        if key not in allowed:
            raise PackError(f"{where}{key}: not known, allowed are {', '.join(sorted(allowed))}")
