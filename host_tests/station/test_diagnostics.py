"""GetDiagnostics (OCPP 1.6 §5.9): the file arrives at a web or FTP server, says what it should and nothing secret."""

import functools
import re
import ssl

import pytest
import pytest_asyncio
import trustme
from aiohttp import web
from sessions import CALM, begin, finish, leap, logged, notified, online
from test_download_ftp import server as ftp_server

from tools.web import serving

KEY = "a-secret-nobody-may-see"


class Files:
    """A web server that takes files: `came[path]` is the text; the first `broken` are answered 503."""

    def __init__(self):
        self.came = {}
        self.broken = 0
        self.status = 201

    async def put(self, request):
        text = await request.text()
        if self.broken:
            self.broken -= 1
            raise web.HTTPServiceUnavailable
        self.came[request.path] = text
        return web.Response(status=self.status)


@pytest_asyncio.fixture
async def files():
    it = Files()
    async with serving([("PUT", "/{name:.*}", it.put)]) as url:
        it.url = url + "/"
        yield it


statuses = functools.partial(notified, "DiagnosticsStatusNotification")


async def ask(csms, location, **more):
    return (await csms.call("GetDiagnostics", location=location, **more))["fileName"]


async def test_a_server_that_is_not_trusted(csms, station, files):
    """It is told at once, not after the patience for one that takes nothing."""
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.issue_cert("127.0.0.1").configure_cert(context)
    box = await station(settings=CALM, update={"ca": authority.cert_pem.bytes().decode()})
    await online(csms, box)
    async with serving([("PUT", "/{name:.*}", files.put)], context) as url:
        await ask(csms, url + "/logs/")
        await statuses(csms, "Uploading", "UploadFailed")
        await logged(box, "diagnostics: .*TLS: .*not correctly signed")
    assert not files.came


async def test_over_https(csms, station, files):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    box = await station(settings=CALM, update={"ca": authority.cert_pem.bytes().decode()})
    await online(csms, box)
    async with serving([("PUT", "/{name:.*}", files.put)], context) as url:
        name = await ask(csms, url + "/logs/")
        await statuses(csms, "Uploading", "Uploaded")
    assert "charge point: CP-1" in files.came[f"/logs/{name}"]


async def test_the_file_says_what_the_station_knows(csms, station, files):
    box = await station(settings=CALM, backend={"authorization_key": KEY})
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    name = await ask(csms, files.url + "logs/")
    assert re.fullmatch(r"diagnostics-LP-0001-\d{4}-\d\d-\d\dT\d{6}Z\.log", name)
    await statuses(csms, "Uploading", "Uploaded")
    text = files.came[f"/logs/{name}"]
    for line in ("charge point: CP-1", "JournalDepth = 0", "ApplicationVersion = 0.1.0", "LogLevel = INFO"):
        assert line in text.splitlines(), text
    assert re.search(r"^\d\S+Z INFO card: \S+: granted$", text, re.MULTILINE), text
    assert KEY not in text
    assert text.endswith("\n")


async def test_only_the_lines_of_the_window(csms, station, files):
    box = await station(settings=CALM)
    await online(csms, box)
    await finish(csms, box, await begin(csms, box))
    await leap(csms, box, 7200)
    middle = csms.now()
    await leap(csms, box, 7200)
    await finish(csms, box, await begin(csms, box))
    await ask(csms, files.url + "after", startTime=middle)
    await statuses(csms, "Uploading", "Uploaded")
    await ask(csms, files.url + "before", stopTime=middle)
    await statuses(csms, "Uploading", "Uploaded")
    granted = {path: len(re.findall(r": granted$", text, re.MULTILINE)) for path, text in files.came.items()}
    assert granted == {"/after": 1, "/before": 1}


async def test_over_ftp(csms, station, tmp_path):
    box = await station(settings=CALM)
    await online(csms, box)
    with ftp_server(tmp_path, may_write=True) as host:
        name = await ask(csms, f"ftp://user:p%3Aword@{host}/")
        await statuses(csms, "Uploading", "Uploaded")
    assert "charge point: CP-1" in (tmp_path / name).read_text().splitlines()


async def test_it_is_tried_again_as_often_as_asked(csms, station, files):
    box = await station(settings=CALM)
    await online(csms, box)
    files.broken = 2
    await ask(csms, files.url + "a", retries=2, retryInterval=1)
    await statuses(csms, "Uploading", "Uploaded")
    files.broken = 2
    await ask(csms, files.url + "b", retries=1, retryInterval=1)
    await statuses(csms, "Uploading", "UploadFailed")
    assert "/b" not in files.came
    await logged(box, "the server answers 503")


@pytest.mark.parametrize("location", ["gopher://example.com/", "http://127.0.0.1:1/x"])
async def test_a_place_that_is_none(csms, station, location):
    box = await station(settings=CALM)
    await online(csms, box)
    await ask(csms, location)
    await statuses(csms, "Uploading", "UploadFailed")


async def test_a_server_that_does_not_want_it_is_not_asked_again(csms, station, files):
    box = await station(settings=CALM)
    await online(csms, box)
    files.status = 403
    await ask(csms, files.url + "a", retries=5, retryInterval=60)
    await statuses(csms, "Uploading", "UploadFailed")
