"""The id tag that a contactless card stands for: its UID in hexadecimal, as the operator's settings want it spelled.

Operators have their cards on file as the readers they bought first printed them: in either byte order and case, some
with letters before.
"""

from micropython import const

MAX_ID_TAG = const(20)  # characters of an IdToken, CiString20 (OCPP 1.6 §7.28)


def of_uid(uid: bytes, settings) -> str:
    """`uid` in the order of the air; keys IdTagByteOrder, IdTagCase (of the digits), IdTagPrefix (put before as it is).

    Raises ValueError if that is longer than an id tag may be: a UID of 10 bytes leaves no room for a prefix.
    """
    if settings["IdTagByteOrder"] == "LSB":
        uid = bytes([uid[i] for i in range(len(uid) - 1, -1, -1)])
    digits = uid.hex()
    if settings["IdTagCase"] == "Upper":
        digits = digits.upper()
    text = settings["IdTagPrefix"] + digits
    if len(text) > MAX_ID_TAG:
        raise ValueError("with IdTagPrefix its UID makes %d characters, an id tag has %d" % (len(text), MAX_ID_TAG))
    return text
