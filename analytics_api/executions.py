"""Which executions there are, newest first, and one of them with what it cost."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.engine import RowMapping

from lowtide.errors import NotFound
from lowtide.storage.analytics import executions, logs, task_facts, usage

from . import cursors
from .answers import Execution, ExecutionDetail, Page, UsageTotal
from .parameters import ExecutionsQuery, Namespace, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["require_known", "routes"]


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/executions", summary="Executions, newest first")
    async def listed(namespace: Namespace, query: Annotated[ExecutionsQuery, Query()]) -> Page[Execution]:
        after = cursors.read(query.cursor, cursors.ExecutionKey)
        rows = await store.ask(_list(namespace, query, after).limit(query.limit + 1))
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        key = cursors.ExecutionKey(shown[-1]["created_at"], shown[-1]["execution"]) if more else None
        return Page(items=[Execution(**_members(row)) for row in shown], next=cursors.of(key))

    @router.get("/executions/{execution}", summary="One execution and its cost")
    async def one(namespace: Namespace, execution: str) -> ExecutionDetail:
        wanted = execution_id(execution)
        rows = await store.ask(_one(namespace, wanted))
        if not rows:
            raise _unknown(namespace, wanted)
        return ExecutionDetail(**_members(rows[0]), usage=UsageTotal(**rows[0]["usage"]))

    return router


async def require_known(store: Store, namespace: str, execution: UUID) -> None:
    """Raises :class:`lowtide.errors.NotFound` where nothing at all was reported of the execution."""
    reported = [
        select(table.c.execution).where(table.c.execution == execution, table.c.namespace == namespace).exists()
        for table in (executions, task_facts, logs)
    ]
    rows = await store.ask(select((reported[0] | reported[1] | reported[2]).label("known")))
    if not rows[0]["known"]:
        raise _unknown(namespace, execution)


def _list(namespace: str, query: ExecutionsQuery, after: cursors.ExecutionKey | None) -> Select[Any]:
    table = executions.c
    found = select(executions).where(table.namespace == namespace)
    if query.workflow is not None:
        found = found.where(table.workflow == query.workflow)
    if query.phase:
        found = found.where(table.phase.in_(query.phase))
    if query.parent is not None:
        found = found.where(table.parent == query.parent)
    if query.from_ is not None:
        found = found.where(table.created_at >= query.from_)
    if query.to is not None:
        found = found.where(table.created_at < query.to)
    if after is not None:
        found = found.where(tuple_(table.created_at, table.execution) < tuple_(after.created_at, after.execution))
    return found.order_by(table.created_at.desc(), table.execution.desc())


def _one(namespace: str, execution: UUID) -> Select[Any]:
    spent = usage.c
    total = select(
        func.json_build_object(
            *("invocations", func.count()),
            *("active_ms", func.coalesce(func.sum(spent.active_ms), 0)),
            *("cpu_ms", func.coalesce(func.sum(spent.cpu_ms), 0)),
            *("cold_starts", func.count().filter(spent.cold_start)),
            *("effects", func.coalesce(func.sum(spent.effects), 0)),
        )
    ).where(spent.execution == execution, spent.namespace == namespace)
    return select(executions, total.scalar_subquery().label("usage")).where(
        executions.c.execution == execution, executions.c.namespace == namespace
    )


def _members(row: RowMapping) -> dict[str, Any]:
    ended, created = row["ended_at"], row["created_at"]
    return {
        **{name: row[name] for name in _SHOWN},
        "id": str(row["execution"]),
        "parent": None if row["parent"] is None else str(row["parent"]),
        "duration_ms": None if ended is None else (ended - created).total_seconds() * 1000,
    }


_SHOWN: Final = (
    *("namespace", "workflow", "version", "phase", "epoch"),
    *("created_at", "started_at", "ended_at", "error", "tags", "reason"),
)


def _unknown(namespace: str, execution: UUID) -> NotFound:
    return NotFound(
        f"nothing is known of an execution {execution} in namespace {namespace}; "
        "reports of a new one may take a moment to arrive"
    )
