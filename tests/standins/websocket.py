"""A WebSocket server on a port of this machine, which sends what it was told and stays until its peer leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

from aiohttp import web

__all__ = ["websocket"]


@contextlib.contextmanager
def websocket(port: int, path: str, messages: list[Any]) -> Iterator[None]:
    """Raises ``OSError`` where the port is taken."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner: web.AppRunner = asyncio.run_coroutine_threadsafe(_serve(port, path, messages), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(port: int, path: str, messages: list[Any]) -> web.AppRunner:
    async def send(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in messages:
            await socket.send_str(json.dumps(message))
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get(path, send)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner
