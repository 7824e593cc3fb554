"""The tasks of one execution in the order in which they began, the invocations that performed them, its children."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from sqlalchemy import Select, func, select
from sqlalchemy.engine import RowMapping

from lowtide.model.base import JSON, Millis
from lowtide.model.error import Error
from lowtide.model.fact import Fact
from lowtide.model.timeline import Attempt, TaskRow, Wait, fold
from lowtide.model.usage import Spent
from lowtide.storage.analytics import executions, task_facts, usage

from . import cursors
from .answers import Child, Invocation, TaskAttempt, TaskEntry, TaskWait, Timeline
from .executions import require_known
from .finding import CLOCKS_DIFFER
from .parameters import Namespace, TimelineQuery, execution_id
from .problems import RESPONSES
from .store import Store

__all__ = ["children_of", "read_error", "routes"]

_INVOCATIONS: Final = 1000
"""How many of the newest invocations are shown."""

_CHILDREN: Final = 1000

_NOTHING: Final = Spent()


def routes(store: Store) -> APIRouter:
    router = APIRouter(tags=["executions"], responses=RESPONSES)

    @router.get("/executions/{execution}/timeline", summary="Tasks, invocations and children of one execution")
    async def timeline(namespace: Namespace, execution: str, query: Annotated[TimelineQuery, Query()]) -> Timeline:
        """Each task with its waits, and with its attempts where it was retried; invocations with queueing and cold
        starts; children with their phase."""
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
            invocations=[_invocation(row) for row in reversed(await store.ask(_invocations(namespace, wanted)))],
            children=await children_of(store, namespace, wanted),
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
    columns = [usage.c[name] for name in Invocation.model_fields if name != "started_at"]
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
        error=read_error(row["error"]),
        keys=_object(row["keys"]),
        wait=_object(row["wait"]) or None,
        spent=Spent(
            duration_ms=row["duration_ms"],
            effect=row["effect"],
            active_ms=row["active_ms"],
            bytes_in=row["bytes_in"],
            bytes_out=row["bytes_out"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
        ),
    )


def _object(stored: JSON) -> dict[str, JSON]:
    return stored if isinstance(stored, dict) else {}


def read_error(stored: JSON) -> Error | None:
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
    spent = row.spent or _NOTHING
    return TaskEntry(
        task=row.task,
        name=row.name,
        reference=row.reference,
        kind=row.kind,
        status=row.status,
        attempt=row.attempt,
        started_at=_moment(row.started),
        ended_at=_later(row.ended),
        duration_ms=_between(row.started, row.ended),
        error=_shown(row.error),
        attempts=[_attempt(one) for one in row.attempts],
        waits=[_wait(one) for one in row.waits],
        keys=row.keys,
        effect=spent.effect,
        active_ms=spent.active_ms,
        bytes_in=spent.bytes_in,
        bytes_out=spent.bytes_out,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
    )


def _attempt(one: Attempt) -> TaskAttempt:
    backoff = None if one.ended is None else _between(one.ended, one.again)
    return TaskAttempt(
        number=one.number,
        started_at=_moment(one.started),
        ended_at=_later(one.ended),
        error=_shown(one.error),
        backoff_ms=backoff,
    )


def _wait(one: Wait) -> TaskWait:
    return TaskWait(
        since=_moment(one.since), over=_later(one.over), duration_ms=_between(one.since, one.over), what=one.what
    )


def _invocation(row: RowMapping) -> Invocation:
    kinds = {kind: count for kind, count in _object(row["effect_kinds"]).items() if isinstance(count, int)}
    started = row["at"] - timedelta(milliseconds=row["active_ms"])
    return Invocation(**{**row, "effect_kinds": kinds, "started_at": started})


async def children_of(store: Store, namespace: str, execution: UUID) -> list[Child]:
    """The first of them, in the order in which they were created, wherever they run."""
    table = executions.c
    # A child is younger than its parent: days before are not touched.
    born = (execution.int >> 80) - int(CLOCKS_DIFFER.total_seconds() * 1000) if execution.version == 7 else 0
    young = table.execution >= UUID(int=max(0, born) << 80)
    names = ("execution", "namespace", "workflow", "version", "phase", "created_at", "ended_at", "duration_ms")
    found = select(*(table[name] for name in names), table.parent_task).where(table.parent == execution, young)
    of_parent = select(table.execution).where(table.execution == execution, table.namespace != namespace).exists()
    rows = await store.ask(found.where(~of_parent).order_by(table.execution).limit(_CHILDREN))
    return [_child(row) for row in rows]


def _child(row: RowMapping) -> Child:
    shown = {name: row[name] for name in Child.model_fields if name not in ("id", "task", "link")}
    link = f"/v1/namespaces/{quote(row['namespace'], safe='')}/executions/{row['execution']}"
    return Child(id=str(row["execution"]), task=row["parent_task"], link=link, **shown)


def _shown(error: Error | None) -> Any:
    return None if error is None else error.as_json()


def _moment(at: Millis) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _later(at: Millis | None) -> datetime | None:
    return None if at is None else _moment(at)


def _between(start: Millis, end: Millis | None) -> float | None:
    return None if end is None else float(end - start)
