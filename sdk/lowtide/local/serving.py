"""Serve HTTP for the gateway, the activators and the broker.

What is not HTTP is answered by a problem document and told in one line: it is the sender's mistake and no defect here.
Bodies stay as they were sent, compressed ones compressed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from lowtide.wire import problem

from .answers import answer_problem
from .backs import Backs
from .express import Express, Way

__all__ = ["serve", "serve_ways"]

_log: Final = logging.getLogger(__name__)
_BACKLOG: Final = 1024


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        _log.info("refused what is no HTTP request: %s", exc.message[:200])
        answer = answer_problem(problem.of_status(status, f"this is no HTTP request: {exc.message[:200]}"))
        answer.force_close()
        return answer


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, access_log=None, auto_decompress=False)  # type: ignore[arg-type]


async def serve(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], listening: socket.socket, grace: float = 0.5
) -> web.ServerRunner:
    """Serve until ``await runner.cleanup()``, which lets requests in flight end within ``grace`` seconds."""
    runner = web.ServerRunner(_Server(handle), shutdown_timeout=grace)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


async def serve_ways(
    way: Callable[[str], Way | None],
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    listening: socket.socket,
    grace: float = 0.5,
) -> Callable[[], Awaitable[None]]:
    """As :func:`serve`; what has a ``way`` and nothing special is passed on without ``handle`` (see ``express``).
    Call what is returned to end it."""
    runner = web.ServerRunner(_Server(handle), shutdown_timeout=grace)
    await runner.setup()
    assert runner.server is not None
    backs = Backs()
    express = Express(way, runner.server, backs)
    server = await asyncio.get_running_loop().create_server(express.protocol, sock=listening, backlog=_BACKLOG)

    async def end() -> None:
        server.close()
        await express.close(grace)
        backs.close()
        await runner.cleanup()

    return end
