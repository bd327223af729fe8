"""A component that speaks HTTPS, as `firmware/station/update/over_https.py` asks: router, PLC."""

import asyncio
import binascii
import datetime
import ipaddress
import ssl
import tempfile

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools.components.device import PowerLost, Refusal, Silence
from tools.web import HOST, Server


class HttpsDevice:
    """A Device behind a web server with a certificate of its own. `url` and `certificate`: for the provisioning."""

    def __init__(self, device, host=HOST):
        """`host`: the address of this machine as the station sees it."""
        self.device = device
        self._host = host
        key, self.certificate = self_signed(host)
        handlers = [
            ("GET", "/update/status", self._status),
            ("PUT", "/update/image", self._image),
            ("POST", "/update/{order}", self._order),
        ]
        self._server = Server(handlers, context(key, self.certificate))
        self._silent = asyncio.Event()  # is never set: who waits for it gets no answer

    @property
    def url(self):
        return self._server.url.replace(HOST, self._host) + "/update"

    async def start(self):
        """Its power comes."""
        await self._server.start()

    async def stop(self):
        """Its power goes."""
        await self._server.stop()

    async def _ask(self, request, action, *arguments):
        try:
            return action(*arguments)
        except Refusal as error:
            raise web.HTTPConflict(text=str(error)) from None
        except PowerLost:
            request.transport.abort()
            raise ConnectionResetError from None
        except Silence:
            await self._silent.wait()

    async def _status(self, request):
        return web.json_response(await self._ask(request, self.device.status))

    async def _order(self, request):
        order = request.match_info["order"]
        if order not in ("begin", "verify", "activate", "confirm", "roll_back", "discard"):
            raise web.HTTPNotFound
        arguments = ()
        if request.can_read_body:
            given = await request.json()
            arguments = given["size"], binascii.unhexlify(given["sha256"])
        await self._ask(request, getattr(self.device, order), *arguments)
        return web.Response(status=204)

    async def _image(self, request):
        came = 0
        try:
            async for data in request.content.iter_any():
                await self._ask(request, self.device.write, came, data)
                came += len(data)
        except (ConnectionError, asyncio.CancelledError):
            self.device.power_cycle()
            raise
        return web.Response(status=204)


def self_signed(host):
    """(key, certificate) as PEM, for this address; the certificate is no authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ladepunkt component")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, form, plain).decode(), certificate.public_bytes(pem).decode()


def context(key, certificate):
    """The server's side of TLS; `ssl` takes both from files only."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(key + certificate)
        file.flush()
        found.load_cert_chain(file.name)
    return found
