"""lwIP on the LAN9118 and mbedTLS over it, against peers on the host."""

import asyncio
import datetime
import socket
import ssl

import pytest
import trustme

from tools import emulator

ONLINE = """
import asyncio, network, time
lan = network.LAN()
lan.active(True)
async def online():
    while not lan.isconnected():
        await asyncio.sleep_ms(5)
"""
BULK = 300_000


@pytest.fixture
def board(firmware, tmp_path):
    """Starts a script with the network up; several lines of text and arguments as Emulator."""

    def start(text, arguments=None, **options):
        path = tmp_path / "script.py"
        path.write_text(ONLINE + text)
        return emulator.Emulator(firmware, {"script": path, **(arguments or {})}, **options)

    return start


async def test_dhcp_and_dns(board):
    text = """
import socket
asyncio.run(online())
print(lan.ifconfig(), lan.status(), len(lan.config("mac")))
print(socket.getaddrinfo("10.0.2.2", 80)[0][-1])
"""
    async with board(text) as it:
        assert await it.ended() == 0
        assert it.lines[0] == "('10.0.2.15', '255.255.255.0', '10.0.2.2', '10.0.2.3') 3 6"
        assert it.lines[1] == "('10.0.2.2', 80)"


async def test_client_moves_bulk_data_both_ways(board):
    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    text = f"""
SIZE = {BULK}
async def send(writer):
    chunk = bytes(range(250)) * 4
    for _ in range(SIZE // len(chunk)):
        writer.write(chunk)
        await writer.drain()
async def main():
    await online()
    reader, writer = await asyncio.open_connection("{emulator.HOST}", {server.sockets[0].getsockname()[1]})
    sender = asyncio.create_task(send(writer))
    count, right = 0, True
    while count < SIZE:
        data = await reader.read(1000)
        right = right and all(b == (count + i) % 250 for i, b in enumerate(data))
        count += len(data)
    await sender
    print(count, right)
asyncio.run(main())
"""
    async with server, board(text) as it:
        assert await it.ended() == 0
        assert it.text() == f"{BULK} True"


async def test_server_is_reached_from_the_host(board):
    port = free_port()
    text = """
async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(b"echo " + line)
        await writer.drain()
    await writer.wait_closed()
async def main():
    await online()
    await asyncio.start_server(serve, "0.0.0.0", 8000)
    print("listening")
    await asyncio.sleep(60)
asyncio.run(main())
"""

    async def client(name):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in range(20):
            writer.write(b"%d of %d\n" % (i, name))
            assert await asyncio.wait_for(reader.readline(), 20) == b"echo %d of %d\n" % (i, name)
        writer.close()

    async with board(text, forward=[(port, 8000)]) as it:
        await it.printed("listening")
        await asyncio.gather(*(client(name) for name in range(4)))


async def test_refused_connection_is_an_error(board):
    text = f"""
async def main():
    await online()
    try:  # MicroPython tells with the first byte, not when connecting
        reader, writer = await asyncio.open_connection("{emulator.HOST}", {free_port()})
        print(await reader.read(1))
    except OSError as error:
        print("refused", error.errno)
asyncio.run(main())
"""
    async with board(text) as it:
        await it.ended()
        assert it.text().startswith("refused")


async def test_network_goes_on_while_python_is_busy(board):
    """The chip's FIFO is emptied between bytecodes: a busy loop does not lose the connection."""
    port = free_port()
    text = """
import time
async def serve(reader, writer):
    writer.write(b"busy")
    await writer.drain()
    begun = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), begun) < 2000:
        pass
    data = await reader.readexactly(20000)
    writer.write(b"%d" % len(data))
    await writer.drain()
    await writer.wait_closed()
async def main():
    await online()
    await asyncio.start_server(serve, "0.0.0.0", 8000)
    print("listening")
    await asyncio.sleep(60)
asyncio.run(main())
"""
    async with board(text, forward=[(port, 8000)]) as it:
        await it.printed("listening")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readexactly(4) == b"busy"
        writer.write(bytes(20000))
        assert await asyncio.wait_for(reader.read(), 30) == b"20000"
        writer.close()


TLS = """
import binascii, machine, qemu, ssl
async def main():
    await online()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    pem = qemu.read_host_file(qemu.argument("ca"))
    context.load_verify_locations(cadata=binascii.a2b_base64(pem.split(b"-----")[2]))
    try:
        reader, writer = await asyncio.open_connection(
            "10.0.2.2", int(qemu.argument("port")), ssl=context, server_hostname=qemu.argument("name"))
        writer.write(b"hello\\n")
        await writer.drain()
        print(await reader.readline())
    except (OSError, ValueError) as error:
        print("refused", error)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def authority():
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


async def tls(board, authority, tmp_path, *, trusted=None, name="station.test", valid_until=None, heap="1M"):
    """What the board printed after it connected by TLS, and what the server had of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    own = authority.issue_cert("station.test", key_type=trustme.KeyType.ECDSA, not_after=valid_until)
    own.configure_cert(context)
    seen = []

    async def answer(reader, writer):
        seen.append(await reader.readline())
        writer.write(b"answer to " + seen[-1])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    ca = tmp_path / "ca.pem"
    (trusted or authority).cert_pem.write_to_path(str(ca))
    port = server.sockets[0].getsockname()[1]
    arguments = {"ca": ca, "port": port, "name": name, "rtc": "host", "heap": heap}
    async with server, board(TLS, arguments) as it:
        assert await it.ended() == 0, it.text()
        return it.text(), seen


async def test_tls_with_a_verified_certificate(board, authority, tmp_path):
    said, seen = await tls(board, authority, tmp_path)
    assert said == r"b'answer to hello\n'" and seen == [b"hello\n"]


async def test_tls_fits_into_a_small_heap(board, authority, tmp_path):
    said, _ = await tls(board, authority, tmp_path, heap="96K")
    assert said == r"b'answer to hello\n'"


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted": trustme.CA(key_type=trustme.KeyType.ECDSA)},
        {"name": "other.test"},
        {"valid_until": datetime.datetime(2020, 1, 1)},
    ],
    ids=["of an authority unknown", "for another name", "not valid any more"],
)
async def test_tls_refuses_a_certificate(board, authority, tmp_path, wrong):
    said, seen = await tls(board, authority, tmp_path, **wrong)
    assert said.startswith("refused") and seen == []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
