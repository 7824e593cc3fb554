"""Liveness: the process answers. Readiness: the control store can be used, and the process is not about to end."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lowtide.wire import problem

from ..problems import answer
from .documents import reply
from .here import Here

__all__ = ["routes"]


def routes() -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/livez")
    async def livez() -> Response:
        """The process lives, whatever the database does."""
        return reply({"status": "ok"})

    @router.get("/readyz", responses={503: {"description": "It says why"}})
    async def readyz(service: Here) -> Response:
        """Requests can be served; else the reason: the process ends, or the store and what is wrong with it."""
        if service.stopping:
            return answer(problem.of_status(503, "this process is ending: it finishes the requests that it has"))
        reason = await service.desk.database.check()
        return reply({"status": "ok"}) if reason is None else answer(problem.of_status(503, reason))

    return router
