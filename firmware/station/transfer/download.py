"""A file from a server, whole or not at all: `Download`. A connection that breaks is resumed where it broke.

    download = Download(location, ca)
    count = await download.read_into(view)   0 at the end; raises TransferError
    download.close()

It resumes only what a strong ETag (RFC 9110 §13.1.5), or size and time over FTP, says to be the same file: a server
that gives none, or that sends the whole once more, ends it with an error that is worth another try. A page of HTML
is no file.
"""

import asyncio

from micropython import const

from station.transfer.errors import TransferError
from station.transfer.http import Get, context_for
from station.transfer.http_head import MAX_HEAD, refused
from station.transfer.url import parse

RESUMES = const(10)  # of one download, at most
_PAUSE_MS = const(1000)  # before each, times its number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Download:
    """`ca`: the certificates to trust, DER or PEM; None for http only. `sleep_ms` stands for asyncio's."""

    def __init__(self, location: str, ca: "bytes | None", sleep_ms: "Any" = None) -> None:
        self._url = parse(location)
        self._context = context_for(self._url, ca)
        self._sleep_ms = sleep_ms or asyncio.sleep_ms
        self._buffer = bytearray(MAX_HEAD)
        self._get: "Any" = None
        self._etag = ""
        self._resumes = 0
        self.size = -1  # bytes, -1 while it is not known
        self.received = 0

    async def read_into(self, view: memoryview) -> int:
        """The next bytes of the file, at least one; 0 is its end. Raises TransferError."""
        while True:
            try:
                if self._get is None:
                    await self._open()
                count = await self._get.read_into(view)
            except TransferError as error:
                self.close()
                if not error.retry or not self.received or not self._etag or self._resumes >= RESUMES:
                    raise
                self._resumes += 1
                await self._sleep_ms(_PAUSE_MS * self._resumes)
                continue
            self.received += count
            return count

    async def _open(self):
        get = self._get = self._new()
        head = await get.open(self.received, self._etag)
        if head.status == 206 and self.received:
            if head.start != self.received or self.size not in (-1, head.total):
                self._etag = ""
                raise TransferError("the server resumes another file, or elsewhere")
            return
        if head.status != 200:
            raise refused(head.status)
        if head.html:
            raise TransferError("the server answers with a page of HTML", retry=False)
        if self.received:
            self._etag = ""
            raise TransferError("the file has changed on the server, or cannot be resumed")
        self._etag = head.etag
        self.size = head.length

    def _new(self):
        if self._url.scheme == "ftp":
            from station.transfer import ftp  # takes its memory where there is such a server

            return ftp.Get(self._url)
        return Get(self._url, self._context, self._buffer)

    def close(self) -> None:
        """Harmless if repeated."""
        if self._get:
            self._get.close()
            self._get = None
