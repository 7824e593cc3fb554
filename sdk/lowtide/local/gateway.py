"""The public HTTP port: who answers which path.

/v1/...          orchestrate
/analytics/...   the analytics API, the prefix taken away
/broker          the broker's ingress
/status          the platform itself
/livez /readyz   the platform itself
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import ClientSession, web

from lowtide.model.base import JSON
from lowtide.wire import problem

from .activator import Activator
from .answers import answer, answer_problem
from .express import Way
from .proxy import Broken, NotTaken, body_of, forward

__all__ = ["Gateway"]

_ANALYTICS = "/analytics"


class Gateway:
    """``status`` makes the answer of ``/status``; its ``ready`` is what ``/readyz`` says."""

    def __init__(
        self,
        orchestrate: Activator,
        analytics: Activator,
        broker: str,
        session: ClientSession,
        status: Callable[[], Awaitable[dict[str, JSON]]],
    ) -> None:
        self._orchestrate = orchestrate
        self._analytics = analytics
        self._broker = broker
        self._session = session
        self._status = status

    def way(self, target: str) -> Way | None:
        """Where a raw target goes that one of the services answers."""
        if target.startswith("/v1/"):
            return self._orchestrate.way(target)
        if target.startswith(_ANALYTICS + "/"):
            return self._analytics.way(target[len(_ANALYTICS) :], _ANALYTICS)
        return None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith("/v1/"):
            return await self._orchestrate.handle(request)
        if path.startswith(_ANALYTICS + "/"):
            return await self._analytics.pass_on(request, request.raw_path[len(_ANALYTICS) :], _ANALYTICS)
        if path in ("/broker", "/broker/"):
            return await self._to_broker(request)
        if request.method not in ("GET", "HEAD"):
            return answer_problem(problem.of_status(404, f"nothing takes {request.method} {path} here"))
        match path:
            case "/status":
                return answer(await self._status())
            case "/livez":
                return answer({"status": "ok"})
            case "/readyz":
                ready = (await self._status())["ready"]
                return answer({"ready": ready}, 200 if ready else 503)
        return answer_problem(
            problem.of_status(404, f"there is nothing at {path}; see /v1/…, /analytics/…, /broker and /status")
        )

    async def _to_broker(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await body_of(request)
        try:
            return await forward(self._session, request, self._broker, "/", body)
        except (NotTaken, Broken) as error:
            return answer_problem(problem.of_status(503, f"the broker is not there at this moment: {error}"))
