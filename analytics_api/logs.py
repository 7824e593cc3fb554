"""The log lines of one execution, oldest first."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import Select, select, tuple_

from lowtide.storage.analytics import logs

from . import cursors
from .answers import LogLine, Page
from .executions import require_known
from .parameters import LogLevel, LogsQuery, Namespace, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["routes"]

_LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)
"""From the least to the most urgent."""


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/executions/{execution}/logs", summary="Log lines of one execution")
    async def lines(namespace: Namespace, execution: str, query: Annotated[LogsQuery, Query()]) -> Page[LogLine]:
        wanted = execution_id(execution)
        after = cursors.read(query.cursor, cursors.LogKey)
        rows = await store.ask(_lines(namespace, wanted, query.level, after).limit(query.limit + 1))
        if not rows:
            await require_known(store, namespace, wanted)
        shown = rows[: query.limit]
        key = cursors.LogKey(shown[-1]["at"], shown[-1]["id"]) if len(rows) > query.limit else None
        items = [LogLine(**{name: row[name] for name in LogLine.model_fields}) for row in shown]
        return Page(items=items, next=cursors.of(key))

    return router


def _lines(namespace: str, execution: UUID, level: LogLevel, after: cursors.LogKey | None) -> Select[Any]:
    table = logs.c
    found = select(logs).where(table.execution == execution, table.namespace == namespace)
    if level != _LEVELS[0]:
        # Said by what is left out, so that a line whose level we do not know is never hidden.
        found = found.where(table.level.not_in(_LEVELS[: _LEVELS.index(level)]))
    if after is not None:
        found = found.where(tuple_(table.at, table.id) > tuple_(after.at, after.id))
    return found.order_by(table.at, table.id)
