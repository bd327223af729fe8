"""A file comes over FTP, from pyftpdlib's server and from servers that do everything wrong."""

import asyncio
import contextlib
import threading

import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer
from test_download import DATA, fetch, whole  # noqa: F401 - a fixture

LEAST = 100_000  # bytes that come before a connection is cut


@contextlib.contextmanager
def server(folder, cuts=0, may_write=False, **options):
    """An FTP server with DATA as `package.suit`; the first `cuts` transfers are cut off. Yields "host:port"."""
    (folder / "package.suit").write_bytes(DATA)
    users = DummyAuthorizer()
    users.add_anonymous(str(folder))
    users.add_user("user", "p:word", str(folder), perm="elrw" if may_write else "elr")
    left = [cuts]

    class Cut(DTPHandler):
        def send(self, data):
            sent = super().send(data)
            if left[0] and self.tot_bytes_sent >= LEAST:
                left[0] -= 1
                self.cmd_channel.close_when_done()
                self.close()
            return sent

    handler = type(
        "Handler", (FTPHandler,), {"authorizer": users, "dtp_handler": Cut, "use_sendfile": False, **options}
    )
    loop = IOLoop()
    it = FTPServer(("127.0.0.1", 0), handler, ioloop=loop)
    ending = threading.Event()

    def run():
        while not ending.is_set():
            loop.loop(timeout=0.02, blocking=False)
        it.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"127.0.0.1:{it.address[1]}"
    finally:
        ending.set()
        thread.join()


async def test_a_file_comes_whole(fetch, tmp_path):  # noqa: F811
    with server(tmp_path) as host:
        answer = await fetch(f"ftp://{host}/package.suit")
        assert whole(answer) is True and answer["size"] == len(DATA)
        assert whole(await fetch(f"ftp://user:p%3Aword@{host}/package%2Esuit")) is True


async def test_what_cannot_be_had(fetch, tmp_path):  # noqa: F811
    with server(tmp_path) as host:
        answer = await fetch(f"ftp://{host}/nothing.suit")
        assert answer["error"].startswith("the server answers 550") and not answer["retry"]
        answer = await fetch(f"ftp://user:wrong@{host}/package.suit")
        assert answer["error"].startswith("the server answers 530") and not answer["retry"]
        answer = await fetch(f"ftp://{host}/package.suit%0d%0aDELE%20x")
        assert answer == {"error": "the URL holds a control character", "retry": False}


async def test_a_broken_connection_is_resumed(fetch, tmp_path):  # noqa: F811
    with server(tmp_path, cuts=2) as host:
        assert whole(await fetch(f"ftp://{host}/package.suit")) is True


async def test_the_file_comes_from_the_host_that_was_asked(fetch, tmp_path):  # noqa: F811
    """Whatever address a reply to PASV names, as behind a router, or to have us knock at other doors."""
    commands = {name: words for name, words in FTPHandler.proto_cmds.items() if name != "EPSV"}
    with server(tmp_path, proto_cmds=commands, masquerade_address="203.0.113.9") as host:
        assert whole(await fetch(f"ftp://{host}/package.suit")) is True


REPLIES = {
    "no FTP": (b"SSH-2.0-x\r\n", "the server does not speak FTP"),
    "a line without end": (b"220 " + b"x" * 400, "a reply's line of more than 256 bytes"),
    "lines without end": (b"220-a\r\n" * 100, "a reply of more than 60 lines"),
    "busy": (b"421 too many\r\n", "the server answers 421 too many"),
    "closed": (b"", "the server closed the connection"),
    "no port": (
        b"220 x\r\n230 in\r\n200 ok\r\n550 no\r\n550 no\r\n229 ok (|||99999|)\r\n",
        "the server names no port for the file",
    ),
}


@pytest.mark.parametrize("name", REPLIES)
async def test_a_server_that_speaks_wrongly(fetch, name):  # noqa: F811
    said, error = REPLIES[name]

    async def speak(reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(said)
            await writer.drain()
            if said:
                await reader.read()
            writer.close()

    it = await asyncio.start_server(speak, "127.0.0.1", 0)
    answer = await fetch(f"ftp://127.0.0.1:{it.sockets[0].getsockname()[1]}/x")
    it.close()
    assert answer == {"error": error, "retry": True}
