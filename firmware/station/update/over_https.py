"""A component on the station's internal Ethernet: router and PLC. HTTPS with the one certificate that is pinned for it.

    GET  URL/status     200 and JSON: {"vendor", "class": UUIDs as 32 hex digits, "version": "1.2.0", "limit": bytes,
                        "phase": one of PHASES, "running": SHA-256 of the image that runs as 64 hex digits, "fault"}
    POST URL/begin      JSON {"size", "sha256"}; 204
    PUT  URL/image      the image, its size as Content-Length; 204
    POST URL/verify     JSON {"size", "sha256"}; 204, the phase is then busy until it is staged or idle again
    POST URL/activate, URL/confirm, URL/roll_back, URL/discard      204

A status of 4xx or 5xx is a refusal, its body says why. The certificate is trusted alone, whoever issued it; it must be
for the host of the URL, and no authority itself.
"""

import binascii
import json

from micropython import const

from station.transfer.errors import TransferError
from station.transfer.http import Call, context_for
from station.transfer.url import parse
from station.update import version
from station.update.components import PHASES, Component, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ANSWER = const(1024)  # bytes of a status, at most


class HttpsComponent(Component):
    """`url`: https://host[:port]/path, without a slash at its end; `certificate`: PEM."""

    def __init__(self, name: str, url: str, certificate: bytes) -> None:
        super().__init__(name)
        self._url = url
        self._certificate = certificate
        self._context: "Any" = None  # made when it is first asked, and kept
        self._image: "Call | None" = None  # the PUT that is under way

    async def status(self) -> Status:
        answer = await self._call("GET", "status")
        try:
            given = json.loads(answer)
            vendor, class_id, digest = [binascii.unhexlify(given[key]) for key in ("vendor", "class", "running")]
            if (len(vendor), len(class_id), len(digest)) != (16, 16, 32):
                raise ValueError("a UUID or digest of the wrong length")
            limit, fault = given["limit"], given.get("fault", "")
            if not isinstance(limit, int) or not isinstance(fault, str):
                raise ValueError("limit %r, fault %r" % (limit, fault))
            found = version.parse(given["version"])
            return Status(vendor, class_id, found, limit, PHASES.index(given["phase"]), digest, fault[:80])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.error("its status is none: %r" % error)

    async def begin(self, size: int, digest: "bytes | memoryview") -> None:
        await super().begin(size, digest)
        try:
            self._image = self._new("image")
            await self._image.open("PUT", size)
        except TransferError as error:
            raise self._failed(error)

    async def write(self, offset: int, piece: memoryview) -> None:
        try:
            await self._image.write(piece)
        except TransferError as error:
            raise self._failed(error)

    async def verify(self, size: int, digest: "bytes | memoryview") -> None:
        image, self._image = self._image, None
        if image:
            await self._finish(image)
        await super().verify(size, digest)

    async def discard(self) -> None:
        self._close()
        await super().discard()

    async def _order(self, order: str, size: int = 0, digest: "bytes | memoryview" = b"") -> None:
        body = b""
        if digest:
            body = json.dumps({"size": size, "sha256": binascii.hexlify(bytes(digest)).decode()}).encode()
        await self._call("POST", order, body)

    async def _call(self, method: str, word: str, body: bytes = b"") -> bytes:
        """The body of the answer."""
        call = None
        try:
            call = self._new(word)
            await call.open(method, len(body))
            if body:
                await call.write(memoryview(body))
        except TransferError as error:
            if call:
                call.close()
            raise self._failed(error)
        return await self._finish(call)

    async def _finish(self, call: Call) -> bytes:
        try:
            status, answer = await call.answer(_ANSWER)
        except TransferError as error:
            raise self._failed(error)
        finally:
            call.close()
        if not 200 <= status < 300:
            raise self.error("it answers %d %s" % (status, str(answer[:80], "utf-8") if _is_text(answer) else ""))
        return answer

    def _new(self, word: str) -> Call:
        url = parse(self._url + "/" + word)
        if self._context is None:
            try:
                self._context = context_for(url, self._certificate)
            except ValueError as error:
                raise self.error("its certificate: %s" % error)
        return Call(url, self._context)

    def _failed(self, error):
        self._close()
        return self.error(error)

    def _close(self) -> None:
        if self._image:
            self._image.close()
            self._image = None


def _is_text(data: bytes) -> bool:
    return all([0x20 <= byte <= 0x7E for byte in data[:80]])
