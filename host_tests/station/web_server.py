"""aiohttp's server on a free port of the loopback."""

import contextlib

from aiohttp import web


@contextlib.asynccontextmanager
async def serving(handlers, context=None):
    """`handlers`: (method, path, handler), …; `context` for TLS. Yields the URL, without a slash at its end."""
    app = web.Application()
    for method, path, handler in handlers:
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
