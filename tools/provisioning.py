"""The provisioning of a simulated station, as the dict that its provisioning file holds."""

import copy

BASE = {
    "identity": {
        "vendor": "Ladepunkt",
        "model": "Unix",
        "serial": "LP-0001",
        "firmware_version": "0.1.0",
        "charge_point_id": "CP-1",
    },
    "connectors": {"count": 1, "lock": True, "max_current_a": 16, "phases": 3},
    "settings": {},
}


def provisioning(url, **parts):
    """What is usual, for the backend at `url`, with `parts` (identity={…}, settings={…}, …) merged in."""
    words = copy.deepcopy(BASE)
    words["backend"] = {"url": url}
    for name, values in parts.items():
        words.setdefault(name, {}).update(values)
    return words
