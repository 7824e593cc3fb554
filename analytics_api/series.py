"""Counts and duration percentiles per workflow per minute."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from sqlalchemy import TextClause, text

from lowtide.runtime.clock import Clock

from . import cursors
from .answers import Page, SeriesPoint
from .parameters import Namespace, SeriesQuery, window_of
from .problems import RESPONSES
from .store import Store

__all__ = ["routes"]

# Two passes over two indexes: an execution is counted in the minute in which it was created and in that in which it
# ended. Percentiles are exact, over what completed; a window is at most a day.
_SERIES: Final = """
WITH starts AS (
    SELECT workflow, date_trunc('minute', created_at, 'UTC') AS minute, count(*) AS started
      FROM executions
     WHERE namespace = :namespace AND created_at >= :first AND created_at < :last {of_workflow}
     GROUP BY 1, 2
), ends AS (
    SELECT workflow, date_trunc('minute', ended_at, 'UTC') AS minute,
           count(*) FILTER (WHERE phase = 'completed') AS completed,
           count(*) FILTER (WHERE phase = 'faulted') AS faulted,
           count(*) FILTER (WHERE phase = 'cancelled') AS cancelled,
           percentile_cont(ARRAY[0.5, 0.95, 0.99])
               WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - created_at)::float8 * 1000)
               FILTER (WHERE phase = 'completed') AS percentiles
      FROM executions
     WHERE namespace = :namespace AND ended_at >= :first AND ended_at < :last {of_workflow}
     GROUP BY 1, 2
)
SELECT minute, workflow,
       coalesce(started, 0) AS started, coalesce(completed, 0) AS completed,
       coalesce(faulted, 0) AS faulted, coalesce(cancelled, 0) AS cancelled,
       percentiles[1] AS p50_ms, percentiles[2] AS p95_ms, percentiles[3] AS p99_ms
  FROM starts FULL JOIN ends USING (workflow, minute)
 WHERE {after}
 ORDER BY minute, workflow
 LIMIT :limit
"""


def routes(store: Store, clock: Clock) -> APIRouter:
    router = APIRouter(tags=["series"], responses=RESPONSES)

    @router.get("/series", summary="Counts and durations per workflow per minute")
    async def series(namespace: Namespace, query: Annotated[SeriesQuery, Query()]) -> Page[SeriesPoint]:
        """Oldest first; minutes in which nothing happened are left out."""
        now = datetime.fromtimestamp(clock.now() / 1000, UTC)
        first, last = window_of(query.from_, query.to, now)
        after = cursors.read(query.cursor, cursors.MinuteKey)
        values: dict[str, Any] = {"namespace": namespace, "first": first, "last": last, "limit": query.limit + 1}
        if query.workflow is not None:
            values["workflow"] = query.workflow
        if after is not None:
            values |= {"after_minute": after.minute, "after_workflow": after.workflow}
        rows = await store.ask(_statement(query.workflow is not None, after is not None), values)
        shown = rows[: query.limit]
        key = cursors.MinuteKey(shown[-1]["minute"], shown[-1]["workflow"]) if len(rows) > query.limit else None
        return Page(items=[SeriesPoint(**row) for row in shown], next=cursors.of(key))

    return router


def _statement(of_workflow: bool, after: bool) -> TextClause:
    return text(
        _SERIES.format(
            of_workflow="AND workflow = :workflow" if of_workflow else "",
            after="(minute, workflow) > (:after_minute, :after_workflow)" if after else "true",
        )
    )
