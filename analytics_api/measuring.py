"""A measure over time, by any step and grouping, from the rollups: counts, sums and percentiles.

Percentiles are merged from sketches (``lowtide.model.sketch``), within one percent of a value that was there. Reading
them is bounded by the window and not by how much happened in it. A page may have thousands of points, so it is written
without building its models: they say in the OpenAPI what it is. A tenant asks about its namespace, the operator also
about all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import TextClause, text

from lowtide.model import sketch
from lowtide.runtime.clock import Clock
from lowtide.wire import json

from . import cursors
from .answers import MeasurePage, shown
from .measures import MEASURES, Grouping, Measure, Name, Window, window_of
from .operator import operator
from .parameters import AcrossQuery, MeasureQuery, Namespace, step_of
from .problems import RESPONSES
from .spaces import each
from .store import Store

__all__ = ["COLUMNS", "across", "quantiles", "routes"]

COLUMNS: Final[dict[Grouping, str]] = {
    "workflow": "workflow",
    "version": "version",
    "status": "split_part(measure, '.', 2)",
    "task": "task",
}

_COLUMNS: Final[dict[str, str]] = {**{str(name): column for name, column in COLUMNS.items()}, "namespace": "namespace"}

_Query = MeasureQuery | AcrossQuery

_STATEMENT: Final = """
{spaces}
SELECT bucket, {groups} AS groups, sum(count)::bigint AS count, sum(total) AS total,
       min(smallest) AS smallest, max(largest) AS largest,
       sum(count) FILTER (WHERE measure LIKE '%.completed') AS completed,
       {sketches} AS sketches
  FROM ({cells}) AS cells
 GROUP BY 1, 2
HAVING {after}
 ORDER BY 1, 2
 LIMIT :limit
"""

_OF_ONE: Final = """
SELECT {bucket} AS bucket, * FROM {table}
 WHERE namespace = :namespace AND {measures} AND at >= :first AND at < :last {chosen}
"""

_OF_ALL: Final = """
SELECT {bucket} AS bucket, cells.* FROM spaces CROSS JOIN LATERAL (
  SELECT * FROM {table}
   WHERE namespace = spaces.namespace AND {measures} AND at >= :first AND at < :last {chosen}) AS cells
"""

_SKETCHES: Final = "array_agg(sketch::text) FILTER (WHERE sketch <> '{}')"

_SKETCH: Final = msgspec.json.Decoder(dict[int, int], strict=False)
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_UNKNOWN: Final[dict[str, float | None]] = dict.fromkeys(_SHARES)


def routes(store: Store, clock: Clock) -> APIRouter:
    """The series of a namespace, for its tenant."""
    router = APIRouter(tags=["series"], responses=RESPONSES)

    @router.get(
        "/series/{measure}", summary="A measure over time, by any step and grouping", response_model=MeasurePage
    )
    async def series(namespace: Namespace, measure: Name, query: Annotated[MeasureQuery, Query()]) -> Response:
        """Oldest first; steps in which nothing happened are left out."""
        return await _page(store, query, namespace, measure, _now(clock))

    return router


def across(store: Store, clock: Clock, token: bytes) -> APIRouter:
    """The series of all namespaces, for the operator."""
    router = APIRouter(tags=["series"], responses=RESPONSES, dependencies=[Depends(operator(token))])

    @router.get(
        "/v1/series/{measure}",
        summary="A measure over time, of all namespaces: for the operator",
        response_model=MeasurePage,
    )
    async def series(measure: Name, query: Annotated[AcrossQuery, Query()]) -> Response:
        """As of one namespace; of all together, or, `by=namespace`, of each."""
        return await _page(store, query, query.namespace, measure, _now(clock))

    return router


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now() / 1000, UTC)


async def _page(store: Store, query: _Query, namespace: str | None, measure: Name, now: datetime) -> Response:
    """``namespace`` ``None``: of all."""
    window = window_of(query.from_, query.to, step_of(query.step), now)
    asked = MEASURES[measure]
    after = cursors.read(query.cursor, cursors.BucketKey)
    values = _values(namespace, asked, query, window)
    if after is not None:
        values |= {"first": max(window.first, after.bucket), "after": after.bucket, "after_groups": after.groups}
    rows = await store.rows(_statement(query, window, asked, values), values)
    items = rows[: query.limit]
    key = cursors.BucketKey(items[-1].bucket, items[-1].groups) if len(rows) > query.limit else None
    points = [_point(row, asked, query.by, window.step.total_seconds()) for row in items]
    page = {"items": points, "next": cursors.of(key), "unit": asked.unit}
    return Response(json.encode(page), media_type="application/json")


def quantiles(sketches: Sequence[str] | None) -> dict[str, float | None]:
    """``p50``, ``p95`` and ``p99`` of all sketches together."""
    bins = sketch.merged(*map(_SKETCH.decode, sketches or ()))
    return dict(zip(_SHARES, sketch.quantiles(bins, (*_SHARES.values(),)), strict=True)) if bins else _UNKNOWN


def _values(namespace: str | None, asked: Measure, query: _Query, window: Window) -> dict[str, Any]:
    wanted = [name for name in asked.rollups if not query.status or name.partition(".")[2] in query.status]
    given = {"namespace": namespace, **_chosen(query)}
    return {
        **{"measures": wanted, "limit": query.limit + 1},
        **{name: value for name, value in given.items() if value is not None},
        **{"step": window.step, "origin": window.origin, "first": window.first, "last": window.last},
    }


def _chosen(query: _Query) -> dict[str, str | None]:
    return {"workflow": query.workflow, "version": query.version, "task": query.task}


def _statement(query: _Query, window: Window, asked: Measure, values: dict[str, Any]) -> TextClause:
    """Where each row is a step of its own and of one measure, they are read in their order, and no further than the
    page goes."""
    groups = f"ARRAY[{', '.join(_COLUMNS[name] for name in query.by)}]::text[]"
    if len(values["measures"]) == 1:
        (values["measures"],) = values["measures"]
        measures = "measure = :measures"
    else:
        measures = "measure = ANY(:measures)"
    grain = window.grain(asked)
    table, alone = f"rollups_{grain}", "namespace" in values
    cells = (_OF_ONE if alone else _OF_ALL).format(
        bucket="at" if window.stored(grain) else "date_bin(:step, at, :origin)",
        measures=measures,
        table=table,
        chosen=" ".join(f"AND {name} = :{name}" for name, value in _chosen(query).items() if value is not None),
    )
    return text(
        _STATEMENT.format(
            spaces="" if alone else each(table, alone=False),
            cells=cells,
            groups=groups,
            sketches=_SKETCHES if asked.sketched and query.percentiles else "NULL",
            after=f"(bucket, {groups}) > (:after, CAST(:after_groups AS text[]))" if "after" in values else "true",
        )
    )


def _point(row: Sequence[Any], asked: Measure, by: Sequence[str], seconds: float) -> dict[str, Any]:
    """A :class:`.answers.MeasurePoint`; a step has so many seconds."""
    bucket, groups, count, total, smallest, largest, completed, sketches = row
    return {
        "at": shown(bucket),
        "group": dict(zip(by, groups, strict=True)),
        "count": count,
        "perSecond": count / seconds,
        "total": total,
        "mean": total / count if count else None,
        "smallest": smallest,
        "largest": largest,
        **quantiles(sketches),
        "successRate": float(completed or 0) / count if asked.statuses and "status" not in by else None,
        "concurrency": total / 1000 / seconds if asked.rollups == ("invocations.active_ms",) else None,
    }
