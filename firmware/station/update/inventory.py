"""Whether a package fits the station: `check(manifest, inventory, sequence_number)` raises Refused if not.

`inventory` is what each component says of itself, by name; None for one that does not answer.
"""

from station.update import version
from station.update.refused import CLASS, COMPONENT, SEQUENCE, SIZE, VENDOR, VERSION, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from station.update.components import Status
    from station.update.manifest import Manifest


def check(manifest: "Manifest", inventory: "dict[str, Status | None]", sequence_number: int) -> None:
    """Raises Refused for a package that is older than `sequence_number`, or of which any component does not fit.

    The same sequence number again is taken: an update that failed may be tried again. Versions are judged as they
    would be in the end, those of the package for what is in it, else those that are installed.
    """
    if manifest.sequence_number < sequence_number:
        raise Refused(SEQUENCE, "%d, this station has had %d" % (manifest.sequence_number, sequence_number))
    for component in manifest.components:
        name = component.name
        installed = inventory.get(name)
        if installed is None and name in inventory:
            raise Refused(COMPONENT, "%s does not answer" % name)
        if installed is None:
            raise Refused(COMPONENT, "%s, this station has %s" % (name, ", ".join(sorted(inventory))))
        if component.vendor is not None and component.vendor != installed.vendor:
            raise Refused(VENDOR, "%s is made by another" % name)
        if component.class_id is not None and component.class_id != installed.class_id:
            raise Refused(CLASS, "%s is for another kind of device" % name)
        if component.size > installed.limit:
            raise Refused(SIZE, "%s has %d bytes, allowed are %d" % (name, component.size, installed.limit))
        found = component.version or installed.version
        for comparison, other in component.needs:
            if not version.fits(found, comparison, other):
                wanted = version.text(other, comparison)
                raise Refused(VERSION, "%s must be %s, and would be %s" % (name, wanted, version.text(found)))
