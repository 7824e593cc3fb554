"""Daily reports: what ran, what it used and what it cost, per day (UTC), namespace and workflow, from rollups by day.

Rollups do not know which invocations shared an instance, nor the peak within an hour. So the cost is the most that it
can have been, always on is taken to need no more instances than the mean of the busiest hour does (of the day, where
its hours are kept no longer), and the saving is the least that was saved. What a window cost exactly is answered by
``cost``, which reads each invocation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping

from lowtide.errors import InvalidInput
from lowtide.model.cost import PRESETS, Prices, always_on, price
from lowtide.model.rollup import SPENT
from lowtide.runtime.clock import Clock

from .answers import Answer
from .operator import operator
from .parameters import Filters, Name, Namespace
from .problems import RESPONSES
from .sheets import as_csv, as_markdown
from .spaces import each
from .spending import SPENT_COLUMNS, prices_of, quantities
from .store import Store

__all__ = ["of_all", "of_one"]

_DEFAULT: Final = 7
_LONGEST: Final = 92
_MOST_ROWS: Final = 20_000
_DAY: Final = timedelta(days=1)
_HOUR_MS: Final = 3_600_000

_COUNTED: Final = {
    "started": "executions.created",
    **{phase: f"executions.{phase}" for phase in ("completed", "faulted", "cancelled")},
}

_COUNTS: Final = ", ".join(
    f"coalesce(sum(count) FILTER (WHERE measure = '{measure}'), 0)::bigint AS {name}"
    for name, measure in _COUNTED.items()
)
_WHOLE: Final = ("invocations", "cold_starts", "input_tokens", "output_tokens")
_SUMMED: Final = ("active_ms", "cold_start_ms", "cpu_ms", "gb_seconds")

_DAYS: Final = f"""
{{spaces}}
SELECT at AS day, namespace, {{workflow}} AS workflow, {_COUNTS}, {SPENT_COLUMNS}
  FROM spaces CROSS JOIN LATERAL (
    SELECT workflow, measure, at, count, total FROM rollups_day
     WHERE namespace = spaces.namespace AND measure = ANY(:measures)
       AND at >= :first AND at < :last {{chosen}}) AS cells
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT :limit
"""

# Of each row of the report, and, without a namespace, of all of the day.
_BUSIEST: Final = """
{spaces},
hours AS (
  SELECT day, at, namespace, {workflow} AS workflow, sum(total) AS active_ms
    FROM spaces CROSS JOIN unnest(CAST(:days AS timestamptz[])) AS days (day) CROSS JOIN LATERAL (
      SELECT workflow, at, total FROM rollups_hour
       WHERE namespace = spaces.namespace AND measure = 'invocations.active_ms'
         AND at >= day AND at < day + interval '24 hours' {chosen}) AS cells
   GROUP BY 1, 2, 3, 4)
SELECT day, namespace, workflow, max(active_ms) AS active_ms FROM hours GROUP BY 1, 2, 3
 UNION ALL
SELECT day, NULL, NULL, max(active_ms)
  FROM (SELECT day, sum(active_ms) AS active_ms FROM hours GROUP BY day, at) AS sums GROUP BY day
"""

_Key = tuple[datetime, str | None, str | None]
"""Of a row: its day, namespace and workflow; of all of a day ``None`` for both."""

By = Literal["workflow", "namespace"]
Format = Literal["json", "csv", "markdown"]


class ReportQuery(Filters):
    by: By = Field("workflow", description="What the rows of a day are.")
    workflow: Name | None = Field(None, description="This workflow only.", examples=["fulfil-order"])
    from_: date | None = Field(None, alias="from", description="The first day (UTC). Default: six days before `to`.")
    to: date | None = Field(None, description="The last day, included. Default: today. At most 92 days in all.")
    prices: str | None = Field(None, description=f"One of {', '.join(PRESETS)}; default: what this server is set to.")
    format: Format = "json"


class Used(Answer):
    """What happened and was used. Amounts of money are in the currency of the report's prices."""

    started: int = Field(description="Executions created.")
    completed: int
    faulted: int
    cancelled: int
    invocations: int = Field(description="Requests that are billed.")
    cold_starts: int
    active_seconds: float
    cpu_seconds: float
    gb_seconds: float = Field(description="2^30 bytes held for a second.")
    input_tokens: int = Field(description="That answers of models said were read.")
    output_tokens: int = Field(description="That they said were written.")
    cost: float = Field(description="As if no two invocations had shared an instance: the most that it can be.")
    always_on: float = Field(description="The least that the same traffic costs on a service of its own, always on.")
    saving: float


class Day(Used):
    day: date
    namespace: str = Field(examples=["default"])
    workflow: str | None = Field(description="Null where the rows are namespaces.", examples=["fulfil-order"])


class Report(Answer):
    since: date
    until: date = Field(description="Included. Of today, what was until now.")
    by: By
    prices: dict[str, Any]
    items: list[Day] = Field(description="By day, namespace and workflow; days without anything are left out.")
    total: Used = Field(description="On one service for all of it, which also on days without anything is always on.")


_TYPES: Final[dict[Format, str]] = {"csv": "text/csv", "markdown": "text/markdown"}
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {kind: {"schema": {"type": "string"}} for kind in _TYPES.values()}}
}
_HEADINGS: Final = ("day", "namespace", "workflow", *(str(field.alias) for field in Used.model_fields.values()))


def of_one(store: Store, clock: Clock, usual: Prices) -> APIRouter:
    """The report of a namespace, for its tenant."""
    router = APIRouter(tags=["reports"], responses=RESPONSES)

    @router.get(
        "/reports/daily",
        summary="Usage and cost by day, of one namespace",
        response_model=Report,
        responses=_ANSWER,
    )
    async def daily(namespace: Namespace, query: Annotated[ReportQuery, Query()]) -> Response:
        return _written(
            await _report(store, query, namespace, _now(clock), prices_of(query.prices, usual)), query.format
        )

    return router


def of_all(store: Store, clock: Clock, usual: Prices, token: bytes) -> APIRouter:
    """The report of all namespaces, for the operator."""
    router = APIRouter(tags=["reports"], responses=RESPONSES, dependencies=[Depends(operator(token))])

    @router.get(
        "/v1/reports/daily",
        summary="Usage and cost by day, of all namespaces: for the operator",
        response_model=Report,
        responses=_ANSWER,
    )
    async def daily(query: Annotated[ReportQuery, Query()]) -> Response:
        return _written(await _report(store, query, None, _now(clock), prices_of(query.prices, usual)), query.format)

    return router


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now() / 1000, UTC)


async def _report(store: Store, query: ReportQuery, namespace: str | None, now: datetime, prices: Prices) -> Report:
    """``namespace`` ``None``: of all."""
    since, until = _days(query, now)
    of = {"namespace": namespace, "workflow": query.workflow}
    values: dict[str, Any] = {"first": _begins(since), "last": _begins(until) + _DAY, "limit": _MOST_ROWS + 1}
    rows = await store.ask(
        _statement(_DAYS, "rollups_day", query, namespace), {**of, **values, "measures": [*_COUNTED.values(), *SPENT]}
    )
    if len(rows) > _MOST_ROWS:
        raise InvalidInput(
            f"the report has more than {_MOST_ROWS} rows; ask for less days, one workflow or by=namespace"
        )
    days = _added(rows)
    # In no hour of the other days was there more than one instance serves, not even if all of it was in one.
    busy = [day for day, used in days.items() if used["active_ms"] > prices.concurrency * _HOUR_MS]
    busiest: dict[_Key, float] = {}
    if busy:
        hours = await store.ask(_statement(_BUSIEST, "rollups_hour", query, namespace), {**of, "days": busy})
        busiest = {(row["day"], row["namespace"], row["workflow"]): row["active_ms"] for row in hours}
    return Report(
        since=since,
        until=until,
        by=query.by,
        prices=msgspec.to_builtins(prices),
        items=[_day(row, busiest, now, prices) for row in rows],
        total=_total(days, busiest, since, until, now, prices),
    )


def _statement(template: str, table: str, query: ReportQuery, namespace: str | None) -> TextClause:
    return text(
        template.format(
            spaces=each(table, alone=namespace is not None),
            workflow="workflow" if query.by == "workflow" else "CAST('' AS text)",
            chosen="" if query.workflow is None else "AND workflow = :workflow",
        )
    )


def _added(rows: Sequence[RowMapping]) -> dict[datetime, Counter[str]]:
    """Day -> what its rows are together."""
    days: dict[datetime, Counter[str]] = {}
    for row in rows:
        days.setdefault(row["day"], Counter()).update({name: row[name] for name in (*_COUNTED, *_WHOLE, *_SUMMED)})
    return days


def _days(query: ReportQuery, now: datetime) -> tuple[date, date]:
    until = query.to or now.date()
    if not date(2, 1, 1) < until < date(9998, 1, 1):
        raise InvalidInput("`to` is no day that anything could have happened on; write it as 2026-11-30")
    since = query.from_ or until - (_DEFAULT - 1) * _DAY
    if since > until:
        raise InvalidInput("`from` is after `to`; swap them, or leave one out")
    if until - since >= _LONGEST * _DAY:
        raise InvalidInput(f"the report has more than {_LONGEST} days; ask for it in parts")
    return since, until


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _used(row: RowMapping | Mapping[str, Any], busiest: float, seconds: float, prices: Prices) -> dict[str, Any]:
    """``busiest``: how long invocations were active in the busiest hour, ms, as far as that is known."""
    paid = price(quantities(row), prices)
    peak = math.ceil(max(busiest, row["active_ms"] / 24) / _HOUR_MS)
    beside = always_on(peak, seconds, prices).price
    return {
        **{name: row[name] for name in (*_COUNTED, *_WHOLE, "gb_seconds")},
        "active_seconds": row["active_ms"] / 1000,
        "cpu_seconds": row["cpu_ms"] / 1000,
        "cost": paid,
        "always_on": beside,
        "saving": beside - paid,
    }


def _day(row: RowMapping, busiest: Mapping[_Key, float], now: datetime, prices: Prices) -> Day:
    key = (row["day"], row["namespace"], row["workflow"])
    whom = {
        "day": row["day"].astimezone(UTC).date(),
        "namespace": row["namespace"],
        "workflow": row["workflow"] or None,
    }
    return Day(**whom, **_used(row, busiest.get(key, 0.0), _seconds(row["day"], now), prices))


def _total(
    days: Mapping[datetime, Mapping[str, Any]],
    busiest: Mapping[_Key, float],
    since: date,
    until: date,
    now: datetime,
    prices: Prices,
) -> Used:
    found: dict[str, Any] = dict.fromkeys(Used.model_fields, 0)
    for number in range((until - since).days + 1):
        day = _begins(since) + number * _DAY
        seconds = _seconds(day, now)
        idle = always_on(0, seconds, prices).price
        used = {"always_on": idle, "saving": idle}
        if day in days:
            used = _used(days[day], busiest.get((day, None, None), 0.0), seconds, prices)
        found.update({name: found[name] + value for name, value in used.items()})
    return Used(**found)


def _seconds(day: datetime, now: datetime) -> float:
    """Of the day, until now."""
    return max((min(day + _DAY, now) - day).total_seconds(), 0.0)


def _written(report: Report, form: Format) -> Response:
    if form == "json":  # at once: a report may have thousands of rows, and each is known to be one
        return Response(report.model_dump_json(by_alias=True), media_type="application/json")
    rows = [[one.day.isoformat(), one.namespace, one.workflow, *_amounts(one)] for one in report.items]
    if form == "csv":
        return Response(as_csv(_HEADINGS, rows), media_type=_TYPES[form])
    return Response(_readable(report), media_type=_TYPES[form])


def _amounts(used: Used) -> list[int | float]:
    return [getattr(used, name) for name in Used.model_fields]


def _readable(report: Report) -> str:
    currency, total = report.prices["currency"], report.total
    headings = ["day", "namespace", *(["workflow"] if report.by == "workflow" else [])]
    headings += ["started", "completed", "faulted", "cancelled", "invocations", "active, s", "CPU, s", "GB-s"]
    headings += [f"{name}, {currency}" for name in ("cost", "always on", "saving")]

    def line(used: Used, *whom: str) -> list[str]:
        counts = [used.started, used.completed, used.faulted, used.cancelled, used.invocations]
        amounts = [used.active_seconds, used.cpu_seconds, used.gb_seconds]
        money = [used.cost, used.always_on, used.saving]
        cells = [*map(str, counts), *(f"{one:.3f}" for one in amounts), *(f"{one:.6f}" for one in money)]
        return [*whom[: len(headings) - len(cells)], *cells]

    rows = [line(one, one.day.isoformat(), one.namespace, one.workflow or "") for one in report.items]
    rows.append(line(total, "total", "", ""))
    return (
        f"# Usage and cost, {report.since} to {report.until} (UTC)\n\n{as_markdown(headings, rows)}\n"
        f"By the prices of {report.prices['name']}. Costs are the most, savings the least that they can have been.\n"
    )
