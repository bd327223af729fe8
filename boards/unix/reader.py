"""The serial card reader at the far end of a UART: sends "TOKEN\\r\\n" for a card, answers ENQ (5) with ACK (6)."""

HOWS = ("ok", "silent")


class Reader:
    """Serves `connectors`; `how` is "silent" when it is dead: then it neither answers nor reads cards."""

    def __init__(self, connectors: "tuple[int, ...]") -> None:
        self.connectors = connectors
        self.rx = bytearray()
        self.how = "ok"

    def write(self, data: bytes) -> None:
        if self.how == "ok":
            for byte in data:
                if byte == 5:
                    self.rx.append(6)

    def swipe(self, token: str) -> None:
        """A card is held against the reader."""
        if self.how == "ok":
            self.rx.extend(token.encode())
            self.rx.extend(b"\r\n")
