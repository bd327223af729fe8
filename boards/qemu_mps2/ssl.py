"""`ssl` over the built-in `tls`, as much of CPython's as a client and a server need.

Boards get theirs from micropython-lib, which is not among the sources that this image is built from.
"""

import tls
from tls import *  # noqa: F403


class SSLContext:
    """One side's settings: certificate and key of our own, whom to trust, whether to check."""

    def __init__(self, protocol: int) -> None:
        self._context = tls.SSLContext(protocol)
        self._context.verify_mode = tls.CERT_NONE

    @property
    def verify_mode(self) -> int:
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        self._context.verify_mode = value

    def load_cert_chain(self, certfile, keyfile) -> None:
        """Certificate and key as DER or PEM bytes, or the paths of files that hold them."""
        self._context.load_cert_chain(_content(certfile), _content(keyfile))

    def load_verify_locations(self, cafile: "str | None" = None, cadata: "bytes | None" = None) -> None:
        self._context.load_verify_locations(_content(cafile) if cafile else cadata)

    def set_ciphers(self, ciphers) -> None:
        self._context.set_ciphers(ciphers)

    def get_ciphers(self):
        return self._context.get_ciphers()

    def wrap_socket(
        self,
        sock,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        server_hostname: "str | None" = None,
    ):
        """Raises ValueError where a certificate is to be checked and there is no name to check it against."""
        if not server_side and server_hostname is None and self._context.verify_mode == tls.CERT_REQUIRED:
            raise ValueError("server_hostname is needed with CERT_REQUIRED")
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )


def _content(source) -> bytes:
    if not isinstance(source, str):
        return source
    with open(source, "rb") as file:
        return file.read()
