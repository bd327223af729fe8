"""Why a file did not come or go: `TransferError`."""


class TransferError(OSError):
    """`retry`: the same may go well another time."""

    def __init__(self, text: str, retry: bool = True) -> None:
        super().__init__(text)
        self.retry = retry
