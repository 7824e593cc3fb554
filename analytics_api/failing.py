"""What fails: errors grouped by type, workflow and title, the most frequent first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from sqlalchemy import Select, Uuid, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from lowtide.errors import InvalidInput
from lowtide.runtime.clock import Clock
from lowtide.storage.analytics import executions

from .answers import ErrorGroup, ErrorGroups
from .finding import CLOCKS_DIFFER, first_id
from .parameters import ErrorsQuery, Namespace
from .problems import RESPONSES
from .store import Store

__all__ = ["routes"]

_DEFAULT: Final = timedelta(days=1)
_LONGEST: Final = timedelta(days=31)


def routes(store: Store, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/errors", summary="Groups of errors, the most frequent first")
    async def errors(namespace: Namespace, query: Annotated[ErrorsQuery, Query()]) -> ErrorGroups:
        """Of the executions that were created in the window and faulted; `newest` is an execution to look at."""
        last = query.to or datetime.fromtimestamp(clock.now() / 1000, UTC)
        first = query.from_ or last - _DEFAULT
        if first >= last:
            raise InvalidInput("`from` is not before `to`; swap them, or leave one out")
        if last - first > _LONGEST:
            raise InvalidInput(f"the window is longer than {_LONGEST.days} days; ask for less of it")
        rows = await store.ask(_groups(namespace, query.workflow, first, last).limit(query.limit))
        return ErrorGroups(items=[ErrorGroup(**{**row, "newest": str(row["newest"])}) for row in rows])

    return router


def _groups(namespace: str, workflow: str | None, first: datetime, last: datetime) -> Select[Any]:
    table = executions.c
    title = table.error["title"].astext
    ids = func.array_agg(aggregate_order_by(table.execution, table.created_at.desc()), type_=ARRAY(Uuid))
    found = select(
        table.error_type.label("type"),
        table.workflow,
        title.label("title"),
        func.count().label("count"),
        func.min(table.created_at).label("first_at"),
        func.max(table.created_at).label("last_at"),
        ids[1].label("newest"),
    ).where(
        *(table.namespace == namespace, table.error_type.is_not(None), table.phase == "faulted"),
        *(table.created_at >= first, table.created_at < last),
        *(table.execution >= first_id(first - CLOCKS_DIFFER), table.execution < first_id(last + CLOCKS_DIFFER)),
    )
    found = found if workflow is None else found.where(table.workflow == workflow)
    return found.group_by(table.error_type, table.workflow, title).order_by(
        func.count().desc(), table.error_type, table.workflow, title
    )
