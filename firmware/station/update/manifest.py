"""What a package says about itself: a SUIT manifest (draft-ietf-suit-manifest §8.4), read whole before it is obeyed.

    manifest = Manifest(data)      raises Refused (COMMAND, FORMAT), CborError
    manifest.sequence_number, .version, .components, .order

SUIT manifests are small programs. Of these, ours is the kind that only declares, so that all of it can be judged
before anything happens. Each command beyond the following is refused:

    shared sequence   which vendor and class each component is for, its size and SHA-256 (parameters 1, 2, 3, 14;
                      conditions 1, 2)
    install           fetch each payload from its URI and check it (parameter 21; directive 21, condition 3).
                      The order of the fetches is the order of installation. "#name": it is in the envelope
    validate          what is true of the station once all is installed: the version of each component that is in the
                      package (the first "equal"), and what the others must have (parameter 28, conditions 3, 28)

Memory: the components, a few of them; digests and identifiers are views of `data`, which must stay.
"""

from micropython import const

from station.update import version
from station.update.cbor import UINT, Reader
from station.update.cose import read_digest
from station.update.refused import COMMAND, COMPONENT, FORMAT, Refused

COMPONENTS = const(8)  # at most
NAME = const(32)  # bytes of a component's identifier, at most
URI = const(256)  # bytes, at most
CONDITIONS = const(16)  # on versions, at most, of one component

_VERSION = const(1)  # members of the manifest
_SEQUENCE = const(2)
_COMMON = const(3)
_REFERENCE = const(4)
_SET_VERSION = const(6)
_VALIDATE = const(7)
_COSWID = const(14)
_INSTALL = const(20)
_TEXT = const(23)
_IDENTIFIERS = const(2)  # of common
_SHARED = const(4)
_VENDOR = const(1)  # parameters
_CLASS = const(2)
_DIGEST = const(3)
_SIZE = const(14)
_URI = const(21)
_MATCH = const(28)
_IF_VENDOR = const(1)  # conditions and directives
_IF_CLASS = const(2)
_IF_IMAGE = const(3)
_SET_INDEX = const(12)
_OVERRIDE = const(20)
_FETCH = const(21)
_IF_VERSION = const(28)
_UUID = const(16)
_POLICY_MOST = const(15)  # four bits: what to report; we report everything

# section -> (its name, the parameters that it may set, the commands that it may have beside 12 and 20)
_ALLOWED = {
    _SHARED: ("shared sequence", (_VENDOR, _CLASS, _DIGEST, _SIZE), (_IF_VENDOR, _IF_CLASS)),
    _INSTALL: ("install", (_URI,), (_FETCH, _IF_IMAGE)),
    _VALIDATE: ("validate", (_MATCH,), (_IF_IMAGE, _IF_VERSION)),
}


class Component:
    """One component as the manifest tells of it. Without `uri` it is not in the package, only something is asked of it.

    `name` its identifier; `vendor`, `class_id` UUIDs of 16 bytes; `digest` SHA-256; `size` in bytes; `needs` pairs
    (comparison, version) that must be true in the end, `version` the one that it brings.
    """

    def __init__(self, name: str):
        self.name = name
        self.vendor: "memoryview | None" = None
        self.class_id: "memoryview | None" = None
        self.digest: "memoryview | None" = None
        self.size = -1
        self.uri = ""
        self.version: "tuple[int, ...]" = ()
        self.needs: "list[tuple[int, tuple[int, ...]]]" = []
        self.match: "tuple[int, tuple[int, ...]] | None" = None  # the parameter that is set at the moment
        self.checked = 0  # bits: vendor, class and image have been asked for

    @property
    def integrated(self) -> bool:
        """Its payload is in the envelope."""
        return self.uri.startswith("#")


class Manifest:
    """`order`: the components that are in the package, as they are to be installed; `components`: all of them."""

    def __init__(self, data: "bytes | memoryview"):
        self.sequence_number = -1
        self.version: "tuple[int, ...]" = ()  # of the set as a whole
        self.components: "list[Component]" = []
        self.order: "list[Component]" = []
        reader = Reader(data, "manifest")
        sections: "dict[int, Reader]" = {}
        format_version = -1
        for key in reader.map_keys():
            if key == _VERSION:
                format_version = reader.uint()
            elif key == _SEQUENCE:
                self.sequence_number = reader.uint()
            elif key == _COMMON:
                self._read_common(reader.nested("common"))
            elif key == _REFERENCE:
                reader.text()
            elif key == _SET_VERSION:
                inner = reader.nested("set version")
                self.version = version.read(inner)
                inner.finish()
            elif key in (_VALIDATE, _INSTALL):
                sections[key] = reader.nested(_ALLOWED[key][0])
            elif key in (_TEXT, _COSWID):
                reader.skip()  # for people and inventories; what they say is signed, and nothing is done by it
            else:
                raise Refused(COMMAND, "section %d of the manifest is not known" % key)
        reader.finish()
        if format_version != 1:
            raise Refused(FORMAT, "manifest version %d, allowed is 1" % format_version)
        if self.sequence_number < 0:
            raise Refused(FORMAT, "no sequence number")
        for key in (_INSTALL, _VALIDATE):
            if key not in sections:
                raise Refused(FORMAT, "no section %s" % _ALLOWED[key][0])
            self._run(sections[key], key)
        for component in self.components:
            self._complete(component)

    def _read_common(self, reader):
        shared = None
        for key in reader.map_keys():
            if key == _IDENTIFIERS:
                self._read_identifiers(reader)
            elif key == _SHARED:
                shared = reader.nested(_ALLOWED[_SHARED][0])
            else:
                raise Refused(COMMAND, "section %d of common is not known" % key)
        reader.finish()
        if not self.components or shared is None:
            raise Refused(FORMAT, "common has no components or no shared sequence")
        self._run(shared, _SHARED)

    def _read_identifiers(self, reader):
        count = reader.array()
        if not 1 <= count <= COMPONENTS:
            raise Refused(COMPONENT, "%d components, allowed 1 to %d" % (count, COMPONENTS))
        for _ in range(count):
            if reader.array() != 1:
                raise reader.error("an identifier is one byte string")
            data = bytes(reader.string())
            if not 1 <= len(data) <= NAME or min(data) < 0x21 or max(data) > 0x7E:
                raise reader.error("an identifier is 1 to %d printable characters" % NAME)
            name = data.decode()
            for component in self.components:
                if component.name == name:
                    raise Refused(COMPONENT, "%s comes twice" % name)
            self.components.append(Component(name))

    def _run(self, reader, section):
        """Takes a command sequence for what it declares. Each begins at component 0 (§6.4)."""
        name, _, commands = _ALLOWED[section]
        count = reader.array()
        if not count or count & 1:
            raise reader.error("commands come in pairs")
        component = self.components[0]
        for _ in range(count // 2):
            command = reader.integer()
            if command == _SET_INDEX:
                component = self._indexed(reader)
            elif command == _OVERRIDE:
                self._set(reader, component, section)
            elif command in commands:
                policy = reader.uint()
                if policy > _POLICY_MOST:
                    raise reader.error("reporting policy %d, allowed 0 to %d" % (policy, _POLICY_MOST))
                self._command(command, component)
            else:
                raise Refused(COMMAND, "command %d in %s is not known" % (command, name))
        reader.finish()

    def _indexed(self, reader):
        if reader.peek() != UINT:
            raise Refused(COMMAND, "a component index that is not a number is not known")
        index = reader.uint()
        if index >= len(self.components):
            raise reader.error("component %d of %d" % (index, len(self.components)))
        return self.components[index]

    def _set(self, reader, component, section):
        name, parameters, _ = _ALLOWED[section]
        for key in reader.map_keys():
            if key not in parameters:
                raise Refused(COMMAND, "parameter %d in %s is not known" % (key, name))
            if key == _VENDOR:
                _first(reader, component.vendor is None)
                component.vendor = reader.string(_UUID)
            elif key == _CLASS:
                _first(reader, component.class_id is None)
                component.class_id = reader.string(_UUID)
            elif key == _DIGEST:
                _first(reader, component.digest is None)
                component.digest = read_digest(reader)
            elif key == _SIZE:
                _first(reader, component.size < 0)
                component.size = reader.uint()
            elif key == _URI:
                self._set_uri(reader, component)
            else:
                _first(reader, component.match is None)
                component.match = _read_match(reader.nested("version match"))

    def _set_uri(self, reader, component):
        _first(reader, not component.uri)
        uri = reader.text()
        if not 2 <= len(uri) <= URI or not all([0x21 <= ord(letter) <= 0x7E for letter in uri]):
            raise reader.error("a URI is 2 to %d printable characters" % URI)
        for other in self.components:
            if other.uri == uri:
                raise reader.error("the URI of %s" % other.name)
        component.uri = uri

    def _command(self, command, component):
        if command == _FETCH:
            if component in self.order or not component.uri:
                raise Refused(COMMAND, "%s is fetched twice, or from nowhere" % component.name)
            self.order.append(component)
        elif command == _IF_VERSION:
            if component.match is None:
                raise Refused(COMMAND, "a condition on the version of %s without a version" % component.name)
            if len(component.needs) >= CONDITIONS:
                raise Refused(COMMAND, "more than %d conditions on %s" % (CONDITIONS, component.name))
            component.needs.append(component.match)
            component.match = None
        else:
            component.checked |= 1 << command
            if command == _IF_IMAGE and component not in self.order:
                raise Refused(COMMAND, "%s is checked without being fetched" % component.name)

    def _complete(self, component):
        """All that must be said of a component has been said, and nothing that nobody asks for."""
        name = component.name
        asked = component.checked >> 1 & 3
        given = (component.vendor is not None) | (component.class_id is not None) << 1
        if asked != given or component.match is not None:
            raise Refused(FORMAT, "%s: a parameter without its condition, or the other way round" % name)
        if component not in self.order:
            if component.uri or component.digest is not None or component.size >= 0 or not component.needs:
                raise Refused(FORMAT, "%s: neither a payload nor a condition on its version" % name)
            return
        if asked != 3 or component.digest is None or component.size < 0 or not component.checked >> _IF_IMAGE & 1:
            raise Refused(FORMAT, "%s: needs vendor, class, digest, size and a check of the image" % name)
        brought = [other for comparison, other in component.needs if comparison == version.EQUAL]
        if not brought:
            raise Refused(FORMAT, "%s: no version that it has when it is installed" % name)
        component.version = brought[0]


def _first(reader, is_first):
    """A parameter is set once: what has been checked is not changed behind it."""
    if not is_first:
        raise reader.error("a second value of a parameter")


def _read_match(reader):
    """SUIT_Parameter_Version_Match: (comparison, version)."""
    if reader.array() != 2:
        raise reader.error("a version match is [comparison, version]")
    comparison = reader.uint()
    if not version.GREATER <= comparison <= version.LESSER:
        raise reader.error("comparison %d, allowed 1 to 5" % comparison)
    found = comparison, version.read(reader)
    reader.finish()
    return found
