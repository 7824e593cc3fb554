"""HTTP in front of a pool: holds a request until a process is ready for it, and passes it on.

What one sees is what Knative's activator and queue-proxy show: a cold start is a slow answer, not a refusal; a service
that cannot start is a 503; a process that dies with a request is a 502. When a client goes away, its request goes on:
a handler that has begun an effect must be able to write down that it did.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from lowtide.errors import LowtideError
from lowtide.wire import problem

from .answers import answer_problem
from .express import Way
from .pool import Pool
from .ports import LOOPBACK
from .proxy import ATTEMPTS, NOTICED, Broken, NotTaken, body_of, forward, gone_away, repeatable

__all__ = ["Activator", "http_probe"]

_PROBE_TIMEOUT: Final = ClientTimeout(total=5.0)


class Activator:
    """The front of one HTTP service."""

    def __init__(self, pool: Pool, session: ClientSession) -> None:
        self._pool = pool
        self._session = session

    def way(self, target: str, prefix: str = "") -> Way:
        """Where a request goes that is passed on without being looked at (see ``express``)."""
        return Way(self._pool, target, prefix)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The request as it is, for the service's own address."""
        return await self.pass_on(request, request.raw_path)

    async def pass_on(self, request: web.BaseRequest, path: str, prefix: str = "") -> web.StreamResponse:
        """The request under another path; ``prefix`` is what was taken from it."""
        body = await body_of(request)
        why = ""
        for _ in range(ATTEMPTS if body is not None else 1):
            try:
                async with self._pool.lease() as instance:
                    try:
                        base = f"http://{LOOPBACK}:{instance.port}"
                        return await forward(self._session, request, base, path, body, prefix)
                    except NotTaken as error:
                        why = str(error)
                        self._pool.discard(instance)
            except Broken as error:
                why = str(error)
                if not repeatable(request):
                    break
                await asyncio.sleep(NOTICED)
            except LowtideError as error:
                return answer_problem(problem.of_error(error))
        return answer_problem(gone_away(self._pool.service.name, why))


async def http_probe(session: ClientSession, port: int) -> bool:
    """Whether ``/readyz`` answers 200."""
    try:
        async with session.get(f"http://{LOOPBACK}:{port}/readyz", timeout=_PROBE_TIMEOUT) as response:
            return response.status == 200
    except (ClientError, OSError, TimeoutError):
        return False
