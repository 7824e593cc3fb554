"""Which executions there are, and one of them with what it cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import Select, select
from sqlalchemy.engine import RowMapping

from lowtide.errors import NotFound
from lowtide.runtime.clock import Clock
from lowtide.storage.analytics import executions, logs, task_facts

from . import cursors
from .answers import Execution, ExecutionDetail, Page, UsageTotal
from .finding import key_of, page, read_key
from .parameters import ExecutionsQuery, Namespace, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["members", "require_known", "routes"]


def routes(store: Store, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/executions", summary="Executions by filter, in any of four orders")
    async def listed(namespace: Namespace, query: Annotated[ExecutionsQuery, Query()]) -> Page[Execution]:
        now = datetime.fromtimestamp(clock.now() / 1000, UTC)
        rows = await page(store, namespace, query, read_key(query, query.cursor), query.limit + 1, now)
        shown = rows[: query.limit]
        key = key_of(query, shown[-1]) if len(rows) > query.limit else None
        return Page(items=[Execution(**members(row)) for row in shown], next=cursors.of(key))

    @router.get("/executions/{execution}", summary="One execution and its cost")
    async def one(namespace: Namespace, execution: str) -> ExecutionDetail:
        wanted = execution_id(execution)
        rows = await store.ask(_one(namespace, wanted))
        if not rows:
            raise _unknown(namespace, wanted)
        return ExecutionDetail(**members(rows[0]), usage=UsageTotal(**_spent(rows[0])))

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


def _one(namespace: str, execution: UUID) -> Select[Any]:
    return select(executions).where(executions.c.execution == execution, executions.c.namespace == namespace)


def _spent(row: RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in UsageTotal.model_fields}


def members(row: RowMapping) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _SHOWN},
        "id": str(row["execution"]),
        "parent": None if row["parent"] is None else str(row["parent"]),
    }


_SHOWN: Final = (
    *("namespace", "workflow", "version", "phase", "epoch"),
    *("created_at", "started_at", "ended_at", "error", "tags", "reason"),
    *("correlation", "gb_seconds", "duration_ms"),
)


def _unknown(namespace: str, execution: UUID) -> NotFound:
    return NotFound(
        f"nothing is known of an execution {execution} in namespace {namespace}; "
        "reports of a new one may take a moment to arrive"
    )
