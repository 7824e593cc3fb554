"""Log lines: those of one execution, and those of a namespace by words, level, workflow and time."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.engine import RowMapping

from lowtide.errors import InvalidInput
from lowtide.storage.analytics import logs

from . import cursors
from .answers import FoundLine, LogLine, Page
from .executions import require_known
from .finding import CLOCKS_DIFFER, first_id
from .parameters import LogLevel, LogSearchQuery, LogsQuery, Namespace, Order, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["found_line", "found_lines", "line_key", "routes"]

_READ: Final = [column for column in logs.c if column.name != "search"]

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

    @router.get("/logs", summary="Log lines by words, level, workflow and time")
    async def search(namespace: Namespace, query: Annotated[LogSearchQuery, Query()]) -> Page[FoundLine]:
        after = cursors.read(query.cursor, cursors.LineKey)
        if after is not None and after.order != query.order:
            raise InvalidInput("the cursor is of a list in another order; keep `order` while you turn pages")
        rows = await store.ask(found_lines(namespace, query, after).limit(query.limit + 1))
        shown = rows[: query.limit]
        key = line_key(query.order, shown[-1]) if len(rows) > query.limit else None
        return Page(items=[found_line(row) for row in shown], next=cursors.of(key))

    return router


def found_line(row: RowMapping) -> FoundLine:
    shown = {name: row[name] for name in FoundLine.model_fields}
    return FoundLine(**{**shown, "execution": str(row["execution"])})


def line_key(order: Order, row: RowMapping) -> cursors.LineKey:
    return cursors.LineKey(order, row["at"], row["execution"], row["id"])


def found_lines(namespace: str, query: LogSearchQuery, after: cursors.LineKey | None) -> Select[Any]:
    table = logs.c
    found = select(*_READ).where(table.namespace == namespace, *_above(query.level))
    for column, wanted in ((table.workflow, query.workflow), (table.execution, query.execution)):
        found = found if wanted is None else found.where(column == wanted)
    if query.task is not None:
        found = found.where(_of_task(query.task))
    if query.text is not None:
        found = found.where(table.search.bool_op("@@")(func.websearch_to_tsquery("simple", query.text)))
    if query.from_ is not None:
        found = found.where(table.at >= query.from_)
    if query.to is not None:  # what is written before it is of an execution that was made before it
        found = found.where(table.at < query.to, table.execution < first_id(query.to + CLOCKS_DIFFER))
    key = tuple_(table.at, table.execution, table.id)
    if query.order == "asc":
        found = found.order_by(table.at, table.execution, table.id)
        return found if after is None else found.where(key > tuple_(after.at, after.execution, after.id))
    found = found.order_by(table.at.desc(), table.execution.desc(), table.id.desc())
    return found if after is None else found.where(key < tuple_(after.at, after.execution, after.id))


def _of_task(given: str) -> ColumnElement[bool]:
    """An entry is ``/do/0/pay@1.1``: the reference ends at the last ``@``, the name begins behind the last ``/``."""
    if "@" in given:
        return logs.c.task == given
    if given.startswith("/"):
        return logs.c.task.startswith(f"{given}@", autoescape=True)
    name = given.replace("~", "~0").replace("/", "~1")
    return logs.c.task.contains(f"/{name}@", autoescape=True)


def _above(level: LogLevel) -> list[ColumnElement[bool]]:
    # Said by what is left out, so that a line whose level we do not know is never hidden.
    below = _LEVELS[: _LEVELS.index(level)]
    return [logs.c.level.not_in(below)] if below else []


def _lines(namespace: str, execution: UUID, level: LogLevel, after: cursors.LogKey | None) -> Select[Any]:
    table = logs.c
    found = select(logs).where(table.execution == execution, table.namespace == namespace, *_above(level))
    if after is not None:
        found = found.where(tuple_(table.at, table.id) > tuple_(after.at, after.id))
    return found.order_by(table.at, table.id)
