"""Counts and duration percentiles per workflow per minute, from the rollups: what it takes is bounded by the window and
by how many workflows there are, not by how much happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping

from lowtide.runtime.clock import Clock

from . import cursors
from .answers import Page, SeriesPoint
from .measuring import quantiles
from .parameters import Namespace, SeriesQuery, window_of
from .problems import RESPONSES
from .store import Store

__all__ = ["routes"]

_MEASURES: Final = ["executions.created", "executions.completed", "executions.faulted", "executions.cancelled"]

# An execution is counted in the minute in which it was created and in that in which it ended.
_SERIES: Final = """
SELECT at AS minute, workflow,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.created'), 0)::bigint AS started,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.completed'), 0)::bigint AS completed,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.faulted'), 0)::bigint AS faulted,
       coalesce(sum(count) FILTER (WHERE measure = 'executions.cancelled'), 0)::bigint AS cancelled,
       array_agg(sketch::text) FILTER (WHERE measure = 'executions.completed' AND sketch <> '{{}}') AS sketches
  FROM rollups_minute
 WHERE namespace = :namespace AND measure = ANY(:measures) AND at >= :first AND at < :last {chosen}
 GROUP BY at, workflow
 ORDER BY at, workflow
 LIMIT :limit
"""


def routes(store: Store, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["series"], responses=RESPONSES)

    @router.get("/series", summary="Counts and durations per workflow per minute")
    async def series(namespace: Namespace, query: Annotated[SeriesQuery, Query()]) -> Page[SeriesPoint]:
        """Oldest first; minutes in which nothing happened are left out. Percentiles are of what completed, within one
        percent of a value that was there; `/series/{measure}` has more of all of it."""
        now = datetime.fromtimestamp(clock.now() / 1000, UTC)
        first, last = window_of(query.from_, query.to, now)
        after = cursors.read(query.cursor, cursors.MinuteKey)
        values: dict[str, Any] = {"namespace": namespace, "first": first, "last": last, "limit": query.limit + 1}
        values["measures"] = _MEASURES
        if query.workflow is not None:
            values["workflow"] = query.workflow
        if after is not None:
            values |= {"first": max(first, after.minute), "after": after.minute, "after_workflow": after.workflow}
        rows = await store.ask(_statement(query.workflow is not None, after is not None), values)
        shown = rows[: query.limit]
        key = cursors.MinuteKey(shown[-1]["minute"], shown[-1]["workflow"]) if len(rows) > query.limit else None
        return Page(items=[_point(row) for row in shown], next=cursors.of(key))

    return router


def _point(row: RowMapping) -> SeriesPoint:
    found: dict[str, Any] = dict(row)
    for name, value in quantiles(found.pop("sketches")).items():
        found[f"{name}_ms"] = value
    return SeriesPoint(**found)


def _statement(of_workflow: bool, after: bool) -> TextClause:
    chosen = "AND workflow = :workflow" if of_workflow else ""
    return text(_SERIES.format(chosen=chosen + (" AND (at, workflow) > (:after, :after_workflow)" if after else "")))
