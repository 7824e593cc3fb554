"""Executions by filter, in one of four orders, from any key on: the statement that lists and exports share.

Each order has an index of its own that begins with the namespace. A window of creation also bounds the ids, which are
UUIDv7: days outside it are not touched at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, cast, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import RowMapping

from lowtide.errors import InvalidInput
from lowtide.model.error import STANDARD_BASE
from lowtide.storage.analytics import executions

from . import cursors
from .parameters import ExecutionFilter, Sort
from .store import Store

__all__ = ["CLOCKS_DIFFER", "find", "first_id", "key_of", "page", "read_key"]

_COLUMNS: Final[dict[Sort, Any]] = {
    "created": executions.c.created_at,
    "ended": executions.c.ended_at,
    "duration": executions.c.duration_ms,
    "cost": executions.c.gb_seconds,
}

_READ: Final = [
    column for column in executions.c if column.name not in ("search", "version_number", "known_version", "known_end")
]

_RECENT: Final = (timedelta(days=2), timedelta(days=14))
"""How far back the newest are looked for before all days are: to plan for a hundred takes longer than to read a few."""

CLOCKS_DIFFER: Final = timedelta(hours=1)
"""At most by this much does the moment in an id differ from ``created_at``, which is the database's."""


async def page(
    store: Store, namespace: str, query: ExecutionFilter, after: cursors.ExecutionKey | None, limit: int, now: datetime
) -> Sequence[RowMapping]:
    """At most ``limit`` executions after a key."""
    if query.sort == "created" and query.order == "desc" and query.from_ is None:
        last = after.value if after is not None and isinstance(after.value, datetime) else query.to or now
        for recent in _RECENT:
            narrowed = query.model_copy(update={"from_": last - recent})
            rows = await store.ask(find(namespace, narrowed, after).limit(limit))
            if len(rows) == limit:
                return rows
    return await store.ask(find(namespace, query, after).limit(limit))


def find(namespace: str, query: ExecutionFilter, after: cursors.ExecutionKey | None) -> Select[Any]:
    sorted_by = _COLUMNS[query.sort]
    found = select(*_READ).where(executions.c.namespace == namespace, *_conditions(query))
    if query.sort in ("ended", "duration"):
        found = found.where(sorted_by.is_not(None))
    here = tuple_(sorted_by, executions.c.execution)
    if query.order == "asc":
        found = found.order_by(sorted_by, executions.c.execution)
        return found if after is None else found.where(here > tuple_(after.value, after.execution))
    found = found.order_by(sorted_by.desc(), executions.c.execution.desc())
    return found if after is None else found.where(here < tuple_(after.value, after.execution))


def key_of(query: ExecutionFilter, row: Any) -> cursors.ExecutionKey:
    return cursors.ExecutionKey(_order(query), row[_COLUMNS[query.sort].name], row["execution"])


def read_key(query: ExecutionFilter, cursor: str | None) -> cursors.ExecutionKey | None:
    """Raises :class:`lowtide.errors.InvalidInput` where the cursor is of another order."""
    key = cursors.read(cursor, cursors.ExecutionKey)
    moments = query.sort in ("created", "ended")
    if key is not None and (key.order != _order(query) or isinstance(key.value, datetime) is not moments):
        raise InvalidInput("the cursor is of a list in another order; keep `sort` and `order` while you turn pages")
    return key


def first_id(moment: datetime) -> UUID:
    """Smaller than every id that was made at ``moment`` or later (RFC 9562, section 5.7)."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _order(query: ExecutionFilter) -> str:
    return f"{query.sort} {query.order}"


def _conditions(query: ExecutionFilter) -> list[ColumnElement[bool]]:
    table = executions.c
    found: list[ColumnElement[bool]] = []
    if query.workflow is not None:
        found.append(table.workflow == query.workflow)
    if query.version is not None:
        found.append(table.version == query.version)
    if query.phase:
        found.append(table.phase == query.phase[0] if len(query.phase) == 1 else table.phase.in_(query.phase))
    if query.parent is not None:
        found.append(table.parent == query.parent)
    if query.error_type is not None:
        found.append(table.error_type == _full(query.error_type))
    if query.from_ is not None:
        found += [table.created_at >= query.from_, table.execution >= first_id(query.from_ - CLOCKS_DIFFER)]
    if query.to is not None:
        found += [table.created_at < query.to, table.execution < first_id(query.to + CLOCKS_DIFFER)]
    return [*found, *_amounts(query), *_contents(query)]


def _amounts(query: ExecutionFilter) -> list[ColumnElement[bool]]:
    table = executions.c
    bounds = (
        (query.longer_ms, table.duration_ms.__ge__),
        (query.shorter_ms, table.duration_ms.__le__),
        (query.dearer, table.gb_seconds.__ge__),
    )
    return [compare(bound) for bound, compare in bounds if bound is not None]


def _contents(query: ExecutionFilter) -> list[ColumnElement[bool]]:
    """What GIN indexes answer: words, tags, correlation."""
    table = executions.c
    found = [_has(table.tags, pair) for pair in query.tag]
    if query.correlation:
        found += [table.correlation != cast({}, JSONB), *(_has(table.correlation, pair) for pair in query.correlation)]
    if query.text is not None:
        found.append(table.search.bool_op("@@")(func.websearch_to_tsquery("simple", query.text)))
    return found


def _has(column: Any, pair: str) -> ColumnElement[bool]:
    """``retries=3`` is the text as well as the number."""
    name, _, text = pair.partition("=")
    values: list[Any] = [text]
    try:
        read = json.loads(text, parse_constant=lambda _: text)
        if isinstance(read, bool | int | float) and len(text) < 30:
            values.append(read)
    except ValueError:
        pass
    return or_(*(column.contains({name: value}) for value in values))


def _full(error_type: str) -> str:
    return error_type if ":" in error_type else STANDARD_BASE + error_type
