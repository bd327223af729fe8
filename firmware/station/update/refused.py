"""Why a package is not taken: `Refused`, with one of these words for machines and a text for people.

`FORMAT` not a SUIT envelope as we take it; `SIGNATURE` no trusted key signed it; `COMMAND` it asks for something that
this station does not know; `SEQUENCE` older than what runs; `COMPONENT`, `VENDOR`, `CLASS`, `VERSION`, `SIZE` do not
fit the station; `DIGEST` a payload is not what was signed; `TRUNCATED` it ended early; `TRAILING` it did not end.
"""

FORMAT = "Format"
SIGNATURE = "Signature"
COMMAND = "Command"
SEQUENCE = "Sequence"
COMPONENT = "Component"
VENDOR = "Vendor"
CLASS = "Class"
VERSION = "Version"
SIZE = "Size"
DIGEST = "Digest"
TRUNCATED = "Truncated"
TRAILING = "Trailing"


class Refused(Exception):
    """`reason`: one of the words above; `text`: what was found and what is allowed."""

    def __init__(self, reason: str, text: str):
        super().__init__("%s: %s" % (reason, text))
        self.reason = reason
        self.text = text
