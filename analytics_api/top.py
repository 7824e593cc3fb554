"""What is slowest, dearest or fails most: the workflows and the tasks of a window, each with its numbers.

From rollups alone: what it takes is bounded by the window and by how many workflows and tasks there are, not by how
much happened. Percentiles are merged from sketches, of those alone that may be shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from lowtide.model.cost import PRESETS, Prices, price
from lowtide.model.rollup import SPENT
from lowtide.runtime.clock import Clock

from .answers import Answer, Moment
from .covering import Span, rollup_window
from .measuring import quantiles
from .parameters import Filters, Name, Namespace
from .parameters import Moment as Given
from .problems import RESPONSES
from .spending import SPENT_COLUMNS, prices_of, quantities
from .store import Store

__all__ = ["routes"]

_MINUTES: Final = timedelta(hours=6)
_LONGEST: Final = timedelta(days=400)

_CELLS: Final = """
  FROM {cells} WHERE namespace = :namespace AND measure = ANY(:measures) {chosen}
"""

_WORKFLOWS: Final = f"""
SELECT workflow, '' AS task,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.completed'), 0)::bigint AS completed,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.faulted'), 0)::bigint AS faulted,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.cancelled'), 0)::bigint AS cancelled,
       0 AS retried,
       max(largest) FILTER (WHERE measure = ANY(:timed)) AS largest,
       {SPENT_COLUMNS} {_CELLS}
 GROUP BY workflow
"""

_TASKS: Final = f"""
SELECT workflow, task,
       coalesce(sum(count) FILTER (WHERE measure = 'tasks.completed'), 0)::bigint AS completed,
       coalesce(sum(count) FILTER (WHERE measure = 'tasks.faulted'), 0)::bigint AS faulted,
       coalesce(sum(count) FILTER (WHERE measure = 'tasks.cancelled'), 0)::bigint AS cancelled,
       coalesce(sum(count) FILTER (WHERE measure = 'tasks.retried'), 0)::bigint AS retried,
       max(largest) FILTER (WHERE measure = ANY(:timed)) AS largest,
       coalesce(sum(total) FILTER (WHERE measure = ANY(:effects)), 0) AS active_ms {_CELLS}
 GROUP BY workflow, task
"""

_SPENT: Final = f"SELECT workflow, {SPENT_COLUMNS} {_CELLS} GROUP BY workflow"

# The index has both names, and so tells the rows that are wanted without a look at the others; then which pairs are.
_SKETCHES: Final = f"""
SELECT workflow, task, array_agg(sketch::text) AS sketches {_CELLS}
   AND sketch <> '{{{{}}}}' AND workflow = ANY(:workflows) AND task = ANY(:tasks) AND (workflow, task) IN (
         SELECT * FROM unnest(CAST(:workflows AS text[]), CAST(:tasks AS text[])))
 GROUP BY workflow, task
"""

# From one kind to the next, without a look at what is between them: there are a dozen, and many rows of each.
_EFFECTS: Final = """
WITH RECURSIVE kinds (measure) AS (
  SELECT (SELECT min(measure) FROM rollups_day WHERE namespace = :namespace AND measure > 'effects.')
  UNION ALL
  SELECT (SELECT min(measure) FROM rollups_day WHERE namespace = :namespace AND measure > kinds.measure)
    FROM kinds WHERE measure LIKE 'effects.%')
SELECT measure FROM kinds WHERE measure LIKE 'effects.%'
"""

_TIMED_EXECUTIONS: Final = ("executions.completed", "executions.faulted")
_EXECUTIONS: Final = (*_TIMED_EXECUTIONS, "executions.cancelled")
_TIMED_TASKS: Final = ("tasks.completed", "tasks.faulted")
_ENTRIES: Final = (*_TIMED_TASKS, "tasks.cancelled", "tasks.retried")

By = Literal["slowest", "dearest", "failing", "failure-rate"]


class TopQuery(Filters):
    by: By = Field("slowest", description="p95 of what ended by itself; price; how many faulted; which share did.")
    workflow: Name | None = Field(None, description="Of this workflow only.", examples=["fulfil-order"])
    from_: Given | None = Field(None, alias="from", description="Default: a day before `to`.")
    to: Given | None = Field(None, description="Default: now. At most 400 days after `from`.")
    limit: int = Field(10, ge=1, le=200)
    prices: str | None = Field(None, description=f"One of {', '.join(PRESETS)}; default: what this server is set to.")


class Ranked(Answer):
    """A workflow with its executions, or a task with its entries, that ended in the window. Times are of those that
    completed or faulted, in milliseconds."""

    workflow: str = Field(examples=["fulfil-order"])
    task: str | None = Field(description="The reference of the task, null where workflows are ranked.")
    completed: int
    faulted: int
    cancelled: int
    retried: int = Field(description="Attempts of a task that were tried again.")
    failure_rate: float | None = Field(description="The share that faulted, of what completed or faulted.")
    p50_ms: float | None
    p95_ms: float | None = Field(description="Within one percent of a value that was there.")
    p99_ms: float | None
    largest_ms: float | None
    active_ms: float = Field(description="Of a workflow its invocations, of a task its effects.")
    gb_seconds: float | None = Field(description="Of a workflow's invocations.")
    price: float = Field(description="As if no two invocations had shared an instance: the most that it can be.")


class Top(Answer):
    since: Moment = Field(description="Whole minutes, or hours where the window is longer than six hours.")
    until: Moment
    by: By
    prices: dict[str, Any]
    items: list[Ranked]


@dataclass(frozen=True)
class _Asked:
    """One question: which cells it reads, and by which prices."""

    namespace: str
    query: TopQuery
    span: Span
    prices: Prices

    def statement(self, template: str) -> str:
        chosen = "" if self.query.workflow is None else "AND workflow = :workflow"
        return template.format(cells=self.span.cells, chosen=chosen)

    def values(self, measures: Sequence[str], **more: Any) -> dict[str, Any]:
        of = {} if self.query.workflow is None else {"workflow": self.query.workflow}
        return {"namespace": self.namespace, **self.span.values, **of, "measures": list(measures), **more}


def routes(store: Store, clock: Clock, usual: Prices) -> APIRouter:
    router = APIRouter(tags=["top"], responses=RESPONSES)

    def asked(namespace: str, query: TopQuery) -> _Asked:
        now = datetime.fromtimestamp(clock.now() / 1000, UTC)
        span = rollup_window(query.from_, query.to, now, minutes=_MINUTES, longest=_LONGEST)
        return _Asked(namespace, query, span, prices_of(query.prices, usual))

    @router.get("/top/workflows", summary="The slowest, dearest or most failing workflows")
    async def workflows(namespace: Namespace, query: Annotated[TopQuery, Query()]) -> Top:
        """Why they fail is at `/errors`, in groups."""
        of = asked(namespace, query)
        values = of.values([*_EXECUTIONS, *SPENT], timed=list(_TIMED_EXECUTIONS))
        rows = await store.ask(text(of.statement(_WORKFLOWS)), values)
        found = [_ranked(row, price(quantities(row), of.prices)) for row in rows]
        return await _answer(store, of, _TIMED_EXECUTIONS, found)

    @router.get("/top/tasks", summary="The slowest, dearest or most failing tasks")
    async def tasks(namespace: Namespace, query: Annotated[TopQuery, Query()]) -> Top:
        """The price of a task is the part of its workflow's that its effects were active for."""
        of = asked(namespace, query)
        kinds = await store.ask(text(_EFFECTS), {"namespace": namespace})
        effects = [str(row["measure"]) for row in kinds]
        values = of.values([*_ENTRIES, *effects], timed=list(_TIMED_TASKS), effects=effects)
        rows = await store.ask(text(of.statement(_TASKS)), values)
        spent = await store.ask(text(of.statement(_SPENT)), of.values(SPENT))
        prices = _prices_of_tasks(rows, spent, of.prices)
        found = [_ranked(row, prices[row["workflow"]] * row["active_ms"]) for row in rows]
        return await _answer(store, of, _TIMED_TASKS, found)

    return router


def _ranked(row: RowMapping, paid: float) -> Ranked:
    """Without its percentiles."""
    ended = row["completed"] + row["faulted"]
    return Ranked(
        **{name: row[name] for name in ("workflow", "completed", "faulted", "cancelled", "retried", "active_ms")},
        task=row["task"] or None,
        failure_rate=row["faulted"] / ended if ended else None,
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
        largest_ms=row["largest"],
        gb_seconds=row.get("gb_seconds"),
        price=paid,
    )


def _prices_of_tasks(rows: Sequence[RowMapping], spent: Sequence[RowMapping], prices: Prices) -> dict[str, float]:
    """Workflow -> the price of a millisecond in which an effect of its tasks was active."""
    effects: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        effects[row["workflow"]] += row["active_ms"]
    found: defaultdict[str, float] = defaultdict(float)
    for row in spent:
        # Effects may be active at once: together they never get more than the workflow cost.
        whole = max(row["active_ms"] + row["cold_start_ms"], effects[row["workflow"]])
        found[row["workflow"]] = price(quantities(row), prices) / whole if whole else 0.0
    return found


async def _answer(store: Store, of: _Asked, timed: Sequence[str], found: list[Ranked]) -> Top:
    by, limit = of.query.by, of.query.limit
    worst = sorted(filter(lambda one: _weight(one, by) > (0, 0), found), key=lambda one: _order(one, by))
    shown = await _timed(store, of, timed, worst if by == "slowest" else worst[:limit])
    if by == "slowest":
        shown = sorted((one for one in shown if one.p95_ms is not None), key=lambda one: _order(one, by))[:limit]
    return Top(since=of.span.first, until=of.span.last, by=by, prices=msgspec.to_builtins(of.prices), items=shown)


async def _timed(store: Store, of: _Asked, timed: Sequence[str], found: list[Ranked]) -> list[Ranked]:
    if not found:
        return []
    names = {"workflows": [one.workflow for one in found], "tasks": [one.task or "" for one in found]}
    rows = await store.ask(text(of.statement(_SKETCHES)), of.values(timed, **names))
    sketches = {(row["workflow"], row["task"] or None): quantiles(row["sketches"]) for row in rows}
    return [
        one.model_copy(
            update={f"{name}_ms": value for name, value in sketches.get((one.workflow, one.task), {}).items()}
        )
        for one in found
    ]


def _order(one: Ranked, by: By) -> tuple[float, float, str, str]:
    first, second = _weight(one, by)
    return -first, -second, one.workflow, one.task or ""


def _weight(one: Ranked, by: By) -> tuple[float, float]:
    """The more of it, the further up; who has none is not shown."""
    match by:
        case "slowest":
            return one.p95_ms or 0.0, one.largest_ms or 0.0
        case "dearest":
            return one.price, one.active_ms
        case "failing":
            return one.faulted, one.failure_rate or 0.0
        case "failure-rate":
            return one.failure_rate or 0.0, one.faulted
