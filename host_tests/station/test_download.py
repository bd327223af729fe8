"""A file comes over HTTP and HTTPS, from aiohttp's server and from servers that do everything wrong."""

import asyncio
import contextlib
import hashlib
import json
import random
import ssl
import sys
from pathlib import Path

import pytest
import pytest_asyncio
import trustme
from aiohttp import web

from tools.web import serving

ROOT = Path(__file__).resolve().parents[2]
MICROPYTHON = Path(sys.executable).with_name("micropython")
DATA = random.Random(5).randbytes(300_000)
SHA = hashlib.sha256(DATA).hexdigest()
WITHIN_S = 30


@pytest_asyncio.fixture
async def fetch():
    """`await fetch(url, ca=None, …)`: what download_script.py says."""
    process = await asyncio.create_subprocess_exec(
        MICROPYTHON,
        *("-X", "heapsize=2M", "host_tests/station/download_script.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )

    async def ask(url, ca=None, **more):
        process.stdin.write(json.dumps({"url": url, "ca": ca, **more}).encode() + b"\n")
        line = await asyncio.wait_for(process.stdout.readline(), WITHIN_S)
        assert line, "MicroPython ended"
        return json.loads(line)

    yield ask
    process.stdin.close()
    await asyncio.wait_for(process.wait(), WITHIN_S)


@pytest_asyncio.fixture
async def serve(tmp_path):
    """`await serve(context=None)`: the URL of a server with a file, users and redirections."""
    (tmp_path / "package.suit").write_bytes(DATA)

    async def file(request):
        return web.FileResponse(tmp_path / "package.suit")

    async def chunked(request):
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for at in range(0, len(DATA), 7001):
            await answer.write(DATA[at : at + 7001])
        return answer

    async def secret(request):
        if request.headers.get("Authorization") != "Basic dXNlcjpwOndvcmQ=":  # user:p:word
            raise web.HTTPUnauthorized
        return await file(request)

    async def moved(request):
        raise web.HTTPFound("/file")

    async def loop(request):
        raise web.HTTPFound("/loop")

    async def page(request):
        return web.Response(text="<html>welcome</html>", content_type="text/html")

    pages = [("GET", f"/{handler.__name__}", handler) for handler in (file, chunked, secret, moved, loop, page)]
    async with contextlib.AsyncExitStack() as stack:
        yield lambda context=None: stack.enter_async_context(serving(pages, context))


@contextlib.asynccontextmanager
async def server(script):
    """A server that `script(request, writer, number)` speaks for, a connection after the other; yields its URL."""
    count = 0

    async def speak(reader, writer):
        nonlocal count
        number, count = count, count + 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            await script(request.decode(), writer, number)
            await writer.drain()
        writer.close()

    it = await asyncio.start_server(speak, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{it.sockets[0].getsockname()[1]}/file"
    finally:
        it.close()


def says(*lines, body=b""):
    async def script(request, writer, number):
        writer.write("".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, "")).encode() + body)

    return script


def resumed(start):
    """The head of an answer with the file from `start` on."""
    part = f"206 Partial Content\r\nContent-Range: bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    head = f'HTTP/1.1 {part if start else "200 OK"}\r\nETag: "one"\r\nContent-Length: {len(DATA) - start}\r\n\r\n'
    return head.encode()


def whole(answer):
    return (answer.get("sha256"), answer.get("bytes")) == (SHA, len(DATA)) or answer


async def test_a_file_comes_whole_and_the_heap_does_not_grow(serve, fetch):
    url = await serve()
    answer = await fetch(url + "/file")
    assert whole(answer) is True
    assert answer["size"] == len(DATA)
    assert answer["heap"] <= 1024, "garbage of the moment"


@pytest.mark.parametrize("path", ["/chunked", "/moved"])
async def test_it_comes_in_other_ways(serve, fetch, path):
    assert whole(await fetch(await serve() + path)) is True


async def test_a_user_and_a_password(serve, fetch):
    url = await serve()
    assert whole(await fetch(url.replace("//", "//user:p%3Aword@") + "/secret")) is True
    assert await fetch(url + "/secret") == {"error": "the server answers 401", "retry": False}


async def test_the_certificate_is_verified(serve, fetch):
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    url = await serve(context) + "/file"
    assert whole(await fetch(url, authority.cert_pem.bytes().decode())) is True
    assert "TLS" in (await fetch(url, other.cert_pem.bytes().decode()))["error"]
    assert (await fetch(url))["error"] == "https without a certificate to trust"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nothing", "the server answers 404"),
        ("/page", "the server answers with a page of HTML"),
        ("/loop", "more than 3 redirections"),
    ],
)
async def test_what_is_no_file(serve, fetch, path, error):
    assert await fetch(await serve() + path) == {"error": error, "retry": False}


async def test_a_broken_connection_is_resumed(serve, fetch):
    async def script(request, writer, number):
        start = int(request.partition("Range: bytes=")[2].partition("-")[0] or 0)
        assert bool(start) == ('If-Range: "one"' in request) == bool(number)
        status = (
            f"206 Partial Content\r\nContent-Range: bytes {start}-{len(DATA) - 1}/{len(DATA)}" if start else "200 OK"
        )
        head = f'HTTP/1.1 {status}\r\nETag: "one"\r\nContent-Length: {len(DATA) - start}\r\n\r\n'
        writer.write(head.encode() + DATA[start : start + 70_000])

    async with server(script) as url:
        assert whole(await fetch(url)) is True


BROKEN = {
    "shorter than told": (says("Content-Length: 100", body=b"x" * 50), "the connection ended, 50 bytes were to come"),
    "two lengths": (says("Content-Length: 1", "Content-Length: 2"), "two lengths of one body"),
    "no length": (says("Content-Length: many"), "'many' is no length"),
    "no HTTP": (says("x", body=b""), "a line of the head without a name"),
    "head without end": (says("X: " + "x" * 5000), "a head of more than 2048 bytes"),
    "chunk without size": (says("Transfer-Encoding: chunked", body=b"zz\r\n"), "the size of a chunk is not one"),
    "chunk too long": (says("Transfer-Encoding: chunked", body=b"2\r\nabcd\r\n"), "a chunk is longer than told"),
    "compressed": (says("Content-Encoding: gzip"), "content coding 'gzip' was not asked for"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_server_that_speaks_wrongly(fetch, name):
    script, error = BROKEN[name]
    async with server(script) as url:
        assert (await fetch(url))["error"] == error


async def test_a_server_that_stalls(fetch):
    done = asyncio.Event()

    async def script(request, writer, number):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        await done.wait()

    async with server(script) as url:
        answer = await fetch(url, stall_ms=300)
        done.set()
        assert answer == {"error": "the server sent nothing for 30 s", "retry": True}


async def test_a_file_that_changes_between_two_connections_is_not_mixed(fetch):
    async def script(request, writer, number):
        total = len(DATA) + number
        head = f'HTTP/1.1 200 OK\r\nETag: "{number}"\r\nContent-Length: {total}\r\n\r\n'
        writer.write(head.encode() + DATA[:70_000])

    async with server(script) as url:
        answer = await fetch(url)
        assert answer == {"error": "the file has changed on the server, or cannot be resumed", "retry": True}


async def test_a_server_that_breaks_again_and_again_is_given_up(fetch):
    async def script(request, writer, number):
        start = int(request.partition("Range: bytes=")[2].partition("-")[0] or 0)
        status = (
            f"206 Partial Content\r\nContent-Range: bytes {start}-{len(DATA) - 1}/{len(DATA)}" if start else "200 OK"
        )
        head = f'HTTP/1.1 {status}\r\nETag: "one"\r\nContent-Length: {len(DATA) - start}\r\n\r\n'
        writer.write(head.encode() + DATA[start : start + 1000])

    async with server(script) as url:
        answer = await fetch(url)
        assert answer["retry"] and answer["error"].startswith("the connection ended")


@pytest.mark.parametrize(
    "url", ["gopher://x/file", "http://", "http://host:99999/", "http:///file", "http://ho st/x", "x"]
)
async def test_what_is_no_url(fetch, url):
    answer = await fetch(url)
    assert answer["error"].startswith("location: expected a URL") and not answer["retry"]


async def test_nobody_there(fetch):
    async with server(says()) as url:
        pass
    answer = await fetch(url)
    assert answer["retry"]
