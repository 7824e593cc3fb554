"""Liveness: this process answers. Readiness: the store answers too, and has its tables."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from lowtide.storage.analytics import executions

from .problems import UNAVAILABLE
from .store import Store

__all__ = ["routes"]


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Is this process alive?")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="Could it answer questions now?", responses=UNAVAILABLE)
    async def readyz() -> dict[str, str]:
        await store.ask(select(executions.c.execution).limit(0))
        return {"status": "ready"}

    return router
