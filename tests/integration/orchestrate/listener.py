"""Something that answers HTTP, on a port that nobody else can take before it does."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

__all__ = ["Listener", "listening"]


def listening() -> tuple[socket.socket, str]:
    """A socket that is bound from now on, so that no other test can take its port, and its URL."""
    bound = socket.create_server(("127.0.0.1", 0))
    return bound, f"http://127.0.0.1:{bound.getsockname()[1]}"


class Listener:
    def __init__(self) -> None:
        self.socket, self.url = listening()

    @contextlib.asynccontextmanager
    async def serve(self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[None]:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self.socket).start()
        try:
            yield
        finally:
            await runner.cleanup()
