"""Packages on offer: a web server that has them, and a backend that wishes for one."""

import asyncio
import datetime
import functools

from aiohttp import web
from applications import identity
from sessions import moment, notified

KEYS = identity()
UPDATE = {"keys": KEYS["key"], "vendor": KEYS["vendor"], "class": KEYS["class"]}  # of the provisioning


class Shelf:
    """What a web server has: `files[path]` is the file's path; `broken` counts how often it still answers 503."""

    def __init__(self):
        self.files = {}
        self.broken = 0
        self.asked = 0
        self.url = None  # with a slash at its end
        self.hold = asyncio.Event()  # a file comes when it is set
        self.hold.set()

    @property
    def handlers(self):
        return [("GET", "/{name}", self._get)]

    async def _get(self, request):
        self.asked += 1
        await self.hold.wait()
        if self.broken:
            self.broken -= 1
            raise web.HTTPServiceUnavailable
        if request.path not in self.files:
            raise web.HTTPNotFound
        return web.FileResponse(self.files[request.path])


async def update(csms, location, seconds=-60, **more):
    """The backend wishes for an update, so many seconds from now."""
    at = moment(csms.now()) + datetime.timedelta(seconds=seconds)
    words = {"location": location, "retrieveDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **more}
    assert await csms.call("UpdateFirmware", **words) == {}


statuses = functools.partial(notified, "FirmwareStatusNotification")
