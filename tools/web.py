"""aiohttp's web server on a port of the loopback: `Server`, and `serving` for as long as a block lasts."""

import contextlib

from aiohttp import web

HOST = "127.0.0.1"


class Server:
    """`handlers`: (method, path, handler), …; `context` for TLS. `url`: without a slash at its end."""

    def __init__(self, handlers, context=None):
        self._handlers, self._context = handlers, context
        self._runner = None
        self._port = 0
        self.url = None

    async def start(self):
        """On a free port; after `stop` on the one that it had."""
        app = web.Application(client_max_size=1 << 24)
        for method, path, handler in self._handlers:
            app.router.add_route(method, path, handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port, ssl_context=self._context).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"{'https' if self._context else 'http'}://{HOST}:{self._port}"

    async def stop(self):
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def serving(handlers, context=None):
    """A server inside the block; its URL."""
    server = Server(handlers, context)
    await server.start()
    try:
        yield server.url
    finally:
        await server.stop()
