"""SQLAlchemy's engines for replicas of orchestrate: a pool of its own each, what was compiled shared by all.

Compiling every statement anew in every life of a replica would be most of a simulation's time.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from lowtide.testing.simulate.postgres import Store

__all__ = ["Engines"]


class Engines:
    def __init__(self, url: str) -> None:
        self._store: Store | None = None
        self._compiled: dict[Any, Any] = {}
        self._template = create_async_engine(
            "postgresql+psycopg://", async_creator=self._connect, pool_size=4, max_overflow=0, pool_timeout=15.0
        )
        self._url = url
        asyncio.run(self._meet())

    async def _meet(self) -> None:
        """Let SQLAlchemy ask the server what it is, so that no world begins with that."""
        async with self._template.connect() as connection:
            await connection.execute(text("SELECT 1"))
        await self._template.dispose()

    def make(self, store: Store) -> AsyncEngine:
        self._store = store
        given = self._template.sync_engine
        engine = Engine(given.pool.recreate(), given.dialect, given.url)
        return AsyncEngine(engine.execution_options(compiled_cache=self._compiled))

    async def _connect(self) -> Any:
        if self._store is None:
            return await psycopg.AsyncConnection.connect(self._url)
        return await self._store.connect()
