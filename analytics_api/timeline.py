"""The tasks of one execution in the order in which they began, and the invocations that performed them."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from sqlalchemy import Select, func, select
from sqlalchemy.engine import RowMapping

from lowtide.model.base import JSON, Millis
from lowtide.model.error import Error
from lowtide.model.fact import Fact
from lowtide.model.timeline import TaskRow, fold
from lowtide.storage.analytics import task_facts, usage

from . import cursors
from .answers import Invocation, TaskEntry, Timeline
from .executions import require_known
from .parameters import Namespace, TimelineQuery, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["routes"]

_INVOCATIONS: Final = 1000
"""How many of the newest invocations are shown."""


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/executions/{execution}/timeline", summary="Tasks and invocations of one execution")
    async def timeline(namespace: Namespace, execution: str, query: Annotated[TimelineQuery, Query()]) -> Timeline:
        wanted = execution_id(execution)
        after = cursors.read(query.cursor, cursors.TaskKey)
        facts = [_fact(row) for row in await store.ask(_facts(namespace, wanted, after, query.limit + 1))]
        if not facts:
            await require_known(store, namespace, wanted)
        entries = fold(facts)
        more = len(entries) > query.limit
        shown = entries[: query.limit]
        return Timeline(
            items=[_entry(row) for row in shown],
            next=cursors.of(cursors.TaskKey(_began(shown[-1], facts)) if more else None),
            invocations=[Invocation(**row) for row in reversed(await store.ask(_invocations(namespace, wanted)))],
        )

    return router


def _facts(namespace: str, execution: UUID, after: cursors.TaskKey | None, limit: int) -> Select[Any]:
    """All facts of the next ``limit`` entries."""
    table = task_facts.c
    here = (table.execution == execution) & (table.namespace == namespace)
    first = func.min(table.number)
    page = (
        select(table.task)
        .where(here)
        .group_by(table.task)
        .having(first > (after.number if after else -1))
        .order_by(first)
        .limit(limit)
        .cte("page")
    )
    return select(task_facts).join(page, page.c.task == table.task).where(here).order_by(table.number)


def _invocations(namespace: str, execution: UUID) -> Select[Any]:
    """The newest ones, newest first."""
    table = usage.c
    columns = [usage.c[name] for name in Invocation.model_fields]
    here = (table.execution == execution) & (table.namespace == namespace)
    return select(*columns).where(here).order_by(table.epoch.desc()).limit(_INVOCATIONS)


def _fact(row: RowMapping) -> Fact:
    return Fact(
        number=row["number"],
        task=row["task"],
        name=row["name"],
        reference=row["reference"],
        kind=row["kind"],
        status=row["status"],
        at=Millis(round(row["at"].timestamp() * 1000)),
        attempt=row["attempt"],
        error=_error(row["error"]),
    )


def _error(stored: JSON) -> Error | None:
    """Reports are best effort: one that is not quite an error must not hide the rest of the timeline."""
    if stored is None:
        return None
    try:
        return msgspec.convert(stored, Error)
    except msgspec.ValidationError:
        return Error(type="about:blank", status=500, detail=msgspec.json.encode(stored).decode())


def _began(entry: TaskRow, facts: list[Fact]) -> int:
    return min(fact.number for fact in facts if fact.task == entry.task)


def _entry(row: TaskRow) -> TaskEntry:
    return TaskEntry.model_validate(
        {**row.as_json(), "kind": row.kind, "error": None if row.error is None else row.error.as_json()}
    )
