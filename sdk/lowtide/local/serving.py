"""Serve HTTP for the gateway, the activators and the broker.

What is not HTTP is answered by a problem document and told in one line: it is the sender's mistake and no defect here.
Bodies stay as they were sent, compressed ones compressed.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from lowtide.wire import problem

from .answers import answer_problem

__all__ = ["serve"]

_log: Final = logging.getLogger(__name__)


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
